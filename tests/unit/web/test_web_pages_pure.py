"""What the pages compute: marks, numbers, charts and graphs."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ciranda.access.roles import User
from ciranda.app.views.pages import graph, traffic
from ciranda.project import names
from ciranda.service import counters
from ciranda.web.pages import charts, rendering, site, words


@st.composite
def pipelines(draw: st.DrawFn) -> tuple[list[str], dict[str, list[str]]]:
    """Steps in an order in which each comes after what it takes."""
    steps = [f"step_{at}" for at in range(draw(st.integers(1, 12)))]
    takes = {
        name: draw(st.lists(st.sampled_from(steps[:at]), unique=True, max_size=4)) if at else []
        for at, name in enumerate(steps)
    }
    return steps, takes


@given(pipelines(), st.booleans())
def test_a_graph_has_every_step_once_apart_and_inside(
    pipeline: tuple[list[str], dict[str, list[str]]], down: bool
) -> None:
    steps, takes = pipeline
    drawn = graph.draw(steps, takes, down=down)
    assert [box.name for box in drawn.boxes] == steps
    for one, other in itertools.combinations(drawn.boxes, 2):
        assert abs(one.x - other.x) >= graph.BOX[0] or abs(one.y - other.y) >= graph.BOX[1]
    for box in drawn.boxes:
        assert 0 <= box.x <= drawn.width - graph.BOX[0]
        assert 0 <= box.y <= drawn.height - graph.BOX[1]
    assert {(line.source, line.target) for line in drawn.lines} == {
        (a, b) for b, given_ in takes.items() for a in given_
    }
    at = {box.name: box.y if down else box.x for box in drawn.boxes}
    assert all(at[source] < at[target] for target, sources in takes.items() for source in sources)


def test_a_graph_untangles_what_crosses() -> None:
    takes = {"c": ["b"], "d": ["a"]}
    first, second = graph.layers(["a", "b", "c", "d"], takes)
    assert [takes[name][0] for name in second] == first


def test_a_graph_of_nothing_and_of_names_that_are_not_there() -> None:
    assert graph.draw([], {}).boxes == ()
    assert graph.draw(["a"], {"a": ["gone", "a"], "b": ["a"]}).lines == ()


def counted(requests: int, failed: int = 0, bucket: int = 10) -> counters.Counted:
    histogram = tuple(requests if at == bucket else 0 for at in range(counters.BUCKETS))
    return counters.Counted(requests, (0, requests - failed, 0, 0, failed), 0, 0.0, histogram)


def test_a_rate_is_of_the_last_minute_and_latencies_of_the_last_five() -> None:
    series: dict[traffic.Name, traffic.Looks] = {}
    for at in range(0, 601, 2):
        series = traffic.kept(series, {("/a/b/c", "r1"): counted(at * 10, at // 100)}, float(at))
    looks = series["/a/b/c", "r1"]
    found = traffic.rate(looks, 600.0)
    assert found is not None
    assert found.per_second == pytest.approx(10)
    assert (found.requests, found.failed) == (3000, 3)
    assert found.p50 == found.p99 == counters.BOUNDS_US[10] / 1e6
    assert len(looks) == traffic.KEPT


def test_a_slot_that_was_begun_anew_has_no_rate_below_zero() -> None:
    series = traffic.kept({}, {("/a/b/c", "r1"): counted(100)}, 0.0)
    series = traffic.kept(series, {("/a/b/c", "r1"): counted(3)}, 2.0)
    assert traffic.rate(series["/a/b/c", "r1"], 2.0) is None
    assert traffic.points(series["/a/b/c", "r1"], 2.0) == ()


def test_only_the_busiest_are_kept_and_one_that_wakes_up_is_seen() -> None:
    names_of = [("/a/b/c", f"r{at}") for at in range(traffic.SERIES * 3)]
    series: dict[traffic.Name, traffic.Looks] = {}
    for at in range(4):
        series = traffic.kept(series, {name: counted(number) for number, name in enumerate(names_of)}, float(at))
    long = [name for name in names_of if len(series[name]) > 1]
    assert len(long) == traffic.SERIES
    quiet = next(name for name in reversed(names_of) if name not in long)
    for at in range(4, 7):
        now = {name: counted(number) for number, name in enumerate(names_of)} | {quiet: counted(1000 + at)}
        series = traffic.kept(series, now, float(at))
    found = traffic.rate(series[quiet], 6.0)
    assert found is not None
    assert found.requests > 900


def test_a_chart_has_the_rate_at_its_right_edge_and_a_round_top() -> None:
    course = [traffic.Point(600.0 - at, 30.0 + at % 7, 1.0 if at == 500 else 0.0) for at in range(0, 601, 2)]
    drawn = charts.draw(course)
    assert drawn is not None
    assert (drawn.top, drawn.failures) == (50.0, True)
    points = [tuple(map(float, point.split(","))) for point in drawn.requests.split()]
    assert len(points) <= charts.MOST
    assert points[-1][0] == charts.WIDTH
    assert all(0 <= x <= charts.WIDTH and 0 <= y <= charts.HEIGHT for x, y in points)
    assert charts.draw([]) is None


@pytest.mark.parametrize(
    ("rate", "said"), [(0.0, "0/s"), (0.01, "< 0.1/s"), (0.44, "0.4/s"), (212.4, "212/s"), (12345.0, "12,345/s")]
)
def test_rates_in_words(rate: float, said: str) -> None:
    assert words.rate(rate) == said


@pytest.mark.parametrize(("seconds", "said"), [(0.0, "–"), (0.0004, "0.40 ms"), (0.008, "8 ms"), (1.25, "1.2 s")])
def test_latencies_in_words(seconds: float, said: str) -> None:
    assert words.latency(seconds) == said


def test_a_state_that_nobody_knows_is_shown_as_it_is() -> None:
    assert words.mark("surprising", "change").word == "surprising"
    assert words.sign("surprising").word == "surprising"


def test_values_and_facts_in_words() -> None:
    assert words.value(None) == "null"
    assert words.value({"depth": 6, "fast": True}) == "depth 6, fast true"
    assert words.facts({"tests": 5, "revision": "x", "tail": ["y"], "by": "a\x1bna"}) == "tests 5, by ana"
    assert words.clean_lines("a\x00\nb") == "a\nb"


def test_no_project_can_have_a_name_that_the_server_answers_itself() -> None:
    first = {path.split("/")[1] for path in ("/static/x", "/login", "/-/events", "/api/v1", "/git/x.git", "/metrics")}
    assert first <= names.RESERVED
    assert all(path == "/" or path.startswith(("/{project:str}", "/-/")) for path in site.ROUTES)


def test_files_carry_their_digest_and_templates_load() -> None:
    files = rendering.files()
    assert {"page.css", "page.js", "icon.svg"} <= files.keys()
    assert all(len(file.name.partition("-")[2].partition(".")[0]) == 16 for file in files.values())
    made = rendering.Renderer(files)
    for name in made.templates.list_templates():
        made.templates.get_template(name)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("7", 7),
        ("", site.NEWEST),
        ("-1", site.NEWEST),
        ("²", site.NEWEST),
        ("9" * 40, site.NEWEST),
    ],
)
def test_where_a_list_begins(text: str, number: int) -> None:
    assert site.Asked({}, {"before": text}, User("ana")).before == number
