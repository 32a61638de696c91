"""Health, logs, specifications and records of children, each by itself."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ciranda.kernel import errors, process
from ciranda.service import children, health, logs, specs
from ciranda.service.port import InstanceSpec, Mount


@pytest.mark.parametrize(
    ("state", "failures", "status", "then"),
    [
        ("starting", 0, None, ("starting", 1)),
        ("starting", 50, 503, ("starting", 51)),
        ("starting", 50, 404, ("healthy", 0)),
        ("healthy", 0, 500, ("healthy", 1)),
        ("healthy", 1, None, ("healthy", 2)),
        ("healthy", 2, None, ("unhealthy", 3)),
        ("unhealthy", 9, None, ("unhealthy", 10)),
        ("unhealthy", 9, 200, ("healthy", 0)),
    ],
)
def test_health(state: health.State, failures: int, status: int | None, then: tuple[health.State, int]) -> None:
    assert health.after(state, failures, status) == then


def test_nobody_at_an_address_is_no_answer(tmp_path: Path) -> None:
    assert health.ask(f"unix:{tmp_path / 'nobody'}", "/") is None
    assert health.ask("tcp:127.0.0.1:1", "/") is None


@given(
    st.lists(
        st.text(
            st.characters(blacklist_categories=["Cs"], blacklist_characters="\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029")
        )
    ),
    st.integers(0, 5),
)
def test_the_last_lines(tmp_path_factory: pytest.TempPathFactory, lines: list[str], count: int) -> None:
    log = tmp_path_factory.mktemp("logs") / "prod-delays-r1-x.log"
    log.write_text("".join(line + "\n" for line in lines), newline="")
    assert [line.text for line in logs.tail(log, count)] == (lines[-count:] if count else [])


def test_the_last_lines_of_a_long_log(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_text("".join(f"{number} {'x' * 1000}\n" for number in range(500)))
    assert [line.text.split()[0] for line in logs.tail(log, 100)] == [str(number) for number in range(400, 500)]
    assert logs.tail(tmp_path / "none.log", 3) == []


def test_following_sees_new_lines_and_new_logs(tmp_path: Path) -> None:
    first = logs.path(tmp_path, "flights", "prod", "delays", "one")
    second = logs.path(tmp_path, "flights", "prod", "delays", "two")
    first.parent.mkdir(parents=True)
    first.write_text("a\nb\n")
    steps = iter(
        [
            lambda: first.open("a").close(),
            lambda: _add(first, "c\nhalf"),
            lambda: _add(second, "d\n"),
            lambda: _add(first, " line\n"),
        ]
    )
    done: list[bool] = []

    def wait(_: float) -> None:
        step = next(steps, None)
        if step is None:
            done.append(True)
        else:
            step()

    def find() -> list[Path]:
        return logs.find(tmp_path, "flights", "prod", "delays")

    looked = logs.follow(find, wanted=logs.Wanted(), most=1, stop=lambda: bool(done), wait=wait)
    found = [(line.instance, line.text) for line in looked]
    assert found == [("one", "b"), ("one", "c"), ("two", "d"), ("one", "half line")]
    assert logs.find(tmp_path, "flights", "prod") == find()
    assert logs.find(tmp_path, "flights", "test") == []


def _add(log: Path, text: str) -> None:
    with log.open("a") as file:
        file.write(text)


SPEC = InstanceSpec(
    *("flights", "prod", "delays", "r1", "predict", ("python", "-c", "x"), {"A": "b"}, Path("/tree")),
    mounts=(Mount(Path("/assets")), Mount(Path("/out"), writable=True)),
)


def test_a_specification_is_kept_by_its_digest(tmp_path: Path) -> None:
    name = specs.keep(tmp_path / "specs", SPEC)
    assert name == SPEC.digest
    assert specs.load(tmp_path / "specs", name) == SPEC
    (path,) = (tmp_path / "specs").iterdir()
    assert path.stat().st_mode & 0o777 == 0o600
    path.write_text(path.read_text().replace("r1", "r2"))
    with pytest.raises(errors.Corrupt):
        specs.load(tmp_path / "specs", name)
    specs.sweep(tmp_path / "specs", {name})
    assert path.exists()
    specs.sweep(tmp_path / "specs", set())
    assert not path.exists()


def test_a_record_of_children_comes_back_and_a_torn_one_is_refused(tmp_path: Path) -> None:
    one = children.Child(
        *("x", "instance", process.Identity(1, 2, "b"), process.Identity(3, 4, "b"), "b3:", "/log", 5.0, 6),
        note={"address": "unix:/1/http"},
    )
    other = children.Child(
        "control.1", "control", process.Identity(7, 8, "b"), None, "", "/log", 1.0, 2, {}, exit="exit 1"
    )
    path = tmp_path / "children.json"
    assert children.load(path) == []
    children.save(path, [one, other])
    assert children.load(path) == [one, other]
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(errors.Corrupt):
        children.load(path)


@pytest.mark.parametrize(
    ("inner", "status", "said"),
    [
        (False, 0, "exit 0"),
        (False, -9, "signal 9"),
        (True, 137, "signal 9"),
        (True, 3, "exit 3"),
        (False, 137, "exit 137"),
    ],
)
def test_exits_in_words(inner: bool, status: int, said: str) -> None:
    identity = process.Identity(1, 2, "b")
    child = children.Child("x", "instance", identity, identity if inner else None, "", "/log", 1.0, 2, {})
    assert children.words(child, status) == said
