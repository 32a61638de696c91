"""A project with everything that rules are made of."""

from ciranda.project import read
from ciranda.project.declaration import Project

TOML = """
[project]
name = "flights"
pipeline = "pipeline.py"
owner = "@data"
[sources]
raw = { files = "raw.csv" }
[services.delays]
command = "serve"
owner = "@ops"
[services.web]
command = "serve"
[jobs.nightly]
run = ["raw"]
[environments.test]
[environments.prod]
after = "test"
[alerts.errors]
when = "errors over 5 min > 2 %"
for = "2 min"
severity = "page"
runbook = "https://runbooks.example/errors"
[alerts.slow]
when = "p99 over 15 min > 2 x week"
service = "delays"
environments = ["test", "prod"]
[alerts.down]
off = true
[alerts.busy]
when = "rate > 100 /s"
owner = "@night"
[objectives.delays]
service = "delays"
availability = 0.999
latency = { p = 0.99, below = "300 ms" }
"""


def project() -> Project:
    return read.read_text(TOML, "ciranda.toml")
