"""Ciranda takes a data or machine-learning repository from `git push` to monitored production and back.

What a project imports from here: the decorators `dataset`, `model`, `step` and `check`, the markers `live` and `run`,
`log` for figures, and `load` for the assets of a service. Nothing is imported until one of them is asked for.
"""

TYPE_CHECKING = False  # the constant of `typing`, without the cost of importing it
if TYPE_CHECKING:
    from ciranda.runtime.assets import load
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
    "load": "ciranda.runtime.assets",
    "log": "ciranda.runtime.figures",
    "model": "ciranda.runtime.declare",
    "run": "ciranda.runtime.markers",
    "step": "ciranda.runtime.declare",
}

__all__ = ["__version__", "check", "dataset", "live", "load", "log", "model", "run", "step"]


def __getattr__(name: str) -> object:
    if name not in PLACES:
        raise AttributeError(f"module 'ciranda' has no attribute {name!r}")
    from importlib import import_module

    value: object = getattr(import_module(PLACES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
