"""The control process: `python -I -m ciranda.web.main --home DIR`, with the listening socket's descriptor in `CIRANDA_LISTEN_FD`."""

import argparse
import logging
import os
import socket
import sys
import threading
import traceback
from collections.abc import Sequence

from ciranda.app import control
from ciranda.app import home as homes
from ciranda.app.views.pages import traffic
from ciranda.kernel import errors, log
from ciranda.web import serving
from ciranda.web.pages import site

LISTENER = "CIRANDA_LISTEN_FD"


def main(arguments: Sequence[str]) -> int:
    """Serve the home until SIGTERM."""
    parser = argparse.ArgumentParser(prog="ciranda.web.main")
    parser.add_argument("--home", required=True)
    home = homes.locate(parser.parse_args(arguments).home)
    threading.excepthook = _leave
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    try:
        with socket.socket(fileno=int(os.environ.pop(LISTENER))) as listener:
            listener.set_inheritable(False)
            acts = control.Control(home)
            acts.start()
            try:
                seen = traffic.Traffic(home.state / "counters")
                serving.serve(acts, site.Site(home, acts.database, acts.store, seen), listener)
            finally:
                acts.stop()
    except errors.CirandaError as error:
        log.say(f"{error}  {error.where}  {error.hint}")
        return error.exit_code
    return 0


def _leave(crash: threading.ExceptHookArgs) -> None:
    """A thread that dies of a bug takes control along: the keeper starts it afresh, while half a control would go unnoticed."""
    try:
        log.say("".join(traceback.format_exception(crash.exc_type, crash.exc_value, crash.exc_traceback)).rstrip())
    finally:
        os._exit(1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
