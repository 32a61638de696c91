"""First paint of the pages in a real Chromium, with 10,000 runs, 1,000 changes and 200 releases in the ledger.

    python benchmarks/page.py [--runs N] [--changes N] [--releases N] [--times N] [--json]

Each page is loaded so many times in a browser whose cache is empty; the paint is what the browser itself measured (Paint
Timing, W3C: from the beginning of the navigation), the answer what the server took to its first byte. Bound: no first paint takes
longer than a second. Exits 1 if missed.
"""

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from support import pages
from support.browser import FLAGS, program

BOUND = 1000  # milliseconds to the first paint
# The policy of the pages forbids to evaluate text, so that the browser is asked by a function that waits.
TIMES = """() => new Promise((told) => {
    const [way] = performance.getEntriesByType("navigation");
    new PerformanceObserver((list) => {
        const painted = list.getEntriesByName("first-contentful-paint")[0];
        if (painted) told([painted.startTime, way.responseStart - way.requestStart, way.decodedBodySize]);
    }).observe({ type: "paint", buffered: true });
})"""


def main() -> int:
    """Print medians and the slowest, in milliseconds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--changes", type=int, default=1_000)
    parser.add_argument("--releases", type=int, default=200)
    parser.add_argument("--times", type=int, default=5)
    given = parser.parse_args()
    newest, deep = given.runs, given.runs // 2
    paths = [
        "/", "/flights", "/flights/changes", f"/flights/changes/{given.changes}", "/flights/runs", f"/flights/runs?before={deep}",
        f"/flights/runs/{newest}", "/flights/releases", f"/flights/releases/r{given.releases}",
        f"/flights/diff/r1/r{given.releases}", "/flights/environments/prod", "/flights/services/delays", "/flights/jobs",
    ]  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="ciranda-page-") as folder, pages.filled(Path(folder, "home")) as filled:
        pages.many(filled, runs=given.runs, changed=given.changes, released=given.releases)
        with pages.shown(filled) as shown, sync_playwright() as player:
            browser = player.chromium.launch(executable_path=program(), args=FLAGS)
            found = {path: measure(browser, shown, path, given.times) for path in paths}
            browser.close()
    slowest = max(one["paint_ms"]["slowest"] for one in found.values())
    rows = {"runs": given.runs, "changes": given.changes, "releases": given.releases}
    if given.json:
        print(json.dumps({"ledger": rows, "slowest_paint_ms": slowest, "pages": found}))
    else:
        for path, one in found.items():
            print(
                f"{path:<32} painted after {one['paint_ms']['median']:>4} ms, at most {one['paint_ms']['slowest']:>4} ms; "
                f"answered after {one['answer_ms']:>4} ms; {one['kilobytes']:>3} kB"
            )
    return 0 if slowest <= BOUND else 1


def measure(browser: Browser, shown: pages.Shown, path: str, times: int) -> dict[str, Any]:
    """One page, loaded so many times."""
    paints, answers, size = [], [], 0
    for _ in range(times):
        context = browser.new_context(viewport={"width": 1280, "height": 800})
        page = context.new_page()
        page.goto(f"{shown.url}/login?code={shown.filled.link()}")
        page.wait_for_url(f"{shown.url}/")
        page.goto(shown.url + path)
        paint, answer, size = page.evaluate(TIMES)
        paints.append(paint)
        answers.append(answer)
        context.close()
    return {
        "paint_ms": {"median": round(statistics.median(paints)), "slowest": round(max(paints))},
        "answer_ms": round(statistics.median(answers)),
        "kilobytes": round(size / 1000),
    }


if __name__ == "__main__":
    sys.exit(main())
