"""`RESULTS.md` and its pictures, from what `run.py` measured.

    python benchmarks/report.py      # reads .cache/summary.json, writes RESULTS.md and pictures/*.svg

Only what the summary has is written; a figure that was not measured in that run is not there.
"""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
PICTURES = HERE / "pictures"
NAMES = {
    "ciranda": "Ciranda",
    "doit": "doit",
    "luigi": "Luigi",
    "redun": "redun",
    "snakemake": "Snakemake",
    "dvc": "DVC",
}
NAMES |= {"evidently": "Evidently", "nannyml": "NannyML"}
NAMES |= {"nginx": "nginx", "caddy": "Caddy", "mlflow": "MLflow", "bentoml": "BentoML", "python": "python -c pass"}
BAR, GAP, LEFT, WIDTH, RIGHT = 22, 8, 170, 420, 150  # of a picture, in pixels

Figures = Mapping[str, Any]


@dataclass(frozen=True)
class Bars:
    """A picture: one bar for each name. `less` says whether a shorter bar is better."""

    name: str  # of the file
    title: str
    unit: str
    values: Mapping[str, float]
    less: bool = True


@dataclass(frozen=True)
class Section:
    """What the page says of one benchmark."""

    title: str
    lines: Sequence[str]
    bars: Sequence[Bars] = ()


def flow(found: Figures) -> Section:
    figures = found["figures"]
    first = {NAMES[name]: one["first_s"] for name, one in figures.items()}
    again = {NAMES[name]: one["nothing_s"] for name, one in figures.items()}
    times = ", ".join(f"{NAMES[name]} {least(one['ms_a_step'])}" for name, one in figures.items())
    return Section(
        f"A pipeline of {found['steps']} steps",
        [
            f"Milliseconds a step, beyond a project with one: {times}.",
            "doit and Luigi note that a step ran; the others keep what it made.",
        ],
        [
            Bars("flow-first", f"{found['steps']} steps for the first time", "s", first),
            Bars("flow-again", "the same again, when nothing has changed", "s", again),
        ],
    )


def steps(found: Figures) -> Section:
    ours = found["figures"]["ciranda"]
    peers = {name: one for name, one in found["figures"].items() if name != "ciranda"}
    lines = [
        f"1,000 steps cost {ours['wide']:g} ms each, a chain of 200 {ours['chain']:g} ms each: stored, durable and recorded.",
        f"When nothing has changed, 1,000 steps take {ours['nothing']:.0f} ms whole"
        + "".join(f", with {NAMES[name]} {one['nothing']:.0f} ms" for name, one in peers.items())
        + ".",
    ]
    return Section("What a step costs", lines)


def gateway(found: Figures) -> Section:
    figures = found["figures"]
    lines = [
        f"{method}: {found['ratios'][method]:.2f} of nginx, {found['of_caddy'][method]:.1f} times Caddy on one core."
        for method in found["ratios"]
    ]
    bars = [
        Bars(
            f"gateway-{method.lower()}",
            f"one proxy process, {method}",
            "requests/s",
            {NAMES[name]: one[method]["requests_per_s"] for name, one in figures.items()},
            less=False,
        )
        for method in found["ratios"]
    ]
    return Section("The gateway", lines, bars)


def serving(found: Figures) -> Section:
    values = {name.replace("ciranda", "Ciranda"): one["requests_per_s"] for name, one in found["figures"].items()}
    values = {NAMES.get(name, name): value for name, value in values.items()}
    times = " and ".join(f"{times:g} times {NAMES[name]}" for name, times in found["gateway_times"].items())
    bars = Bars("serving", "one scikit-learn model, one JSON row a request", "requests/s", values, less=False)
    return Section("Serving a model", [f"Through the gateway {times}."], [bars])


def startup(found: Figures) -> Section:
    times = found["ratios"]
    lines = [
        f"`ciranda --version` takes {times['version']:g} times `python -c pass`, `ciranda status` {times['status']:g}."
    ]
    return Section("Start-up", lines)


def push(found: Figures) -> Section:
    lines = [
        f"First line after {found['first_line_s']:g} s, verdict after {found['verdict_s']:g} s, in production after "
        f"{found['live_s']:g} s, of which {found['overhead_s']:g} s are neither the user's checks nor a service's start.",
        f"Control holds {found['control_mb']:g} MB after {found['pushes']:,} pushes.",
    ]
    return Section("A push of which nothing has to be made again", lines)


def plan(found: Figures) -> Section:
    lines = [
        f"`ciranda plan` of {found['assets']} assets takes {found['nothing_s']:g} s whole without change, {found['half_s']:g} s when "
        "half of them are new."
    ]
    return Section("A plan", lines)


def rollback(found: Figures) -> Section:
    lines = [
        f"From the start of the command to the first answer of the other release: median {found['median_s']:.3f} s, worst "
        f"{found['worst_s']:.3f} s; {found['failed']} of {found['requests']:,} requests failed."
    ]
    return Section("A rollback to what is warm", lines)


def swaps(found: Figures) -> Section:
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in found["kinds"].items())
    upstream = "; every other release is a Node.js server that closes idle connections" if found["node"] else ""
    lines = [
        f"{found['failed']} of {found['requests']:,} requests failed over {found['swaps']} swaps of all instances ({kinds}{upstream})."
    ]
    return Section("Swaps under load", lines)


def page(found: Figures) -> Section:
    rows = ", ".join(f"{count:,} {what}" for what, count in found["ledger"].items())
    lines = [
        f"In Chromium, with {rows} in the ledger: the slowest first paint of any page {found['slowest_paint_ms'] / 1000:.2f} s."
    ]
    return Section("The page", lines)


def writers(found: Figures) -> Section:
    lines = [
        f"{found['processes']} processes for {found['seconds']:g} s: {found['transactions']:,} transactions, {len(found['errors'])} "
        f"errors, 99 % of them waited at most {found['wait_ms']['p99']:g} ms, the least-served process got "
        f"{found['least_of_mean']:g} of the mean."
    ]
    return Section("Writers of the ledger", lines)


def metrics(found: Figures) -> Section:
    lines = [
        f"The store of samples takes {found['samples_per_s']:,} a second; 30 days of 100 series are read in {found['query_ms']:g} ms.",
        f"A day of the demo's traffic is {found['day_mb']:g} MB on disk, and makes control {found['grown_mb']:g} MB larger.",
    ]
    return Section("Metrics", lines)


def judge(found: Figures) -> Section:
    def soon(name: str) -> str:
        one = found["bad"][name]
        return f"in a median of {one['median_s']:g} s (95 % within {one['p95_s']:g} s)"

    usual, few = found["good"]["base 1 %"], found["good"]["base 1 %, 5 requests/s"]
    lines = [
        f"Ten times the errors are found {soon('10x, base 1.0%')}, four times as many {soon('4x, base 1.0%')}: 200 requests/s, 10 % of "
        "them to the canary, of which 1 % fail anyway.",
        f"Of {usual['releases']:,} good releases that went the whole way {usual['failed']} were sent back, {few['failed']} of as many at "
        f"5 requests/s. One without errors is through 10 % within {found['good']['no errors']['slowest_first_step_s']:g} s.",
    ]
    return Section("The judge of a canary, simulated", lines)


def drift(found: Figures) -> Section:
    done = {NAMES.get(name, name): one["seconds"] for name, one in found["both"].items() if one["done"]}
    stopped = [NAMES.get(name, name) for name, one in found["both"].items() if not one["done"]]
    memory = ", ".join(f"{NAMES.get(name, name)} {one['mb']:,} MB" for name, one in found["both"].items())
    lines = [
        f"{found['rows']:,} rows of 20 columns against a kept profile of {found['profile_kb']:g} kB: {found['kept_s']:g} s and "
        f"{found['kept_mb']:,} MB. Both sides from Parquet take at most {memory}.",
        f"{found['alarms']} alarms in {found['windows']} windows without drift; of {len(found['planted'])} kinds of planted changes "
        f"{min(found['planted'].values()):.0%} or more of each were found.",
        *(f"{name} was stopped after {found['longest_s']:g} s." for name in stopped),
    ]
    return Section("Drift", lines, [Bars("drift", "both sides from Parquet, whole process", "s", done)])


# In the order of the page.
SECTIONS: Mapping[str, Callable[[Figures], Section]] = {
    "push": push,
    "plan": plan,
    "rollback": rollback,
    "swaps": swaps,
    "flow": flow,
    "steps": steps,
    "serving": serving,
    "gateway": gateway,
    "startup": startup,
    "page": page,
    "writers": writers,
    "metrics": metrics,
    "judge": judge,
    "drift": drift,
}


def main() -> int:
    summary = json.loads((HERE / ".cache" / "summary.json").read_text())
    PICTURES.mkdir(exist_ok=True)
    sections = [made for name, make in SECTIONS.items() if (made := section(summary, name, make)) is not None]
    for bars in (bars for one in sections for bars in one.bars):
        (PICTURES / f"{bars.name}.svg").write_text(drawn(bars))
    (HERE / "RESULTS.md").write_text(page(summary["machine"], sections))
    print(HERE / "RESULTS.md")
    return 0


def section(summary: Figures, name: str, make: Callable[[Figures], Section]) -> Section | None:
    """What is said of one benchmark; None where it was not measured."""
    found = summary["benchmarks"].get(name)
    return None if found is None or not found["figures"] else make(found["figures"])


def page(machine: Figures, sections: Sequence[Section]) -> str:
    """`RESULTS.md`."""
    lines = [
        "# Results",
        "",
        f"Measured by `make bench` on {machine['cores']} cores, Python {machine['python']}. Programs that are compared took turns in one",
        "run, each in an environment of its own; absolute figures move from machine to machine, ratios much less. How each figure is",
        "made: the first lines of the file of its name in this folder.",
    ]
    for one in sections:
        lines += ["", f"## {one.title}", "", *one.lines]
        lines += ["", *(f"![{bars.title}](pictures/{bars.name}.svg)" for bars in one.bars)] if one.bars else []
    return "\n".join(lines) + "\n"


def drawn(bars: Bars) -> str:
    """The picture as SVG, readable on a light and on a dark page."""
    ordered = sorted(bars.values.items(), key=lambda item: item[1], reverse=not bars.less)
    most = max(bars.values.values())
    height = 46 + len(ordered) * (BAR + GAP)
    better = "less is better" if bars.less else "more is better"
    told = "; ".join(f"{name} {number(value)} {bars.unit}" for name, value in ordered)
    rows = []
    for place, (name, value) in enumerate(ordered):
        top = 40 + place * (BAR + GAP)
        wide = max(1.0, WIDTH * value / most)
        own = ' class="own"' if name.startswith("Ciranda") else ""
        rows += [
            f'<text x="{LEFT - 8}" y="{top + 16}" text-anchor="end">{escape(name)}</text>',
            f'<rect{own} x="{LEFT}" y="{top}" width="{wide:.1f}" height="{BAR}" rx="3"/>',
            f'<text x="{LEFT + wide + 8:.1f}" y="{top + 16}">{number(value)} {escape(bars.unit)}</text>',
        ]
    style = (
        "text{font:13px system-ui,sans-serif;fill:#1f2328}.title{font-weight:600}rect{fill:#9aa4b2}.own{fill:#0b7a75}"
        "@media(prefers-color-scheme:dark){text{fill:#e6edf3}rect{fill:#6e7681}.own{fill:#2fb5ae}}"
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {LEFT + WIDTH + RIGHT} {height}" role="img">'
        f"<title>{escape(bars.title)}</title><desc>{escape(told)}</desc><style>{style}</style>"
        f'<text class="title" x="8" y="20">{escape(bars.title)} ({better})</text>{"".join(rows)}</svg>\n'
    )


def least(milliseconds: float) -> str:
    """A difference of two whole runs; below a tenth it is lost in them."""
    return f"{milliseconds:g}" if milliseconds >= 0.1 else "under 0.1"


def number(value: float) -> str:
    """`27,480`, `0.083`, `8.4`."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


if __name__ == "__main__":
    sys.exit(main())
