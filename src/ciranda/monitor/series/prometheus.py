"""Ranges asked of a Prometheus that scrapes this home, where its settings name one.

HTTP API v1, `query_range`: https://prometheus.io/docs/prometheus/latest/querying/api/. What control's `/metrics` tells is asked
there; what it does not tell (processor, memory, jobs, models) is in our own store.
"""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

from ciranda.kernel import errors, outbound
from ciranda.monitor.series import steps
from ciranda.monitor.series.levels import SECOND
from ciranda.monitor.series.samples import LATENCY, How, Line, Reading

LARGEST = 64 << 20  # bytes of an answer
MOST = 10_000  # points of a series: Prometheus refuses more than 11,000
WINDOW = 60  # seconds over which a rate is taken at least: four scrapes
_KEPT = ("project", "environment", "service", "release")
# Our metrics by the names and labels under which `/metrics` tells them.
NAMES: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "requests": ("ciranda_requests_total", {}),
    "errors": ("ciranda_requests_total", {"code": "5xx"}),
    "instances_healthy": ("ciranda_instances", {"state": "healthy"}),
    "instances_wanted": ("ciranda_instances_wanted", {}),
}
BUCKETS = "ciranda_request_duration_seconds_bucket"
_OVER = {"mean": "avg", "sum": "sum", "min": "min", "max": "max", "last": "last"}


Ask = Callable[[str], tuple[int, bytes]]  # an address: its status and its answer


@dataclass(frozen=True, slots=True)
class Prometheus:
    """A Prometheus, and our own store for what it does not have. See samples.Reading."""

    url: str
    own: Reading
    ask: Ask

    def read(
        self, metric: str, labels: Mapping[str, str], since_us: int, until_us: int, step_us: int, how: How
    ) -> list[Line]:
        """Raises errors.Unreachable where it does not answer, errors.Refused where it does not know what is asked."""
        return self.several([metric], labels, since_us, until_us, step_us, how)[metric]

    def several(
        self, metrics: Sequence[str], labels: Mapping[str, str], since_us: int, until_us: int, step_us: int, how: How
    ) -> dict[str, list[Line]]:
        """Raises as `read` does."""
        step = max(step_us // SECOND, 1, -(-(until_us - since_us) // SECOND // MOST))
        grid = steps.grid(since_us, until_us, step * SECOND)
        found: dict[str, list[Line]] = {metric: [] for metric in metrics}
        ours = [metric for metric in metrics if not told(metric)]
        if ours:
            found |= self.own.several(ours, labels, since_us, until_us, step_us, how)
        for metric in metrics:
            if metric in NAMES:
                name, fixed = NAMES[metric]
                for labelled, points in self._range(expression(name, {**labels, **fixed}, step, how, _KEPT), grid):
                    found[metric].append(Line(labelled, points))
        bounds = [metric for metric in metrics if metric.startswith(LATENCY)]
        if bounds:
            for labelled, points in self._range(expression(BUCKETS, labels, step, how, (*_KEPT, "le")), grid):
                metric = bucket(labelled.pop("le", ""))
                if metric in found:
                    found[metric].append(Line(labelled, points))
        return found

    def metrics(self, labels: Mapping[str, str]) -> list[str]:
        """What the last fortnight had; of our own, all."""
        told = self._get("series", {"match[]": f"{BUCKETS}{selector(labels)}"})
        bounds = {bucket(one.get("le", "")) for one in told}
        return sorted({*NAMES, *(bounds - {""}), *self.own.metrics(labels)})

    def _range(self, query: str, grid: range) -> list[tuple[dict[str, str], steps.Points]]:
        """The lines of an expression. What it says at the end of a step is told at its beginning, as our own store does."""
        step = grid.step // SECOND
        if not len(grid):
            return []
        asked = {
            "query": query, "start": (grid[0] + grid.step) // SECOND, "end": (grid[-1] + grid.step) // SECOND, "step": step
        }  # fmt: skip
        found = []
        for one in self._get("query_range", asked)["result"]:
            values = {round(float(at)) * SECOND - grid.step: float(value) for at, value in one["values"]}
            points = tuple((at, value if math.isfinite(value := values.get(at, math.nan)) else None) for at in grid)
            labels = {name: value for name, value in one["metric"].items() if name != "__name__"}
            if any(value is not None for _, value in points):
                found.append((labels, points))
        return found

    def _get(self, what: str, asked: Mapping[str, object]) -> Any:
        status, body = self.ask(f"{self.url.rstrip('/')}/api/v1/{what}?{urlencode(asked)}")
        try:
            told = json.loads(body)
            if told["status"] != "success":
                raise errors.Refused(f"Prometheus refuses: {told.get('error', status)}", where=self.url)
            return told["data"]
        except (ValueError, KeyError, TypeError):
            raise errors.Unreachable(
                f"what answers is no Prometheus (status {status})",
                where=self.url,
                hint="settings.toml: [prometheus] url = …",
            ) from None


def told(metric: str) -> bool:
    """Whether `/metrics` tells of it."""
    return metric in NAMES or metric.startswith(LATENCY)


def asking(url: str, reach: outbound.Reach) -> Ask:
    """Asks through the one client. The host that the home's settings name may be asked, wherever it is."""
    allowed = outbound.Reach(reach.everywhere, (*reach.allowed, urlsplit(url).hostname or ""))

    def ask(address: str) -> tuple[int, bytes]:
        with outbound.get(address, allowed) as answer:
            body = b""
            for piece in answer.pieces:
                body += piece
                if len(body) > LARGEST:
                    raise errors.Refused(f"Prometheus answers more than {LARGEST >> 20} MB", where=url)
            return answer.status, body

    return ask


def expression(name: str, labels: Mapping[str, str], step: int, how: How, kept: Sequence[str]) -> str:
    """PromQL for a metric of ours; `step` in seconds. Pure."""
    by = ", ".join(kept)
    if how == "rate":
        return f"sum by ({by}) (rate({name}{selector(labels)}[{max(step, WINDOW)}s]))"
    if how == "sum" and name.endswith(("_total", "_bucket")):
        return f"sum by ({by}) (increase({name}{selector(labels)}[{step}s]))"
    return f"sum by ({by}) ({_OVER[how]}_over_time({name}{selector(labels)}[{step}s]))"


def selector(labels: Mapping[str, str]) -> str:
    """The labels of a series as PromQL has them."""
    return "{" + ", ".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in labels.items()) + "}"


def bucket(le: str) -> str:
    """Our name of a bucket; "" for the last one, which is all."""
    try:
        bound = float(le)
    except ValueError:
        return ""
    return f"{LATENCY}{round(bound * 1e6)}" if math.isfinite(bound) else ""
