"""Seals open with their key, where they belong, unchanged; key files are whole, private and told apart."""

import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ciranda.kernel import errors, sealing


@pytest.fixture
def key(tmp_path: Path) -> sealing.Key:
    return sealing.create(tmp_path / "secrets.key")


@given(value=st.binary(max_size=100), bound=st.binary(max_size=20))
def test_what_is_sealed_opens_again(value: bytes, bound: bytes) -> None:
    key = sealing.Key(bytes(32), Path("k"))
    sealed = sealing.seal(key, value, bound=bound)
    assert sealing.unseal(key, sealed, bound=bound) == value
    assert sealing.seal(key, value, bound=bound) != sealed


def test_a_seal_that_was_changed_or_moved_does_not_open(key: sealing.Key) -> None:
    sealed = sealing.seal(key, b"value", bound=b"here")
    for wrong in (sealed[:-8] + "AAAAAAA=", sealed[:14], "1:" + key.name + ":!", "2" + sealed[1:], ""):
        with pytest.raises(errors.Corrupt):
            sealing.unseal(key, wrong, bound=b"here")
    with pytest.raises(errors.Corrupt):
        sealing.unseal(key, sealed, bound=b"there")


def test_another_key_is_refused_and_names_the_file(key: sealing.Key, tmp_path: Path) -> None:
    sealed = sealing.seal(key, b"value", bound=b"")
    other = sealing.create(tmp_path / "other.key")
    with pytest.raises(
        errors.Refused, match=f"sealed with the key {key.name}, and the key file holds {other.name}"
    ) as caught:
        sealing.unseal(other, sealed, bound=b"")
    assert caught.value.where == str(tmp_path / "other.key")


def test_a_key_file_is_private_and_made_once(tmp_path: Path) -> None:
    path, made = tmp_path / "secrets.key", []
    threads = [threading.Thread(target=lambda: made.append(sealing.create(path))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(made)) == 1
    assert path.stat().st_mode & 0o777 == 0o600
    assert [found.name for found in tmp_path.iterdir()] == ["secrets.key"]
    assert repr(made[0].material) not in repr(made[0])


@pytest.mark.parametrize(
    ("content", "mode", "said"),
    [
        (None, 0o600, "is missing"), (b"", 0o600, "no key file|not a key file"), (b"ciranda.key/1 AAAA\n", 0o600, "not a key file"),
        (b"ciranda.key/1 ????\n", 0o600, "not a key file"), (b"\xff" * 60, 0o600, "not a key file"), (b"x", 0o644, "others may read"),
    ],
)  # fmt: skip
def test_a_key_file_that_cannot_be_is_refused_by_name(
    tmp_path: Path, content: bytes | None, mode: int, said: str
) -> None:
    path = tmp_path / "secrets.key"
    if content is not None:
        path.write_bytes(content)
        path.chmod(mode)
    with pytest.raises(errors.Refused, match=said) as caught:
        sealing.load(path)
    assert caught.value.where == str(path)
    assert caught.value.hint
