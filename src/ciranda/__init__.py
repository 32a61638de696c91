"""Ciranda takes a data or machine-learning repository from `git push` to monitored production and back.

What a project imports from here: the decorators `dataset`, `model`, `step` and `check`, the markers `live` and `run`,
`log` for figures, and `load` for the assets of a service, or of a home in a notebook. Nothing is imported until one of
them is asked for.
"""

TYPE_CHECKING = False  # the constant of `typing`, without the cost of importing it
if TYPE_CHECKING:
    from typing import Any, Optional, Union

    from ciranda.runtime.declare import check, dataset, model, step
    from ciranda.runtime.figures import log
    from ciranda.runtime.markers import live, run
    from ciranda.version import __version__

# Where each name lives.
PLACES = {
    "__version__": "ciranda.version",
    "check": "ciranda.runtime.declare",
    "dataset": "ciranda.runtime.declare",
    "live": "ciranda.runtime.markers",
    "log": "ciranda.runtime.figures",
    "model": "ciranda.runtime.declare",
    "run": "ciranda.runtime.markers",
    "step": "ciranda.runtime.declare",
}

__all__ = ["__version__", "check", "dataset", "live", "load", "log", "model", "run", "step"]


def load(
    name: str,
    type: "Any" = None,
    *,
    environment: "Optional[str]" = None,
    release: "Union[str, int, None]" = None,
    run: "Union[str, int, None]" = None,
    project: "Optional[str]" = None,
    home: "Optional[str]" = None,
    trust: bool = False,
) -> "Any":
    """The asset `name`, as `type` where one is given.

    In a service, a verification or a job: the version that it runs with. Anywhere else say where from, by one of
    `environment="prod"`, `release="r41"` and `run=117`; it is read out of the home (`home`, `$CIRANDA_HOME` or the
    default), and nothing is written there. A table is a polars.LazyFrame over the store's own file, files are a Path.
    A pickle is loaded only with `trust=True`, since loading one runs whatever it says.

    Raises LookupError where the process was given no asset of that name, ciranda.kernel.errors.CirandaError for what is
    not there, ImportError where only `ciranda-runtime` is installed.
    """
    from importlib import import_module

    kind = import_module("ciranda.runtime.codecs").wanted(type) if type is not None else ""
    if environment is None and release is None and run is None and project is None and home is None:
        return import_module("ciranda.runtime.assets").load(name, type)
    try:
        notebook = import_module("ciranda.app.notebook")
    except ModuleNotFoundError as error:
        if not str(error.name).startswith("ciranda."):
            raise
        raise ImportError(
            "only ciranda-runtime is installed here, which reads no home; the whole of Ciranda does: pip install ciranda"
        ) from None
    return notebook.load(
        name, kind, environment=environment, release=release, run=run, project=project, home=home, trust=trust
    )


def __getattr__(name: str) -> object:
    if name not in PLACES:
        raise AttributeError(f"module 'ciranda' has no attribute {name!r}")
    from importlib import import_module

    value: object = getattr(import_module(PLACES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
