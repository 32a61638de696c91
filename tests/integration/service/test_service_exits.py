"""An instance that ends is told of at once."""

import os
import signal
import threading
from pathlib import Path

import pytest

from ciranda.service import exits, health, supervisor
from support import service


def test_who_listens_hears_and_closes_and_nobody_need_listen(tmp_path: Path) -> None:
    exits.tell(tmp_path)
    heard = threading.Semaphore(0)
    first = exits.Listener(tmp_path, heard.release)
    exits.tell(tmp_path)
    assert heard.acquire(timeout=10)
    second = exits.Listener(tmp_path, heard.release)  # as a control that starts while another ends
    exits.tell(tmp_path)
    assert heard.acquire(timeout=10)
    for one in (first, second):
        one.close()
    exits.tell(tmp_path)
    assert not heard.acquire(blocking=False)


def test_an_exit_is_heard_of_when_the_keeper_has_recorded_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_CALM", 60.0)  # nobody finds it by asking
    with service.stage(tmp_path) as made:
        news = threading.Semaphore(0)
        watcher = supervisor.Supervisor(made.home, news.release)
        try:
            name = watcher.start(made.spec())
            service.healthy(watcher, name)
            while news.acquire(timeout=0.2):  # it became healthy
                pass
            child = made.children()[name]
            os.kill((child["inner"] or child["identity"])["pid"], signal.SIGKILL)
            assert news.acquire(timeout=10)
            assert watcher.observe()[0].state == "exited"
        finally:
            watcher.close()
