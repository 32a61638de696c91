"""Looking for a secret everywhere it must not be: processes, files of the home, rows of the ledger."""

import base64
import json
import sqlite3
import subprocess
from contextlib import closing, suppress
from pathlib import Path

from support import project

SERVICE = """
    import base64, hashlib, http.server, json, os, shlex, sys, threading, time, urllib.parse

    FOLDER = os.environ["CIRANDA_SECRETS"]

    def value():
        with open(os.path.join(FOLDER, "API_KEY"), "rb") as file:
            return file.read()

    def chatter():
        text = value().decode()
        said = [
            text, json.dumps(text), urllib.parse.quote(text, safe=""), shlex.quote(text),
            *(base64.b64encode(b"x" * n + text.encode()).decode() for n in range(3)),
            base64.urlsafe_b64encode(text.encode()).decode(),
        ]
        number = 0
        while True:
            number += 1
            for line in (f"beat {number} {one} end\\n" for one in said):
                half = len(line) // 2
                for part in (line[:half], line[half:]):
                    sys.stdout.write(part)
                    sys.stdout.flush()
            time.sleep(0.002)

    class Answer(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            mode = oct(os.stat(os.path.join(FOLDER, "API_KEY")).st_mode)[-3:]
            try:
                open(os.path.join(FOLDER, "API_KEY"), "a").close()
                writable = True
            except OSError:
                writable = False
            told = {
                "digest": hashlib.sha256(value()).hexdigest(), "mode": mode, "names": os.listdir(FOLDER),
                "writable": writable, "level": os.environ.get("LEVEL"),
            }
            body = json.dumps(told).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self):
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.do_GET()

        def log_message(self, *_):
            pass

    threading.Thread(target=chatter, daemon=True).start()
    http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Answer).serve_forever()
"""
MORE = """
    [services.keyed]
    command = "python keyed.py"
    secrets = ["API_KEY"]
    start_timeout = 15
    drain = 5

    [config.LEVEL]
    default = "info"

    [config.RATE]
    type = "float"
    default = 0.5

    [environments.test]
    verify = ["python tests/smoke.py"]
    secrets = ["API_KEY"]
    config = { LEVEL = "debug" }

    [environments.prod]
    after = "test"
"""
SMOKE = """
    import os
    value = open(os.environ["CIRANDA_SECRETS"] + "/API_KEY").read()
    print("smoke has", value)
    assert value, value
"""


def forms(value: str) -> list[bytes]:
    """How a value could lie somewhere."""
    plain = value.encode()
    found = [plain, json.dumps(value)[1:-1].encode(), plain.hex().encode()]
    for offset in range(3):
        text = base64.b64encode(b"\0" * offset + plain)[(0, 2, 3)[offset] : (8 * (offset + len(plain))) // 6]
        found += [text, text.translate(bytes.maketrans(b"+/", b"-_"))]
    return found


def found(home: Path, value: str) -> list[str]:
    """Every place where a value lies: arguments and environments of processes, files of the home, rows of its ledger."""
    wanted = forms(value)
    places = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            for name in ("cmdline", "environ"):
                with suppress(OSError):
                    content = (process / name).read_bytes()
                    places += [f"{process}/{name}" for form in wanted if form in content]
    with closing(sqlite3.connect(home / "ledger.db")) as ledger:
        ledger.execute("PRAGMA wal_checkpoint")
        for (table,) in ledger.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            for row in ledger.execute(f'SELECT * FROM "{table}"'):
                content = repr(row).encode()
                places += [f"{table}: {row[:3]}" for form in wanted if form in content]
    for path in home.rglob("*"):
        if path.is_file():
            with suppress(OSError):
                content = path.read_bytes()
                places += [str(path) for form in wanted if form in content]
    return places


def give(toy: project.Project, value: str | bytes, *arguments: str) -> project.Ran:
    """`ciranda …` with a value on its standard input."""
    argv = (str(project.CIRANDA), *arguments)
    data = value.encode() if isinstance(value, str) else value
    done = subprocess.run(
        argv, cwd=toy.root, env=toy.environment, input=data, check=False, capture_output=True, timeout=project.TIMEOUT
    )
    return project.Ran(argv, done.returncode, done.stdout.decode(), done.stderr.decode())
