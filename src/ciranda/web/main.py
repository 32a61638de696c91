"""The control process: `python -I -m ciranda.web.main --home DIR`, with the listening socket's descriptor in `CIRANDA_LISTEN_FD`."""

import argparse
import logging
import os
import socket
import sys
import threading
from collections.abc import Sequence

from ciranda.app import control
from ciranda.app import home as homes
from ciranda.kernel import errors
from ciranda.web import serving

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
                serving.serve(acts, home, listener)
            finally:
                acts.stop()
    except errors.CirandaError as error:
        print(f"{error}  {error.where}  {error.hint}", file=sys.stderr)  # noqa: T201
        return error.exit_code
    return 0


def _leave(crash: threading.ExceptHookArgs) -> None:
    """A thread that dies of a bug takes control along: the keeper starts it afresh, while half a control would go unnoticed."""
    sys.excepthook(crash.exc_type, crash.exc_value or crash.exc_type(), crash.exc_traceback)
    sys.stderr.flush()
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
