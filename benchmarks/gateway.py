"""The gateway beside nginx and Caddy as a reverse proxy: one process each, the same upstream, keep-alive, in turns.

    python benchmarks/gateway.py [--seconds 3] [--rounds 5] [--json]

The upstream is an nginx that answers 200 bytes. Both proxies take a prefix off the path, send X-Forwarded-* and X-Request-Id on, add
X-Request-Id and X-Ciranda-Release to the answer and limit heads and bodies; the gateway also chooses by weight and counts by release.
`wrk -t1 -c32` on 127.0.0.1: GET, and POST of 1 KB with 8 headers. Bounds, of the requests a second, medians of the rounds' ratios: of
nginx GET 0.6 and POST 0.45, of Caddy (on one core, as the others have) 2. Beside them the processor time of one request, which other
programs on the machine move less. Exits 1 if a bound is missed or unproved.
"""

import argparse
import contextlib
import http.client
import json
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import peers

from ciranda.service import table
from ciranda.service.port import Route, Target

BOUNDS = {"GET": 0.6, "POST": 0.45}
CADDY = 2.0
PATH = "/flights/prod/delays/x"
NGINX = """
worker_processes 1; daemon off; master_process off; pid {folder}/nginx-{port}.pid; error_log stderr error;
events {{ worker_connections 1024; }}
http {{
  access_log off; keepalive_requests 1000000000; client_max_body_size 64m; large_client_header_buffers 4 64k;
  client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
  uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
  {rest}
}}
"""
UPSTREAM = 'server {{ listen 127.0.0.1:{port}; location / {{ return 200 "{text}"; }} }}'
PROXY = """
  upstream behind {{ server 127.0.0.1:{upstream}; keepalive 64; keepalive_requests 1000000000; }}
  server {{ listen 127.0.0.1:{port}; location /flights/prod/delays/ {{
    proxy_pass http://behind/; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host;
    proxy_set_header X-Request-Id $request_id; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    proxy_set_header X-Forwarded-Proto http; proxy_set_header X-Forwarded-Host $host;
    proxy_set_header X-Forwarded-Prefix /flights/prod/delays;
    add_header X-Request-Id $request_id; add_header X-Ciranda-Release r1;
  }} }}
"""
CADDYFILE = """
{{
  admin off
  auto_https off
  persist_config off
}}
http://127.0.0.1:{port} {{
  handle_path /flights/prod/delays* {{
    request_body {{
      max_size 64MB
    }}
    reverse_proxy 127.0.0.1:{upstream} {{
      header_up X-Request-Id {{http.request.uuid}}
      header_up X-Forwarded-Prefix /flights/prod/delays
      header_down X-Request-Id {{http.request.uuid}}
      header_down X-Ciranda-Release r1
      transport http {{
        keepalive_idle_conns_per_host 64
      }}
    }}
  }}
}}
"""
POST = """
wrk.method = "POST"
wrk.body = string.rep("x", 1024)
for number = 1, 6 do wrk.headers["X-Header-" .. number] = "the value of header " .. number end
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "Bearer 0123456789abcdef"
"""


@dataclass(frozen=True)
class Proxy:
    """A process that passes requests on."""

    name: str
    port: int
    pid: int

    def processor(self) -> float:
        """Seconds of processor that it has used."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    try:
        found = measure(asked.seconds, asked.rounds)
    except peers.Missing as why:
        found = {
            "missing": {"nginx, caddy, wrk": str(why)},
            "unproved": sorted(BOUNDS),
            "missed": [],
            "figures": {},
            "ratios": {},
        }
    print(json.dumps(found)) if asked.json else show(found)
    return 1 if found["missed"] or found["unproved"] else 0


def measure(seconds: int, rounds: int) -> dict[str, Any]:
    """Start everyone, load them in turns, and compare. Raises peers.Missing."""
    wrk, nginx = peers.program("wrk"), peers.program("nginx")
    taken: dict[str, dict[str, list[dict[str, float]]]] = {}
    with tempfile.TemporaryDirectory(prefix="ciranda-gateway-") as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        script = folder / "post.lua"
        script.write_text(POST)
        upstream = free_port()
        stack.enter_context(
            running_nginx(nginx, folder, upstream, UPSTREAM.format(port=upstream, text="0123456789" * 20))
        )
        port = free_port()
        process = stack.enter_context(running_nginx(nginx, folder, port, PROXY.format(port=port, upstream=upstream)))
        proxies = [Proxy("nginx", port, process.pid), stack.enter_context(our_gateway(folder, upstream))]
        proxies.append(stack.enter_context(running_caddy(folder, upstream)))
        for proxy in proxies:
            answers(proxy)
        for turn in range(rounds + 1):  # the first one only warms up
            for method in BOUNDS:
                for proxy in proxies:
                    one = load(wrk, proxy, script if method == "POST" else None, seconds if turn else 1)
                    if turn:
                        taken.setdefault(proxy.name, {}).setdefault(method, []).append(one)
    figures = {
        name: {
            method: {key: round(statistics.median(one[key] for one in each), 2) for key in each[0]}
            for method, each in methods.items()
        }
        for name, methods in taken.items()
    }
    ratios = {method: ratio(taken, method, "nginx") for method in BOUNDS}
    caddy = {method: ratio(taken, method, "caddy") for method in BOUNDS}
    missed = [method for method, bound in BOUNDS.items() if ratios[method] < bound]
    missed += [f"caddy {method}" for method, found in caddy.items() if found < CADDY]
    return {
        "figures": figures, "ratios": ratios, "of_caddy": caddy, "bounds": BOUNDS, "missing": {}, "unproved": [],
        "missed": missed,
    }  # fmt: skip


def ratio(taken: dict[str, dict[str, list[dict[str, float]]]], method: str, peer: str) -> float:
    """Our requests a second by a peer's: the median of the rounds' ratios."""
    pairs = zip(taken["ciranda"][method], taken[peer][method], strict=True)
    return round(statistics.median(ours["requests_per_s"] / its["requests_per_s"] for ours, its in pairs), 3)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as asking:
        return int(asking.getsockname()[1])


@contextlib.contextmanager
def running_nginx(nginx: str, folder: Path, port: int, rest: str) -> Iterator["subprocess.Popen[bytes]"]:
    config = folder / f"nginx-{port}.conf"
    config.write_text(NGINX.format(folder=folder, port=port, rest=rest))
    with ended(subprocess.Popen([nginx, "-c", str(config)], stderr=subprocess.DEVNULL)) as process:
        yield process


@contextlib.contextmanager
def running_caddy(folder: Path, upstream: int) -> Iterator[Proxy]:
    """Caddy on one core. Raises peers.Missing."""
    program, port = peers.python("caddy").with_name("caddy"), free_port()
    config = folder / "Caddyfile"
    config.write_text(CADDYFILE.format(port=port, upstream=upstream))
    command = [str(program), "run", "--config", str(config), "--adapter", "caddyfile"]
    own = os.environ | {"GOMAXPROCS": "1", "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    with ended(subprocess.Popen(command, env=own, stderr=subprocess.DEVNULL)) as process:
        yield Proxy("caddy", port, process.pid)


@contextlib.contextmanager
def our_gateway(folder: Path, upstream: int) -> Iterator[Proxy]:
    state = folder / "state"
    state.mkdir()
    target = Target("r1", 100, {"one": f"tcp:127.0.0.1:{upstream}"})
    table.save(state / "routes.json", table.Table(1, (Route("flights", "prod", "delays", (target,)),)))
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
        port = listener.getsockname()[1]
        process = subprocess.Popen(
            [sys.executable, "-I", "-m", "ciranda.service.gateway.main", str(state), str(folder)],
            env=os.environ | {"CIRANDA_LISTEN_FD": str(listener.fileno())},
            pass_fds=[listener.fileno()],
        )
    with ended(process):
        yield Proxy("ciranda", port, process.pid)


@contextlib.contextmanager
def ended(process: "subprocess.Popen[bytes]") -> Iterator["subprocess.Popen[bytes]"]:
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def answers(proxy: Proxy) -> None:
    """Wait until a proxy passes a request on. Raises RuntimeError if it does not."""
    for _ in range(100):
        connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=5)
        with contextlib.suppress(OSError, http.client.HTTPException), contextlib.closing(connection):
            connection.request("GET", PATH)
            answer = connection.getresponse()
            if answer.status == 200 and len(answer.read()) == 200 and answer.headers["X-Ciranda-Release"] == "r1":
                return
        time.sleep(0.1)
    raise RuntimeError(f"{proxy.name} does not pass requests on")


def load(wrk: str, proxy: Proxy, script: Path | None, seconds: int) -> dict[str, float]:
    """Requests a second, and microseconds of processor a request. Raises RuntimeError when any failed."""
    command = [wrk, "-t1", "-c32", f"-d{seconds}", "--latency", *(["-s", str(script)] if script else [])]
    before = proxy.processor()
    said = subprocess.run(
        [*command, f"http://127.0.0.1:{proxy.port}{PATH}"], capture_output=True, text=True, check=True
    ).stdout
    used = proxy.processor() - before
    if "Non-2xx" in said or "Socket errors" in said:
        raise RuntimeError(f"{proxy.name}: {said}")
    requests = int(found(r"(\d+) requests in", said))
    unit = {"us": 0.001, "ms": 1.0, "s": 1000.0}
    p99, scale = re.search(r"99%\s+([0-9.]+)(us|ms|s)", said).groups()  # type: ignore[union-attr]
    return {
        "requests_per_s": float(found(r"Requests/sec:\s+([0-9.]+)", said)),
        "p99_ms": float(p99) * unit[scale],
        "processor_us": used / requests * 1e6,
    }


def found(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    if match is None:
        raise RuntimeError(f"wrk said: {text}")
    return match[1]


def show(result: dict[str, Any]) -> None:
    for method, bound in BOUNDS.items():
        print(method)
        for name, figures in result["figures"].items():
            one = figures[method]
            print(
                f"  {name:8} {one['requests_per_s']:>9,.0f} requests/s   p99 {one['p99_ms']:.2f} ms   {one['processor_us']:.1f} µs each"
            )
        if method in result["ratios"]:
            mark = "✗" if method in result["missed"] else "✓"
            print(f"  {mark} {result['ratios'][method]:.2f} of nginx, at least {bound}")
            mark = "✗" if f"caddy {method}" in result["missed"] else "✓"
            print(f"  {mark} {result['of_caddy'][method]:.1f} times caddy, at least {CADDY:g}")
    for name, why in result["missing"].items():
        print(f"missing: {name}: {why}; unproved: {', '.join(result['unproved'])}")


if __name__ == "__main__":
    sys.exit(main())
