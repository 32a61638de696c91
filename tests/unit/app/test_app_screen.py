"""The screen of `ciranda status`: at most 80 columns, and everything that matters on it."""

from ciranda.app.views import screen
from ciranda.app.views.status import Branch, Environment, Project, Service, Status, Step, Traffic

MINUTE = 60_000_000
NOW = 1_000 * MINUTE
PROD = Environment(
    name="prod",
    live=Step(17, "r42", NOW - 2 * MINUTE),
    verified="",
    target=None,
    failed=None,
    held="",
    warm=(("r41", NOW + 7 * MINUTE),),
    services=(Service("delays", 2, 2, "", Traffic(25_440, 0, 8.2, 212.0)),),
    crashes=0,
)
TEST = Environment("test", Step(31, "r42", NOW - 3 * MINUTE), "5 smoke checks", None, None, "", (), (), 0)
MAIN = Branch("main", "3f2a1c9", "Add weather features", NOW - 4 * MINUTE)
FLIGHTS = Project("flights", "@data", MAIN, (TEST, PROD), ())


def lines(*environments: Environment, server: bool = True, waiting: tuple[str, ...] = ()) -> list[str]:
    return screen.lines(Status(NOW, server, (Project("flights", "@data", MAIN, environments, waiting),)))


def test_the_calm_screen() -> None:
    assert screen.lines(Status(NOW, True, (FLIGHTS,))) == [
        "flights                                                              owner @data",
        "  main  3f2a1c9  Add weather features                         4 min ago   ✓ gate",
        "  test  r42   #31   since 3 min   ✓ 5 smoke checks",
        "  prod  r42   #17   since 2 min   r41 warm for 7 min",
        "        delays  2 of 2 instances ✓  25,440 requests (212/s)  0 failed  p99 8 ms",
        "  now   nothing is waiting, nothing is held",
    ]


def test_what_is_under_way_held_failed_or_crashed_is_said() -> None:
    busy = Environment(
        name="prod",
        live=Step(17, "r41", NOW - 90 * MINUTE),
        verified="",
        target=Step(19, "r43", NOW - MINUTE // 10, "being verified"),
        failed=Step(18, "r42", NOW - 5 * MINUTE, "delays died 0.4 s after it was routed (exit 1)"),
        held="held by ana: the fair is on",
        warm=(),
        services=(Service("delays", 2, 1, "", None), Service("page", 1, 0, "r40", None), Service("x", 1, 0, "", None)),
        crashes=3,
    )
    assert lines(busy, waiting=("77b01aa is judging",))[2:] == [
        "  prod  r41   #17   since 1 h",
        "        ! held by ana: the fair is on   (ciranda hold prod --release)",
        "        ● r43 #19 being verified for 6 s",
        "        ✗ r42 #18 failed 5 min ago: delays died 0.4 s after it was routed (exit 1)",
        "        delays  1 of 2 instances !",
        "        page    0 of 1 instance !  r40 answers",
        "        x       0 of 1 instance ✗",
        "  now   77b01aa is judging, prod is held, 3 crashes in prod in the last 10 min",
    ]


def test_an_environment_before_its_first_release_and_a_home_without_server() -> None:
    empty = Environment("test", None, "", None, None, "", (), (), 0)
    assert "  test  nothing is live yet" in lines(empty)
    assert lines(empty, server=False)[-1] == "no server runs: ciranda up"
    assert screen.lines(Status(NOW, True, ())) == ["nothing was pushed here yet: git push ciranda main"]


def test_long_subjects_are_cut() -> None:
    long = Project("flights", "", Branch("main", "3f2a1c9", "x" * 200, NOW), (TEST,), ())
    assert max(len(line) for line in screen.lines(Status(NOW, True, (long,)))) <= 80


def test_times_have_units() -> None:
    said = [screen.lasted(seconds * 1_000_000) for seconds in (-5, 0, 89, 90, 5399, 5400, 129_599, 129_600)]
    assert said == ["0 s", "0 s", "89 s", "1 min", "89 min", "1 h", "35 h", "1 days"]
