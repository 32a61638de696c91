"""Alerts and figures on the page, and what people and an Alertmanager say over HTTP."""

import json
import urllib.error
import urllib.request
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any

from ciranda.app import alerts, sampling
from ciranda.kernel import clock
from ciranda.monitor.series.levels import SECOND
from support import pages
from support.pages import PROJECT, Shown

FIRING = {
    "version": "4",
    "alerts": [
        {
            "status": "firing",
            "labels": {"alertname": "High<b>", "project": PROJECT, "environment": "prod", "service": "delays"},
            "annotations": {"summary": "<script>1</script>"},
            "startsAt": "2026-11-23T01:00:00Z",
        }
    ],
}


def said(shown: Shown, path: str, body: object) -> tuple[int, dict[str, Any]]:
    headers = {"Authorization": "Bearer operator", "Content-Type": "application/json"}
    request = urllib.request.Request(f"{shown.url}/api/v1/alerts/{path}", json.dumps(body).encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def test_alerts_come_in_are_acknowledged_silenced_and_shown(tmp_path: Path) -> None:
    with pages.filled(tmp_path / "home") as filled:
        filled.land(1, "Begin")
        with pages.shown(filled) as shown:
            shown.control.alerts = alerts.Alerts(filled.database, filled.store, lambda: sampling.of_home(filled.home))
            assert said(shown, "alertmanager", FIRING) == (200, {"alerts": 1, "unknown": 0, "changed": 1})
            assert said(shown, "alertmanager", FIRING)[1]["changed"] == 0
            assert said(shown, "alertmanager", {"version": "9"})[0] >= 400
            assert said(shown, "alertmanager", [])[0] >= 400
            status, told = said(shown, "ack", {"project": PROJECT, "name": "High<b>", "note": "looking"})
            assert (status, told["acked_by"]) == (200, "ope")
            asked = {"project": PROJECT, "rule": "High<b>", "length": "2 h", "reason": "known"}
            assert said(shown, "silence", asked)[0] == 200
            assert said(shown, "silence", {**asked, "length": "long"})[0] >= 400
            browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
            browser.open(f"{shown.url}/login?code={filled.link()}", timeout=20).close()
            with browser.open(f"{shown.url}/{PROJECT}/alerts", timeout=20) as answer:
                page = answer.read().decode()
            assert "&lt;script&gt;1" in page
            assert "<script>1" not in page
            assert "ope</td>" in page or ">ope<" in page
            shown.answer("r1", 40)
            at = clock.now_us() - 60 * SECOND
            looking = sampling.Sampling(filled.home, filled.database, list, lambda: at)
            for _ in range(4):
                shown.answer("r1", 40)
                looking.look()
                at += 10 * SECOND
            looking.close()
            with browser.open(f"{shown.url}/{PROJECT}/services/delays/metrics?since=1h", timeout=20) as answer:
                page = answer.read().decode()
            assert 'id="figure-p99"' in page
            assert '<svg class="chart"' in page
            assert "delay" in page
            browser.close()
