"""A home whose metrics a real Prometheus keeps is read as one that keeps them itself."""

import http.server
import threading
import time
from pathlib import Path

import pytest

from ciranda.app import metrics
from ciranda.app.views import metrics as views
from ciranda.kernel import clock, errors, outbound
from ciranda.monitor.series import courses, prometheus, store
from ciranda.monitor.series.levels import MINUTE, SECOND
from ciranda.service import counters
from support import prometheus as real

LABELS = {"project": "flights", "environment": "prod"}
PATIENCE = 60.0


class Page(http.server.BaseHTTPRequestHandler):
    """A page of metrics on which every scrape finds fifty more answers: one of ten an error, all of about 8 ms."""

    scrapes = 0

    def do_GET(self) -> None:
        type(self).scrapes += 1
        count = 50 * self.scrapes
        histogram = [0] * counters.BUCKETS
        histogram[counters.BOUNDS_US.index(8192)] = count
        counted = counters.Counted(
            count, (0, count - count // 10, 0, 0, count // 10), 0, count * 0.008, tuple(histogram)
        )
        body = metrics.render(views.traffic({("flights", "prod", "delays", "r1"): counted}))
        self.send_response(200)
        self.send_header("Content-Type", metrics.CONTENT_TYPE)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


def test_ranges_are_asked_of_a_real_prometheus(tmp_path: Path) -> None:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with real.running(tmp_path / "prometheus", f"127.0.0.1:{server.server_address[1]}") as running:
            url = f"http://127.0.0.1:{running.port}"
            own = store.Store(tmp_path / "metrics")
            asked = prometheus.Prometheus(url, own, prometheus.asking(url, outbound.Reach()))
            until = time.monotonic() + PATIENCE
            whole = None
            while whole is None or whole.requests * whole.seconds < 300:
                assert time.monotonic() < until, "Prometheus has no samples"
                time.sleep(0.2)
                if running.answers():
                    now = clock.now_us()
                    read = courses.together(courses.grown(asked, LABELS, now - 2 * MINUTE, now))
                    whole = read[0].whole if read else None
            assert whole.share == pytest.approx(0.1, abs=0.02)
            assert 0.004 < (whole.quantile(0.99) or 0) < 0.017
            (line,) = asked.read("requests", LABELS, now - MINUTE, now, 10 * SECOND, "rate")
            assert line.labels == {**LABELS, "service": "delays", "release": "r1"}
            assert all(rate > 0 for rate in line.known)
            assert line.known
            assert asked.read("memory_bytes", LABELS, now - MINUTE, now, 10 * SECOND, "max") == []
            assert {"requests", "errors", "latency_le_8192"} <= set(asked.metrics(LABELS))
        server.shutdown()
    with pytest.raises(errors.Unreachable):
        asked.read("requests", LABELS, now - MINUTE, now, 10 * SECOND, "rate")
