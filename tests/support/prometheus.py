"""A real Prometheus with the configuration that the documentation shows."""

import json
import os
import re
import shutil
import socket
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from support.docs import ROOT

PAGE = ROOT / "docs" / "monitoring.md"
SCRAPED = "127.0.0.1:7700"  # as the page has it
EVERY = "scrape_interval: 15s"


@dataclass(frozen=True)
class Prometheus:
    """One that runs."""

    port: int

    def ask(self, query: str) -> list[tuple[dict[str, str], float]]:
        """An instant query: labels and value of each result. Raises where Prometheus refuses it."""
        address = f"http://127.0.0.1:{self.port}/api/v1/query?{urllib.parse.urlencode({'query': query})}"
        with urllib.request.urlopen(address, timeout=20) as answer:
            told: dict[str, Any] = json.load(answer)
        assert told["status"] == "success", told
        return [(one["metric"], float(one["value"][1])) for one in told["data"]["result"]]

    def answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/-/ready", timeout=5) as answer:
                return int(answer.status) == 200
        except OSError:
            return False


def needed(program: str) -> str:
    """The path of a program of Prometheus; without it a test fails in CI and is skipped elsewhere."""
    found = shutil.which(program)
    package = "prometheus-alertmanager" if program in ("prometheus-alertmanager", "amtool") else "prometheus"
    if found is None:
        assert os.environ.get("CI") != "true", f"{program} is missing: apt-get install {package}"
        pytest.skip(f"no {program} on this machine (Debian: apt-get install {package})")
    return found


def blocks(kind: str) -> list[str]:
    """The fenced blocks of a kind on the page."""
    return re.findall(rf"^```{kind}\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)


@contextmanager
def running(folder: Path, target: str) -> Iterator[Prometheus]:
    """A Prometheus that scrapes `target` (host:port) every half second, configured as the page says."""
    config = blocks("yaml")[0]
    assert config.count(SCRAPED) == 1
    assert config.count(EVERY) == 1
    folder.mkdir()
    (folder / "prometheus.yml").write_text(config.replace(SCRAPED, target).replace(EVERY, "scrape_interval: 500ms"))
    with configured(folder) as found:
        yield found


@contextmanager
def configured(folder: Path) -> Iterator[Prometheus]:
    """A Prometheus with the `prometheus.yml` of a folder."""
    port = free_port()
    config, data = folder / "prometheus.yml", folder / "data"
    argv = [needed("prometheus"), f"--config.file={config}", f"--storage.tsdb.path={data}"]
    with _process([*argv, f"--web.listen-address=127.0.0.1:{port}"], folder / "log"):
        yield Prometheus(port)


@contextmanager
def alertmanager(folder: Path, port: int) -> Iterator[None]:
    """An Alertmanager with the `alertmanager.yml` of a folder; it knows no other one."""
    config, data = folder / "alertmanager.yml", folder / "alertmanager"
    argv = [needed("prometheus-alertmanager"), f"--config.file={config}", f"--storage.path={data}"]
    alone = ["--cluster.listen-address=", f"--web.listen-address=127.0.0.1:{port}"]
    with _process([*argv, *alone], folder / "alertmanager.log"):
        yield


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@contextmanager
def _process(argv: list[str], log: Path) -> Iterator[None]:
    with log.open("wb") as output:
        process = subprocess.Popen(argv, stdout=output, stderr=output, stdin=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait(20)
