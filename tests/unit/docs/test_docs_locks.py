"""The locks: every package pinned with hashes, no address of any index, few packages; and how the environment is made from them."""

import hashlib
import http.server
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.docs import ROOT, script

LOCKS = ["requirements/base.txt", "requirements/dev.txt", "examples/flights/requirements.txt"]


def packages(lock: str) -> dict[str, str]:
    """Each package of a lock with its block: marker and hashes."""
    blocks = re.split(r"^(?=\S)", (ROOT / lock).read_text(), flags=re.MULTILINE)
    return {block.split("==")[0] + block.split("==")[1].split()[0]: block for block in blocks if block.strip()}


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_no_index_and_hashes_everything(lock: str) -> None:
    text = (ROOT / lock).read_text()
    assert not re.search(r"https?://|index-url|find-links", text)
    for name, block in packages(lock).items():
        assert "--hash=sha256:" in block, name


def test_the_base_installs_at_most_sixty_packages() -> None:
    assert 10 < len(packages("requirements/base.txt")) <= 60


def test_the_locks_agree_with_each_other() -> None:
    development = packages("requirements/dev.txt")
    for lock in LOCKS:
        assert packages(lock).keys() - development.keys() == set(), "make lock"


def test_setup_reads_one_package_from_the_lock() -> None:
    wanted = script("setup").locked("uv")
    assert wanted.startswith("uv==")
    assert "uvicorn" not in wanted
    assert wanted.count("--hash=") > 1


@pytest.fixture
def index(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A package index on loopback with two versions of pip."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments, directory=str(tmp_path))  # type: ignore[arg-type]

        def log_message(self, format: str, *args: object) -> None: ...

    (tmp_path / "simple" / "pip").mkdir(parents=True)
    links = []
    for version in ("9.0", "26.3"):
        name = f"pip-{version}-py3-none-any.whl"
        (tmp_path / name).write_bytes(version.encode())
        links.append(f'<a href="../../{name}#sha256={hashlib.sha256(version.encode()).hexdigest()}">{name}</a>')
    (tmp_path / "simple" / "pip" / "index.html").write_text("\n".join(links))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/simple", tmp_path
        server.shutdown()
        thread.join()


def test_pip_comes_from_the_index_that_pip_is_told_to_use(
    index: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", index[0])
    (tmp_path / "here").mkdir()
    wheel = script("setup").fetch_pip(tmp_path / "here")
    assert wheel.name == "pip-26.3-py3-none-any.whl", "the newest by number, not by text"
    assert wheel.read_bytes() == b"26.3"


def test_a_wheel_of_pip_with_another_hash_is_refused(
    index: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", index[0])
    (index[1] / "pip-26.3-py3-none-any.whl").write_bytes(b"something else")
    (tmp_path / "here").mkdir()
    with pytest.raises(OSError, match="does not have the hash"):
        script("setup").fetch_pip(tmp_path / "here")
