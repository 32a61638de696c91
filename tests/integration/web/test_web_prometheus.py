"""The whole way: a real Prometheus finds the server by its discovery, scrapes it, and fires by the rules that are exported into a real
Alertmanager, which calls Ciranda back; and once all is well again, so it says."""

import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ciranda.app import alerts, metrics
from ciranda.app import home as homes
from ciranda.app.exports import exporting
from ciranda.app.metrics import Family
from ciranda.kernel import database, events
from ciranda.kernel.store import Store
from ciranda.loop import changes
from ciranda.monitor.series import store as series
from support import prometheus
from support.git import Served, served

WHERE = {"project": "flights", "environment": "prod", "service": "delays", "release": "r42"}
PATIENCE = 90.0  # seconds for each thing to come about; it is there within a few
TOML = """
[project]
name = "flights"
[services.delays]
command = "serve"
owner = "@ops"
[environments.prod]
[alerts.errors]
when = "errors over 4 s > 5 %"
for = "1 s"
runbook = "https://runbooks.example/errors"
"""
# As exported, but for what is waited for: a test has no minutes.
QUICK = {
    "ciranda.rules.yml": {'interval: "30s"': 'interval: "500ms"'},
    "prometheus.yml": {
        'refresh_interval: "30s"': 'refresh_interval: "1s"',
        'scrape_interval: "15s"': 'scrape_interval: "500ms"',
        'evaluation_interval: "15s"': 'evaluation_interval: "500ms"',
    },
    "alertmanager.yml": {
        'group_wait: "10s"': 'group_wait: "100ms"',
        'group_interval: "1m"': 'group_interval: "1s"',
    },
}


class Traffic:
    """A service that answers a hundred requests from scrape to scrape, `wrong` of them with an error."""

    def __init__(self) -> None:
        self.wrong = 0
        self.scrapes = 0
        self._codes = {"2xx": 0, "5xx": 0}
        self._lock = threading.Lock()

    def families(self) -> list[Family]:
        with self._lock:
            self.scrapes += 1
            self._codes["2xx"] += 100 - self.wrong
            self._codes["5xx"] += self.wrong
            values = [({**WHERE, "code": code}, count) for code, count in self._codes.items()]
        return [metrics.family("ciranda_requests_total", "counter", "Requests.", values)]


def _eventually(true: Callable[[], bool], what: str) -> None:
    until = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < until, f"not seen: {what}"
        time.sleep(0.1)


def _asked(web: Served, path: str, **headers: str) -> tuple[int, Any]:
    request = urllib.request.Request(f"http://127.0.0.1:{web.port}{path}", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            assert answer.headers["content-type"].startswith("application/json")
            return int(answer.status), json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def test_targets_are_for_whoever_may_scrape(tmp_path: Path) -> None:
    with served(tmp_path) as web:
        status, told = _asked(web, "/api/v1/prometheus/targets")
        assert (status, told[0]["targets"]) == (200, [f"127.0.0.1:{web.port}"])
        proxied = {"X-Forwarded-For": "203.0.113.7"}
        assert _asked(web, "/api/v1/prometheus/targets", **proxied)[0] == 401
        assert _asked(web, "/api/v1/prometheus/targets", Authorization="Bearer viewer", **proxied)[0] == 200


def test_rules_fire_into_an_alertmanager_that_calls_back(tmp_path: Path) -> None:
    prometheus.needed("prometheus-alertmanager")
    home = homes.Home(tmp_path / "home")
    homes.create(home)
    ledger = database.open(home.ledger_url, home.sockets)
    told = series.Store(home.root / "metrics")
    (tmp_path / "ciranda.toml").write_text(TOML)
    (tmp_path / "token").write_text("operator\n")
    traffic = Traffic()
    try:
        ledger.write(lambda tx: changes.claim_project(tx, "flights", "flights", "main"))
        with served(home.root) as web:
            web.control.alerts = alerts.Alerts(ledger, Store(home.store), lambda: told)
            web.control.metrics = traffic.families  # type: ignore[method-assign]
            port = prometheus.free_port()
            _export(home, tmp_path, web.port, port)
            with prometheus.alertmanager(tmp_path, port), prometheus.configured(tmp_path) as watching:
                _eventually(watching.answers, "Prometheus is ready")
                _eventually(lambda: traffic.scrapes > 8, "scrapes of what was discovered")
                assert not _events(ledger)
                traffic.wrong = 20
                _eventually(lambda: len(_events(ledger)) > 0, "an alert that came back")
                traffic.wrong = 0
                _eventually(lambda: len(_events(ledger)) > 1, "that it is over")
        fired, over = _events(ledger)
    finally:
        told.close()
        ledger.close()
    assert [fired.kind, over.kind] == ["alert.fired", "alert.resolved"]
    assert fired.subject == "flights/prod"
    assert fired.body["rule"] == "FlightsErrors"
    assert (fired.body["service"], fired.body["owner"], fired.body["severity"]) == ("delays", "@ops", "page")
    assert fired.body["runbook"] == "https://runbooks.example/errors"
    assert fired.body["text"].startswith("It is ")


def _export(home: homes.Home, folder: Path, port: int, calls: int) -> None:
    """What `ciranda export prometheus --out` writes, made quick."""
    found = exporting.prometheus(
        home,
        folder,
        project=None,
        server=f"127.0.0.1:{port}",
        alertmanager=f"127.0.0.1:{calls}",
        token_file=str(folder / "token"),
        folder=folder,
    )
    for name, one in found.items():
        text = one.text
        for slow, quick in QUICK[name].items():
            assert slow in text
            text = text.replace(slow, quick)
        (folder / name).write_text(text)


def _events(ledger: database.Database) -> list[events.Event]:
    return [one for one in events.after(ledger, 0) if one.kind.startswith("alert.")]
