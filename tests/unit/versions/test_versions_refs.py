"""Names of refs and repositories: what may be written, and what is refused before Git sees it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ciranda.kernel import errors
from ciranda.versions import refs


@pytest.mark.parametrize(
    "ref",
    [
        "refs/heads/main",
        "refs/heads/feature/x_1.2",
        "refs/tags/v1.0",
        "refs/heads/ação",
        "refs/heads/a-b",
        "refs/heads/飛行機",
    ],
)
def test_ordinary_names_pass(ref: str) -> None:
    assert refs.refusal(ref) is None


@pytest.mark.parametrize(
    "name",
    [
        "", "-x", "a/-x", ".x", "a/.x", "x.", "x.lock", "a.LOCK/b", "a..b", "a//b", "/a", "a/",
        "a b", "a~1", "a^", "a:b", "a?", "a*", "a[b", "a\\b",
        "@", "a@{1}", "a\nb", "a\x1b[31m", "a\x7f", "a\x00", "a\u202eb", "a\u200bb", "a\u00a0b", "a\ue000",
        "HEAD", "head", "refs/heads/x", ".git", "a/.GIT",
        "x" * 201, "\udcff",
    ],
)  # fmt: skip
def test_hostile_names_are_refused(name: str) -> None:
    assert refs.refusal(f"refs/heads/{name}")
    assert refs.refusal(f"refs/tags/{name}")


@pytest.mark.parametrize(
    "ref",
    [
        "HEAD",
        "main",
        "refs/changes/1",
        "refs/notes/x",
        "refs/heads",
        "refs/replace/x",
        "../config",
        "heads/main",
        "refs//heads/x",
        "",
    ],
)
def test_only_branches_and_tags(ref: str) -> None:
    assert refs.refusal(ref) == "only branches (refs/heads/…) and tags (refs/tags/…) can be pushed"


@given(st.text(max_size=300))
def test_what_passes_is_one_line_without_a_way_out(name: str) -> None:
    ref = f"refs/heads/{name}"
    if refs.refusal(ref) is None:
        assert ref.isprintable()
        assert len(ref.encode()) <= refs.LONGEST
        assert not any(part in ("", ".", "..") or part.startswith("-") for part in ref.split("/"))


@pytest.mark.parametrize("name", ["flights", "a", "a-1", "x" * 40])
def test_names_of_repositories(name: str) -> None:
    assert refs.check_name(name) == name


@pytest.mark.parametrize(
    "name", ["", "A", "1a", "-a", "a_b", "a/b", "..", "a.git", "x" * 41, "api", "git", "metrics", "a\n", "é"]
)
def test_names_that_cannot_be_repositories(name: str) -> None:
    with pytest.raises(errors.Invalid):
        refs.check_name(name)


@pytest.mark.parametrize("commit", ["", "HEAD", "--all", "a" * 39, "a" * 41, "A" * 40, "g" * 40, "a" * 40 + "\n"])
def test_what_is_no_commit_never_reaches_git(commit: str) -> None:
    with pytest.raises(errors.Invalid):
        refs.check_commit(commit)
