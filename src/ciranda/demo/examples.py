"""Where the example projects lie: inside the installed package, or in the repository that it is built from."""

from pathlib import Path

from ciranda.kernel import errors

HERE = Path(__file__).resolve().parent


def folder(name: str) -> Path:
    """The folder of an example. Raises errors.NotFound."""
    for found in (HERE / "examples" / name, HERE.parents[2] / "examples" / name):
        if found.is_dir():
            return found
    raise errors.NotFound(
        f"the example {name} is not in this installation",
        where=str(HERE),
        hint="pip install --force-reinstall ciranda",
    )
