"""`ciranda run --refresh`: the server looks at what lies outside of the project; what is new goes the way of a push."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from ciranda.app import home as homes
from ciranda.app import local, remote
from ciranda.project import read

_FOLLOW = 86_400.0  # seconds that a line may take to come


def main(given: argparse.Namespace) -> int:
    """0: it is live, or nothing was new; 1: it was refused, or could not be looked at."""
    folder = local.root(Path.cwd())
    project = read.read(folder).name
    server = remote.server(folder, homes.locate(given.home), timeout=_FOLLOW)
    asked = server.post("refresh", project=project)
    status, reason, said = "", "", []
    try:
        for record in server.lines(asked["id"]):
            text = str(record.get("text", ""))
            said += [text] if text else []
            if text and not given.json:
                sys.stdout.write(text.rstrip() + "\n")
                sys.stdout.flush()
            if record.get("settles"):
                status, reason = str(record.get("status")), str(record.get("reason", ""))
    except KeyboardInterrupt:
        sys.stderr.write("\nit goes on without this window; see it with: ciranda status\n")
        return 130
    if given.json:
        told: dict[str, Any] = {"project": project, "id": asked["id"], "new": bool(status), "lines": said}
        told |= {"state": {"ok": "landed", "ng": "refused"}.get(status, "nothing new"), "reason": reason}
        sys.stdout.write(json.dumps(told, ensure_ascii=False) + "\n")
    return 1 if status == "ng" else 0
