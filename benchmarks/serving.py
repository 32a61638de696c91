"""The model server beside `mlflow models serve` and `bentoml serve`: one scikit-learn model, one JSON row a request.

    python benchmarks/serving.py [--seconds 5] [--rounds 3] [--json]

A LogisticRegression with 10 features, trained by each program's own interpreter on the same rows; one worker each (bentoml with its
batching on); `wrk -t1 -c32`, keep-alive, on 127.0.0.1. They run side by side and are asked in turns; each has to give the right answer
before it is measured. Bounds: through the gateway at least 15 times either peer; with every prediction kept, at least 0.7 of the rate
without. Medians of the rounds. Exits 1 if a bound is missed or unproved.
"""

import argparse
import contextlib
import http.client
import json
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import peers

from ciranda.service import table
from ciranda.service.port import Route, Target

BOUND = 15.0  # times the peer, through the gateway
KEPT = 0.7  # of the rate through the gateway, while every prediction is kept
STARTED = 180.0  # seconds that a server has to answer for the first time
FEATURES = "abcdefghij"
ROW = [0.1, -0.2, 0.3, 0.4, -0.5, 0.6, 0.7, -0.8, 0.9, 1.0]
QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true", "BENTOML_DO_NOT_TRACK": "True", "DO_NOT_TRACK": "1"}

TRAIN = """
import numpy
from sklearn.linear_model import LogisticRegression
rows = numpy.random.default_rng(7).normal(size=(5_000, 10))
model = LogisticRegression().fit(rows, (rows.sum(axis=1) > 0).astype(int))
"""
OURS = """
import msgspec
import numpy

class Row(msgspec.Struct):
    a: float
    b: float
    c: float
    d: float
    e: float
    f: float
    g: float
    h: float
    i: float
    j: float

def predict(rows: list[Row], model) -> list[int]:
    return model.predict(numpy.array([(r.a, r.b, r.c, r.d, r.e, r.f, r.g, r.h, r.i, r.j) for r in rows]))
"""
# The same server on a TCP socket, since wrk speaks to nothing else.
DIRECT = """
import os, socket, sys
from ciranda.runtime import predict, server
sys.path.insert(0, os.getcwd())
served = predict.open("service:predict", os.environ)
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=1024)
listener.setblocking(False)
server.serve(served, listener)
"""
BENTO = """
import bentoml
import joblib
import numpy

@bentoml.service(workers=1)
class Model:
    def __init__(self):
        self.model = joblib.load("model.joblib")

    @bentoml.api(batchable=True, max_batch_size=256, route="/")
    def predict(self, rows: numpy.ndarray) -> numpy.ndarray:
        return self.model.predict(rows)
"""


@dataclass(frozen=True)
class Contestant:
    """A server that answers one row at 127.0.0.1."""

    name: str
    port: int
    path: str
    body: bytes

    def ask(self) -> Any:
        """What it answers to the row. Raises OSError, ValueError where it does not."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("POST", self.path, self.body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            text = answer.read()
            if answer.status != 200:
                raise ValueError(f"{answer.status}: {text[:200]!r}")
            return json.loads(text)
        finally:
            connection.close()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ciranda-serving-") as folder, contextlib.ExitStack() as stack:
        found = measure(Path(folder), asked.seconds, asked.rounds, stack)
    if asked.json:
        print(json.dumps(found))
    else:
        show(found)
    return 1 if found["missed"] or found["unproved"] else 0


def measure(folder: Path, seconds: int, rounds: int, stack: contextlib.ExitStack) -> dict[str, Any]:
    """Start everyone, ask in turns, and compare."""
    wrk = peers.program("wrk")
    contestants = list(ours(folder / "ours", stack))
    missing: dict[str, str] = {}
    for name, start in (("mlflow", mlflow), ("bentoml", bentoml)):
        try:
            contestants.append(start(folder / name, stack))
        except peers.Missing as why:
            missing[name] = str(why)
    taken: dict[str, list[dict[str, float]]] = {contestant.name: [] for contestant in contestants}
    for turn in range(rounds + 1):  # the first one only warms up
        for contestant in contestants:
            one = load(wrk, contestant, folder, seconds if turn else 1)
            if turn:
                taken[contestant.name].append(one)
    figures = {
        name: {key: statistics.median(one[key] for one in each) for key in each[0]} for name, each in taken.items()
    }
    gateway = figures["ciranda, gateway"]["requests_per_s"]
    ratios = {
        name: round(gateway / figures[name]["requests_per_s"], 1) for name in ("mlflow", "bentoml") if name in figures
    }
    kept = round(figures["ciranda, kept"]["requests_per_s"] / gateway, 2)
    return {
        "seconds": seconds,
        "rounds": rounds,
        "figures": figures,
        "gateway_times": ratios,
        "bound": BOUND,
        "kept": kept,
        "missing": missing,
        "unproved": sorted(missing),
        "missed": [
            *(name for name, ratio in ratios.items() if ratio < BOUND),
            *(["predictions kept"] if kept < KEPT else []),
        ],
    }


def ours(folder: Path, stack: contextlib.ExitStack) -> Iterator[Contestant]:
    """The model server on its own, behind the gateway, and there with every prediction kept: a process of it each."""
    folder.mkdir()
    (folder / "service.py").write_text(OURS)
    dump = "import pickle; pickle.dump(model, open('model', 'wb'), 5)"
    subprocess.run([sys.executable, "-c", TRAIN + dump], cwd=folder, check=True)
    variables = {"CIRANDA_ASSET_MODEL": str(folder / "model"), "CIRANDA_CODEC_MODEL": "pickle"}
    body = json.dumps(dict(zip(FEATURES, ROW, strict=True))).encode()
    direct = Contestant("ciranda, direct", free_port(), "/", body)
    spawn([sys.executable, "-c", DIRECT, str(direct.port)], folder, variables, stack)
    instance = {**variables, "CIRANDA_SOCKET": str(folder / "s")}
    spawn([sys.executable, "-I", "-m", "ciranda.runtime.server", "service:predict"], folder, instance, stack)
    (folder / "kept").mkdir()
    told = {"folder": str(folder / "kept"), "sample": 1.0, "redact": [], "models": {}}
    keeping = {**variables, "CIRANDA_SOCKET": str(folder / "k"), "CIRANDA_PREDICTIONS": json.dumps(told)}
    spawn([sys.executable, "-I", "-m", "ciranda.runtime.server", "service:predict"], folder, keeping, stack)

    state, sockets = folder / "state", folder / "sockets"
    state.mkdir()
    sockets.mkdir()
    route = Route("toy", "prod", "model", (Target("r1", 100, {"one": f"unix:{folder / 's'}"}),))
    kept = Route("toy", "prod", "kept", (Target("r1", 100, {"two": f"unix:{folder / 'k'}"}),))
    table.save(state / "routes.json", table.Table(1, (route, kept)))
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    with listener:
        port = listener.getsockname()[1]
        through = Contestant("ciranda, gateway", port, f"{route.prefix}/", body)
        keeps = Contestant("ciranda, kept", port, f"{kept.prefix}/", body)
        command = [sys.executable, "-I", "-m", "ciranda.service.gateway.main", str(state), str(sockets)]
        spawn(command, folder, {"CIRANDA_LISTEN_FD": str(listener.fileno())}, stack, (listener.fileno(),))
    for contestant in (direct, through, keeps):
        yield ready(contestant, lambda answer: answer == 1)


def mlflow(folder: Path, stack: contextlib.ExitStack) -> Contestant:
    """`mlflow models serve` on a model that it saved itself."""
    python = peers.python("mlflow")
    folder.mkdir()
    prepare(python, TRAIN + "import mlflow.sklearn; mlflow.sklearn.save_model(model, 'model')", folder, "mlflow")
    found = Contestant("mlflow", free_port(), "/invocations", json.dumps({"inputs": [ROW]}).encode())
    command = [
        str(python.parent / "mlflow"),
        "models",
        "serve",
        "-m",
        "model",
        "-h",
        "127.0.0.1",
        "-p",
        str(found.port),
    ]
    path = {"PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}"}
    spawn([*command, "--env-manager", "local", "--workers", "1"], folder, path, stack)
    return ready(found, lambda answer: answer == {"predictions": [1]})


def bentoml(folder: Path, stack: contextlib.ExitStack) -> Contestant:
    """`bentoml serve` with adaptive batching, one worker."""
    python = peers.python("bentoml")
    folder.mkdir()
    (folder / "service.py").write_text(BENTO)
    prepare(python, TRAIN + "import joblib; joblib.dump(model, 'model.joblib')", folder, "bentoml")
    found = Contestant("bentoml", free_port(), "/", json.dumps({"rows": [ROW]}).encode())
    command = [
        str(python.parent / "bentoml"),
        "serve",
        "service:Model",
        "--host",
        "127.0.0.1",
        "--port",
        str(found.port),
    ]
    path = {"PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}", "BENTOML_HOME": str(folder / "home")}
    spawn(command, folder, path, stack)
    return ready(found, lambda answer: answer == [1])


def prepare(python: Path, program: str, folder: Path, peer: str) -> None:
    """Train and save a model with a peer's interpreter. Raises peers.Missing."""
    done = subprocess.run(
        [str(python), "-c", program],
        cwd=folder,
        env={**os.environ, **QUIET},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise peers.Missing(
            f"{peer} cannot save the model: {(done.stderr.strip().splitlines() or ['no reason given'])[-1]}"
        )


def spawn(
    command: Sequence[str],
    folder: Path,
    variables: Mapping[str, str],
    stack: contextlib.ExitStack,
    descriptors: tuple[int, ...] = (),
) -> None:
    """Start a server in a process group of its own, that ends with the stack; what it says goes to a file."""
    log = stack.enter_context((folder / "log").open("ab"))
    process = subprocess.Popen(
        command,
        cwd=folder,
        env={**os.environ, **QUIET, **variables},
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        start_new_session=True,
        pass_fds=descriptors,
    )
    stack.callback(end, process)


def end(process: subprocess.Popen[bytes]) -> None:
    """Stop a server and everything that it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(10)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def ready(contestant: Contestant, right: Any) -> Contestant:
    """Wait for the right answer. Raises peers.Missing where it does not come."""
    until = time.monotonic() + STARTED
    last: object = "nothing"
    while time.monotonic() < until:
        try:
            last = contestant.ask()
        except (OSError, ValueError, http.client.HTTPException) as error:
            last = error
            time.sleep(0.2)
            continue
        if right(last):
            return contestant
        break
    raise peers.Missing(f"{contestant.name} does not answer the row as it should: {last}")


def load(wrk: str, contestant: Contestant, folder: Path, seconds: int) -> dict[str, float]:
    """One run of wrk. Raises ValueError where an answer was no 200."""
    script = folder / "post.lua"
    script.write_text(
        f"wrk.method='POST'\nwrk.headers['Content-Type']='application/json'\nwrk.body={json.dumps(contestant.body.decode())}\n"
    )
    url = f"http://127.0.0.1:{contestant.port}{contestant.path}"
    told = subprocess.run(
        [wrk, "-t1", "-c32", f"-d{seconds}", "--latency", "-s", str(script), url],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    if "Non-2xx" in told or "Socket errors" in told:
        raise ValueError(f"{contestant.name} failed requests:\n{told}")
    return {
        "requests_per_s": float(said(r"^Requests/sec:\s+([\d.]+)\s*$", told)),
        "p50_ms": milliseconds(said(r"^\s+50%\s+(\S+)\s*$", told)),
        "p99_ms": milliseconds(said(r"^\s+99%\s+(\S+)\s*$", told)),
    }


def said(line: str, told: str) -> str:
    """The part of wrk's output that a line's pattern has a group for. Raises ValueError."""
    found = re.search(line, told, re.MULTILINE)
    if found is None:
        raise ValueError(f"wrk says nothing like {line}:\n{told}")
    return found[1]


def milliseconds(text: str) -> float:
    """What wrk writes as `454.00us`, `1.22ms` or `1.02s`."""
    found = re.fullmatch(r"([\d.]+)(us|ms|s|m)", text)
    if found is None:
        raise ValueError(f"{text!r} is no duration")
    return float(found[1]) * {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}[found[2]]


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def show(found: Mapping[str, Any]) -> None:
    print(f"  {'':<18} {'requests/s':>12} {'p50 ms':>9} {'p99 ms':>9}")
    for name, figures in found["figures"].items():
        print(f"  {name:<18} {figures['requests_per_s']:>12,.0f} {figures['p50_ms']:>9.2f} {figures['p99_ms']:>9.2f}")
    for name, ratio in found["gateway_times"].items():
        mark = "✗" if name in found["missed"] else "✓"
        print(f"  {mark} through the gateway {ratio:.1f} × {name}, at least {found['bound']:.0f}")
    mark = "✗" if found["kept"] < KEPT else "✓"
    print(f"  {mark} with every prediction kept {found['kept']:.2f} of the rate without, at least {KEPT}")
    for name, why in found["missing"].items():
        print(f"  ! {name} is missing, so at least {found['bound']:.0f} × {name} is unproved: {why}")


if __name__ == "__main__":
    sys.exit(main())
