"""What `[sources]` may say: files of the tree, a path outside of it, an address, and when it is looked at."""

import pytest

from ciranda.kernel import errors
from ciranda.project import read
from ciranda.project.declaration import Source

HEAD = '[project]\nname = "toy"\n[sources.raw]\n'


def source(text: str) -> Source:
    return read.read_text(HEAD + text, "ciranda.toml").sources[0]


def test_what_lies_outside_is_a_reference() -> None:
    assert not source('files = "data/*.csv"').reference
    assert source('files = "/data/*.csv"').reference
    assert source('files = "~/data"').reference
    kept = source('url = "https://data.example.org/a.csv"\nkeep = true\nschedule = "0 5 * * *"')
    assert (kept.reference, kept.keep, kept.schedule) == (True, True, "0 5 * * *")


def test_another_place_is_another_source() -> None:
    assert source('files = "/a"').place != source('files = "/b"').place
    assert source('files = "/a"').place != source('files = "/a"\nkeep = true').place
    assert source('files = "/a/"').place == source('files = "/a"\nschedule = "0 5 * * *"').place


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "says neither files nor url"),
        ('files = "a"\nurl = "https://x.org/a"', "says both"),
        ('files = "s3://bucket/x"', "is an address"),
        ('files = "../x"', "not a path inside the project"),
        ('files = "/data/../x"', "not a path inside the project"),
        ('files = "~ana/x"', "home of another user"),
        ('files = "/"', "everything"),
        ('files = "~/"', "everything"),
        ('files = "a"\nkeep = true', "is kept with each version anyway"),
        ('files = "a"\nschedule = "0 5 * * *"', "changes with a commit alone"),
        ('files = "/a"\nkeep = "yes"', "not true or false"),
        ('files = "/a"\nschedule = "at dawn"', 'is "at dawn"'),
        ('url = "ftp://x.org/a"', "no address"),
        ('url = "https:///a"', "no address"),
        ('url = "https://x.org:x/a"', "no address"),
        ('url = "https://ana:secret@x.org/a"', "user name or a password"),
    ],
)
def test_mistakes_are_told(text: str, what: str) -> None:
    with pytest.raises(errors.Invalid) as caught:
        source(text)
    told = getattr(caught.value, "problems", None) or [caught.value]
    assert any(what in str(getattr(each, "what", each)) for each in told), told
