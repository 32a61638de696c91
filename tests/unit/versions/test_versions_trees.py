"""What a tree may hold, and which paths a pattern leaves out: decided without Git."""

import os.path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ciranda.kernel import errors
from ciranda.versions import trees
from ciranda.versions.trees import Entry

FILE = Entry("100644", "0" * 40, 1)


@pytest.mark.parametrize(
    "path", ["a", "a/b c/d", ".gitignore", ".github/x", "git/x", "..a/b", "a\nb", "a\\b", "*", "-rf", "gitmodules"]
)
def test_odd_names_are_fine(path: str) -> None:
    trees.check_paths({path: FILE}, "c")


@pytest.mark.parametrize(
    "path",
    [
        ".git",
        ".GIT/config",
        "a/.Git",
        "git~1",
        "GIT~1/x",
        ".git./x",
        ".git /x",
        ".g\u200cit/x",
        ".git::$INDEX_ALLOCATION/x",
        "../x",
        "a/../x",
        "a//b",
        "/a",
        "./a",
        "",
    ],
)
def test_names_that_leave_the_tree_or_pass_for_gits(path: str) -> None:
    with pytest.raises(errors.Invalid):
        trees.check_paths({path: FILE}, "c")


def test_a_submodule_is_refused_by_name() -> None:
    with pytest.raises(errors.Invalid, match="vendor/lib is a submodule"):
        trees.check_paths({"vendor/lib": Entry("160000", "0" * 40, 0)}, "c")


def test_a_mode_that_no_file_has() -> None:
    with pytest.raises(errors.Invalid, match="104755"):
        trees.check_paths({"a": Entry("104755", "0" * 40, 0)}, "c")


@pytest.mark.parametrize("above", [FILE, Entry("120000", "0" * 40, 4)])
def test_nothing_lies_below_a_file_or_a_link(above: Entry) -> None:
    with pytest.raises(errors.Invalid, match="a file and a folder at once"):
        trees.check_paths({"a": above, "a/b": FILE}, "c")


@pytest.mark.parametrize(
    ("path", "target"),
    [("a", b"b"), ("a/b", b"../c"), ("a/b/c", b"../../d/e"), ("a", b"./b"), ("a/b", b".."), ("x", b"d/e/f")],
)
def test_links_inside_the_tree(path: str, target: bytes) -> None:
    trees.check_link(path, target, "c")


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("a", b".."),
        ("a", b"../x"),
        ("a", b"/etc/passwd"),
        ("a/b", b"../../x"),
        ("a/b", b"c/../../../x"),
        ("a", b"b/.."),
        ("a", b""),
        ("a", b"b\0c"),
        ("a", b"x" * 5000),
        ("a", b"./../x"),
    ],
)
def test_links_out_of_the_tree(path: str, target: bytes) -> None:
    with pytest.raises(errors.Invalid, match="leaves the tree"):
        trees.check_link(path, target, "c")


parts = st.sampled_from([b"..", b".", b"a", b"b"])


@given(st.lists(st.sampled_from(["a", "b"]), min_size=1, max_size=4), st.lists(parts, min_size=1, max_size=6))
def test_a_link_that_passes_stays_inside(path: list[str], target: list[bytes]) -> None:
    try:
        trees.check_link("/".join(path), b"/".join(target), "c")
    except errors.Invalid:
        return
    where = os.path.normpath(os.path.join("/".join(path[:-1]), b"/".join(target).decode()))
    assert not where.startswith("..")


@pytest.mark.parametrize(
    ("pattern", "path", "out"),
    [
        ("data/flights/*.csv", "data/flights/01.csv", True),
        ("data/flights/*.csv", "data/flights/old/01.csv", False),
        ("data/flights/*.csv", "xdata/flights/01.csv", False),
        ("data/**/*.csv", "data/01.csv", True),
        ("data/**/*.csv", "data/a/b/01.csv", True),
        ("data", "data/a/b", True),
        ("data/", "data/a", True),
        ("./data", "data/a", True),
        ("data", "database", False),
        ("data/0[1-3].csv", "data/02.csv", True),
        ("data/0[!1-3].csv", "data/02.csv", False),
        ("a?c", "abc", True),
        ("a?c", "a/c", False),
        ("**", "x/y", True),
        ("", "x", False),
        ("a.csv", "aXcsv", False),
    ],
)
def test_patterns(pattern: str, path: str, out: bool) -> None:
    assert trees.matcher([pattern])(path) is out


def test_no_pattern_leaves_nothing_out() -> None:
    assert not trees.matcher([])("a")
