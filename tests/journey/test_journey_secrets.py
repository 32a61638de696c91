"""Configuration and secrets with the real server: as files to services, nowhere else, and another version without a failed request."""

import contextlib
import hashlib
import json
import threading
import time
from pathlib import Path

from ciranda.kernel import volatile
from support import secrets, server

CONFINED_AND_NOT = True
FIRST, SECOND = "first/+$ecret \"with' all% of\\it", "Second&secret<is>=it"


def digest(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()


def asked(up: server.Server, environment: str, toy: str) -> dict[str, object]:
    answer = up.ask(f"/{toy}/{environment}/keyed/", {})
    assert answer.status == 200, answer
    told: dict[str, object] = answer.json
    return told


def test_a_secret_reaches_its_service_as_a_file_and_nothing_else(tmp_path: Path, confinement: str) -> None:
    with server.up(tmp_path) as up:
        toy = up.project(
            "keyed", more=secrets.MORE, files={"keyed.py": secrets.SERVICE, "tests/smoke.py": secrets.SMOKE}
        )

        # before the first push: what is declared here may have secrets already
        said = secrets.give(toy, FIRST + "\n", "secret", "set", "API_KEY", "-e", "test").succeeds().out
        assert "API_KEY version 1" in said
        assert (
            secrets.give(toy, FIRST, "secret", "set", "API_KEY", "-e", "tset")
            .fails()
            .err.startswith("keyed has no environment tset")
        )
        refused = toy.ciranda("secret", "set", f"API_KEY={FIRST}", "-e", "test").fails(64)
        assert FIRST not in refused.err
        assert "never given on the command line" in refused.err

        # it reaches test, and prod waits for its secret
        pushed = toy.start("git", "push", "ciranda", "main")
        try:
            told = wait_for(up, "r1 waits: services.keyed needs the secret API_KEY, which is not set for prod")
            assert "ciranda secret set API_KEY -e prod" in told
            assert up.ask("/keyed/prod/keyed/", {}).status in (404, 503)
            assert "r1 waits in prod: ciranda secret set API_KEY -e prod" in toy.ciranda("status").succeeds().out
            secrets.give(toy, FIRST, "secret", "set", "API_KEY", "-e", "prod").succeeds()
            out, _ = pushed.communicate(timeout=60)
            assert pushed.returncode == 0, out
        finally:
            server.killed(pushed)
        there = asked(up, "prod", "keyed")
        assert (there["digest"], there["mode"], there["names"], there["level"]) == (
            digest(FIRST),
            "400",
            ["API_KEY"],
            "info",
        )
        assert confinement == "unconfined" or not there["writable"]
        assert asked(up, "test", "keyed")["level"] == "debug"
        assert secrets.found(up.home, FIRST) == []

        # another version is another instance, and no request fails
        failed, stop, count = [], threading.Event(), [0]

        def keep_asking() -> None:
            while not stop.is_set():
                answer = up.ask("/keyed/prod/keyed/", {})
                count[0] += 1
                if answer.status != 200:
                    failed.append(answer)

        asking = threading.Thread(target=keep_asking)
        asking.start()
        try:
            said = secrets.give(toy, SECOND, "secret", "set", "API_KEY", "-e", "prod").succeeds().out
            assert "API_KEY version 2; live after" in said
            assert asked(up, "prod", "keyed")["digest"] == digest(SECOND)
            assert (
                "no new revision" in secrets.give(toy, SECOND, "secret", "set", "API_KEY", "-e", "prod").succeeds().out
            )
            said = toy.ciranda("config", "set", "LEVEL=warn", "RATE=2", "-e", "prod").succeeds().out
            assert "LEVEL is warn" in said
            assert asked(up, "prod", "keyed")["level"] == "warn"
        finally:
            stop.set()
            asking.join()
        assert (failed, count[0] > 20) == ([], True)

        # configuration is listed with its layers, and one goes back to a revision with its configuration
        listed = json.loads(toy.ciranda("config", "list", "-e", "prod", "--json").succeeds().out)["config"]
        assert [(row["name"], row["value"], row["layer"]) for row in listed] == [
            ("LEVEL", "warn", "server"),
            ("RATE", 2.0, "server"),
        ]
        assert "not 'fast'" in toy.ciranda("config", "set", "RATE=fast", "-e", "prod").fails().err
        toy.ciranda("rollback", "prod", "--to", "prod#2").succeeds()
        there = asked(up, "prod", "keyed")
        assert (there["level"], there["digest"]) == ("info", digest(SECOND))
        listed = json.loads(toy.ciranda("config", "list", "-e", "prod", "--json").succeeds().out)["config"]
        assert {row["layer"] for row in listed} == {"default"}

        # an environment is cloned, with or without its secrets
        refused = toy.ciranda("clone", "test", "staging").fails().err
        assert "needs secrets that are not set for staging: API_KEY" in refused
        toy.ciranda("clone", "test", "staging", "--secrets").succeeds()
        there = asked(up, "staging", "keyed")
        assert (there["level"], there["digest"]) == ("debug", digest(FIRST))
        told = json.loads(toy.ciranda("secret", "list", "-e", "staging", "--json").succeeds().out)["secrets"]
        assert [(one["name"], one["version"], one["users"]) for one in told] == [("API_KEY", 1, ["services.keyed"])]

        # whoever dies, what is written is masked and the services answer
        def lost() -> bool:
            return any(b"output was lost here" in log.read_bytes() for log in folder.rglob("*.log"))

        folder = up.home / "logs" / "instances"
        begin = time.monotonic()
        while time.monotonic() < begin + 3 or (not lost() and time.monotonic() < begin + 30):
            for role in ("masker", "control", "masker"):
                with contextlib.suppress(ProcessLookupError):  # it has just left by itself
                    up.kill(role)
                time.sleep(0.1)
            up.ask("/keyed/prod/keyed/", {})
        assert lost()
        assert all(b"*** end\n" in log.read_bytes() for log in folder.rglob("*.log"))
        server.eventually(lambda: asked(up, "prod", "keyed")["digest"] == digest(SECOND), "it answers")
        for value in (FIRST, SECOND):
            assert secrets.found(up.home, value) == []
        place = volatile.place(up.home, "secrets")
        assert place.is_dir()
    assert not place.exists()


def wait_for(up: server.Server, text: str) -> str:
    """The lines of the changes, once they say so."""

    def told() -> str:
        return "\n".join(path.read_text() for path in (up.home / "lines").glob("*.jsonl"))

    server.eventually(lambda: text in told(), text)
    return told()
