"""The arguments of confinement, decided without a process."""

from pathlib import Path

from ciranda.kernel import confine
from ciranda.kernel.confine import Mount


def test_confinement_can_be_turned_off_and_says_why() -> None:
    answer = confine.available({"CIRANDA_CONFINE": "off"})
    assert not answer
    assert answer.why == "CIRANDA_CONFINE=off"


def test_what_is_named_under_a_hidden_path_is_put_back_after_it() -> None:
    given = [Mount(Path("/h/store"), "readable"), Mount(Path("/h"), "hidden"), Mount(Path("/h/runs/1/out"), "writable")]
    assert confine.arguments(given) == [
        *("--tmpfs", "/h"),
        *("--ro-bind", "/h/store", "/h/store"),
        *("--bind", "/h/runs/1/out", "/h/runs/1/out"),
        *("--remount-ro", "/h"),
    ]


def test_a_hidden_path_inside_a_readable_one_stays_hidden() -> None:
    given = [Mount(Path("/tmp"), "private"), Mount(Path("/tmp/a"), "readable"), Mount(Path("/tmp/a/home"), "hidden")]
    assert "/tmp/a/home" in confine.arguments(given)
    assert confine.arguments(given)[-2:] == ["--remount-ro", "/tmp/a/home"]


def test_what_lies_under_an_emptied_folder_needs_no_hiding() -> None:
    given = [Mount(Path("/tmp"), "private"), Mount(Path("/tmp/home"), "hidden"), Mount(Path("/tmp/f"), "empty-file")]
    assert confine.arguments(given) == ["--tmpfs", "/tmp"]


def test_the_same_path_readable_and_writable_is_writable() -> None:
    assert confine.arguments([Mount(Path("/a"), "readable"), Mount(Path("/a"), "writable")]) == ["--bind", "/a", "/a"]


def test_only_credentials_that_exist_are_hidden(tmp_path: Path) -> None:
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".netrc").write_text("x")
    assert confine.credentials(tmp_path) == [tmp_path / ".netrc", tmp_path / ".ssh"]


def test_the_command_ends_with_the_program(tmp_path: Path) -> None:
    command = confine.wrap(["prog", "--x"], directory=tmp_path, die_with_parent=True, info_fd=7)
    assert command[-5:] == ["--chdir", str(tmp_path), "--", "prog", "--x"]
    assert "--die-with-parent" in command
    assert command[command.index("--info-fd") + 1] == "7"
