"""Configuration for Prometheus and its Alertmanager, as they read it, and what HTTP service discovery answers. Pure.

https://prometheus.io/docs/prometheus/latest/http_sd/
"""

from collections.abc import Mapping
from typing import Any

from ciranda.app.exports import rules

TARGETS = "/api/v1/prometheus/targets"
CALLED = "/api/v1/alerts/alertmanager"


def prometheus(server: str, *, rules_file: str, alertmanager: str, token_file: str) -> dict[str, Any]:
    """`server`: the address of control (host:port); `token_file`: of a viewer, needed where a proxy is between ("": none)."""
    authorization = {"authorization": {"credentials_file": token_file}} if token_file else {}
    discovery = {"url": f"http://{server}{TARGETS}", "refresh_interval": "30s", **authorization}
    return {
        "global": {"scrape_interval": "15s", "evaluation_interval": "15s"},
        "rule_files": [rules_file],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}]},
        "scrape_configs": [
            # a job of a project keeps its name, though Prometheus calls by the label `job` what it scrapes
            {"job_name": rules.JOB, "honor_labels": True, **authorization, "http_sd_configs": [discovery]},
        ],
    }


def alertmanager(server: str, token_file: str) -> dict[str, Any]:
    """Alerts that Prometheus fires are told back to Ciranda; `token_file` holds the token that it may do so with."""
    called = {
        "url": f"http://{server}{CALLED}",
        "send_resolved": True,
        "http_config": {"authorization": {"credentials_file": token_file}},
    }
    return {
        "route": {
            "receiver": "ciranda",
            "group_by": ["alertname", "project", "environment", "service"],
            "group_wait": "10s",
            "group_interval": "1m",
            "repeat_interval": "4h",
        },
        "receivers": [{"name": "ciranda", "webhook_configs": [called]}],
    }


def targets(server: str) -> list[Mapping[str, Any]]:
    """What is to be scraped: this server."""
    return [{"targets": [server], "labels": {"__metrics_path__": "/metrics"}}]
