"""What the doctor makes of what it sees: judgements over observed facts, nothing is looked at."""

from collections.abc import Iterable
from dataclasses import replace

import pytest

from ciranda.app.doctor import delivery, findings, house, keeping, ledger, machine, project, running, telling
from ciranda.app.doctor.examination import Examination, Part
from ciranda.app.doctor.findings import Finding
from ciranda.app.views import feedback, status
from ciranda.cli import doctor
from ciranda.kernel import confine, events, tasks
from ciranda.loop import changes
from ciranda.pipeline.locks import Lock
from ciranda.project import declaration

NOW = 1_763_899_200_000_000  # µs UTC
GOOD = machine.Machine(
    system="Linux", python="3.11.7", git="2.39.5", git_wrong=("", ""), uv="/bin/uv", confined=confine.Availability(True),
    namespaces="", disks=(machine.Disk("the home", "/h", "ext4", 10**12, 10**11, 1000, 900),), secrets="/dev/shm/x",
    secrets_in_memory=True, files=(1024, 65536), memory="MemTotal: 1000000 kB\nMemAvailable: 900000 kB\n", sockets="/run/x",
    sockets_wrong=("", ""),
)  # fmt: skip


def unwell(found: Iterable[Finding]) -> list[Finding]:
    return [one for one in found if one.level != "ok"]


def judged(**changed: object) -> list[Finding]:
    return unwell(machine.judge(replace(GOOD, **changed), collect="ciranda gc"))  # type: ignore[arg-type]


def disk(**changed: object) -> list[Finding]:
    return judged(disks=(replace(GOOD.disks[0], **changed),))  # type: ignore[arg-type]


def test_a_good_machine() -> None:
    assert judged() == []


@pytest.mark.parametrize(
    ("found", "level", "said", "mend"),
    [
        (judged(git_wrong=("git version 2.20 is too old", "install Git 2.30")), "wrong", "too old", "2.30"),
        (judged(uv=""), "wrong", "no interpreter can be built", "pip install"),
        (
            judged(confined=confine.Availability(False, "bubblewrap (bwrap) is not installed")), "warn", "not installed",
            "apt install bubblewrap",
        ),
        (
            judged(confined=confine.Availability(False, "bubblewrap does not work here: x"), namespaces="kernel.y=0"),
            "warn", "does not work", "sysctl -w kernel.y=0",
        ),
        (judged(confined=confine.Availability(False, "CIRANDA_CONFINE=off")), "warn", "CIRANDA_CONFINE", "unset"),
        (judged(secrets_in_memory=False), "warn", "written to the disk", "tmpfs"),
        (judged(files=(256, 512)), "warn", "may open 512 files", "ulimit"),
        (judged(memory="MemTotal: 1000 kB\nMemAvailable: 10 kB\n"), "warn", "memory is short", "scale"),
        (judged(sockets_wrong=("others can reach it", "chmod 700 x")), "wrong", "others", "chmod"),
        (disk(free=10), "wrong", "the disk is full: 10 bytes of 1.0 TB free", "ciranda gc"),
        (disk(free=10**9), "warn", "nearly full", "ciranda gc"), (disk(names_free=30), "warn", "30 more files", "ciranda gc"),
        (disk(names_free=0), "wrong", "0 more files", "ciranda gc"), (disk(kind="nfs4"), "wrong", "network file system", "backup"),
        (disk(kind="fuse.sshfs"), "wrong", "network file system", "backup"),
        (disk(kind="9p"), "warn", "of another machine (9p)", "backup"),
    ],
)  # fmt: skip
def test_what_a_machine_lacks(found: list[Finding], level: str, said: str, mend: str) -> None:
    (one,) = found
    assert (one.level, said in one.what, mend in one.mend) == (level, True, True), one


def test_a_disk_that_counts_no_names_is_not_out_of_them() -> None:
    assert disk(names=0, names_free=0) == []


def test_files_of_a_home() -> None:
    mine = house.File("/h/token", 0o600, True, True)
    good = house.House("/h", True, "ciranda.home/3\n", (house.File("/h", 0o700, True, True), mine), ())
    assert unwell(house.judge(good)) == []
    stolen = replace(good, files=(replace(mine, ours=False), replace(mine, writable=False)))
    assert [one.mend.partition(" /")[0] for one in unwell(house.judge(stolen))] == [
        "sudo chown -R $(id -u)", "chmod u+rwX",
    ]  # fmt: skip
    (usual, loud) = house.judge_usage(
        {"store": 5_000_000, "logs": 10, "runs": 3_000_000_000}, [("/h/logs/x.log", 2 * 10**9)]
    )
    assert usual.what == "3.0 GB on the disk: runs 3.0 GB, store 5.0 MB"
    assert loud.mend == "truncate -s 0 /h/logs/x.log"


UP = running.Server(
    pid=7, url="http://x", gateway="http://y", known=True, folder="/run/a/b", looked="/run/a/b", reached=True, silent={},
    roles=frozenset(running.ROLES), living=(), vanished=(), instances=frozenset(), logs="/h/logs", record="",
)  # fmt: skip


def test_servers() -> None:
    assert unwell(running.judge(UP)) == []
    assert UP.up
    assert UP.serves
    silent = replace(UP, silent={"control": "it hangs"}, roles=frozenset({"control", "gateway"}), vanished=("i1",))
    assert [one.what for one in unwell(running.judge(silent))] == [
        "control does not answer: it hangs",
        "runner does not run: the keeper starts it again and again",
        "1 process of the record is gone, and nobody has noticed yet",
    ]
    down = replace(UP, pid=None, reached=False, roles=frozenset())
    assert unwell(running.judge(down)) == []
    assert not down.serves


def test_tasks() -> None:
    held = tasks.Taken("t1", "judge", "c1", 1, "9:1:x", 100_000_000)

    def said(*, runner: bool = True, dead: frozenset[str] = frozenset(), now_us: int = 90_000_000) -> list[str]:
        return [one.what for one in ledger.judge_tasks([held], [], now_us, runner=runner, dead=dead)]

    assert said() == []
    assert said(runner=False) == ["the task judge c1 waits for a runner"]
    assert said(dead=frozenset({"9:1:x"})) == said(now_us=200_000_000)
    assert "nobody takes it up" in said(now_us=200_000_000)[0]
    assert ledger.not_living(["4194304:1:x", "nonsense"]) == {"4194304:1:x", "nonsense"}


def test_clocks() -> None:
    chains = [events.Chain("a", 3, 5_000_000), events.Chain("b", 1, 90_000_000)]
    assert list(ledger.judge_clock(chains, 89_000_000)) == []
    assert "50 s behind the last event of b" in next(iter(ledger.judge_clock(chains, 40_000_000))).what
    assert list(ledger.judge_clock([], 0)) == []


LIVE = status.Step(17, "r42", 0)
PLACE = status.Environment("prod", LIVE, "", None, None, "", (), (status.Service("delays", 2, 2, "", None),), 0)


def delivered(place: status.Environment, *, up: bool = True, served: bool = True) -> list[Finding]:
    said = status.Status(1_000_000_000, up, (status.Project("flights", "", None, (place,), ()),))
    return unwell(delivery.judge(said, up=up, served=served))


def test_environments() -> None:
    assert delivered(PLACE) == []
    assert delivered(PLACE, up=False, served=False)[0].mend == "ciranda up --detach"
    assert delivered(PLACE, up=False, served=True) == []
    short = replace(PLACE, services=(status.Service("delays", 2, 1, "", None),))
    assert [(one.level, one.what) for one in delivered(short)] == [("warn", "delays has 1 of 2 instances")]
    gone = replace(PLACE, services=(status.Service("delays", 2, 0, "", None),), crashes=3)
    assert [one.level for one in delivered(gone)] == ["wrong", "wrong"]
    slow = replace(PLACE, target=status.Step(18, "r43", 1, "starting"))
    assert delivered(slow)[0].what == "prod#18 (r43) is starting since 16 min"


def test_branches() -> None:
    mine = changes.Project("flights", "flights", "refs/heads/main")
    assert list(keeping.judge_ref(mine, "/r", "a", "a")) == []
    assert list(keeping.judge_ref(mine, "/r", "a", None)) == [], "nothing landed yet"
    (elsewhere,) = keeping.judge_ref(mine, "/r", "b" * 40, "a" * 40)
    assert elsewhere.mend == f"git --git-dir=/r update-ref refs/heads/main {'a' * 40}"


def test_projects() -> None:
    lock = Lock(None, "uv.lock", "b3:0", "")  # type: ignore[arg-type]
    assert project.judge_lock(lock).level == "ok"
    assert project.judge_lock(replace(lock, name="pyproject.toml")).mend == "uv lock"
    declared = declaration.Project("x", None, sources=(declaration.Source("raw", "data/*.csv"),))
    some = project.Files(("data/a.csv", "tests/test_a.py"), ("data/b.csv",), (), {}, True, "c", {})
    said = unwell(project.judge(declared, some))
    assert [(one.level, one.what) for one in said] == [
        ("warn", "the source raw names 1 file that Git ignores: no push has them"),
        ("warn", "there are tests, and no push runs them"),
    ]
    bare = replace(some, paths=(), ignored=(), repository=False, commit=None)
    assert [one.level for one in unwell(project.judge(declared, bare))] == ["wrong", "wrong", "warn"]


def test_what_is_printed() -> None:
    part = Part(
        "machine",
        "",
        (findings.ok("good", "/there"), findings.warn("so so", "/x", "do"), findings.wrong("bad " * 40, "", "mend")),
    )
    lines = doctor.lines(Examination((part,)))
    assert lines[:4] == ["machine", "  ✓ good", "  ! so so", "        /x"]
    assert lines[-1] == "1 thing is wrong, 1 warning"
    assert max(map(len, lines)) <= 110
    assert doctor.lines(Examination(()))[-1] == "nothing is wrong"


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0 bytes"), (999, "999 bytes"), (1000, "1.0 kB"), (31_400_000, "31 MB"), (999_600_000, "1.0 GB"), (5 * 10**16, "50000 TB")],
)  # fmt: skip
def test_sizes(number: int, text: str) -> None:
    assert findings.size(number) == text


def test_a_channel_that_reaches_nobody_for_long_is_told_and_one_whose_secret_is_not_set_at_once() -> None:
    works = feedback.Channel("a", "slack", "secret:U", "info", (), (), "en", "works", "", 3, 0, 1, None, None, ())
    begun = replace(works, state="fails", failing_us=NOW - 60_000_000, problem="away")
    dead = replace(begun, name="b", failing_us=NOW - feedback.DEAD)
    unset = replace(works, name="c", state="unset", missing=("U",))
    found = list(telling.judge("flights", [works, begun, dead, unset], NOW))
    assert [(one.what, one.mend) for one in found] == [
        ("nobody was reached on b for 10 min: away", "ciranda notify test b --project flights"),
        ("the channel c tells nobody: its secret U is not set", "ciranda secret set U --notify --project flights"),
    ]  # fmt: skip
