"""Prometheus' text format 0.0.4: families of samples as bytes. Pure.

https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_ESCAPED = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})
_ESCAPED_HELP = str.maketrans({"\\": r"\\", "\n": r"\n"})


@dataclass(frozen=True, slots=True)
class Sample:
    """One value; `suffix` is what its name has beyond the family's."""

    labels: tuple[tuple[str, str], ...]
    value: float
    suffix: str = ""


@dataclass(frozen=True, slots=True)
class Family:
    """All samples of one name."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    samples: tuple[Sample, ...]


def family(
    name: str, kind: Literal["counter", "gauge"], help: str, values: Iterable[tuple[Mapping[str, str], float]]
) -> Family:
    """A family of plain values by their labels."""
    return Family(name, kind, help, tuple(Sample(tuple(labels.items()), value) for labels, value in values))


def histogram(labels: Mapping[str, str], bounds: Sequence[float], counts: Sequence[int], total: float) -> list[Sample]:
    """The samples of one histogram: `bounds` ascending, `counts` one for each bound and one for what lies above."""
    found, seen = [], 0
    for bound, count in zip((*map(number, bounds), "+Inf"), counts, strict=True):
        seen += count
        found.append(Sample((*labels.items(), ("le", bound)), seen, "_bucket"))
    plain = tuple(labels.items())
    return [*found, Sample(plain, total, "_sum"), Sample(plain, seen, "_count")]


def render(families: Iterable[Family]) -> bytes:
    """The page that a scrape reads; families without samples are left out."""
    lines = []
    for one in families:
        if not one.samples:
            continue
        lines.append(f"# HELP {one.name} {one.help.translate(_ESCAPED_HELP)}")
        lines.append(f"# TYPE {one.name} {one.kind}")
        for sample in one.samples:
            labels = ",".join(f'{name}="{value.translate(_ESCAPED)}"' for name, value in sample.labels)
            lines.append(f"{one.name}{sample.suffix}{'{' + labels + '}' if labels else ''} {number(sample.value)}")
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "replace")


def number(value: float) -> str:
    """A number as it is written: whole ones without a point."""
    return str(int(value)) if float(value).is_integer() else repr(float(value))
