"""The command line: one verb, one module, one function of one room. Nothing is imported that the verb does not need."""

import sys


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit status: 0 done, 1 refused or failed, 2 something to do (`plan`), 64 misunderstood."""
    given = sys.argv[1:] if arguments is None else arguments
    if given in (["--version"], ["-V"]):
        from ciranda.version import __version__

        sys.stdout.write(f"ciranda {__version__}\n")
        return 0
    try:
        from ciranda.cli import dispatch

        return dispatch.run(given)
    except KeyboardInterrupt:  # while modules were still imported; later it is the verb's boundary that says so
        sys.stderr.write("\nstopped; what was recorded is kept\n")
        return 130


if __name__ == "__main__":
    sys.exit(main())
