"""The control process: `python -I -m ciranda.web.main --home DIR`, with the listening socket's descriptor in `CIRANDA_LISTEN_FD`."""

import argparse
import logging
import os
import socket
import sys
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


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
