"""What the servers of `predict` and `app` need in a project's interpreter. Pure."""

from collections.abc import Mapping
from typing import Literal

from ciranda.runtime.requirements import satisfies

Form = Literal["predict", "app"]
FORMS: tuple[Form, ...] = ("predict", "app")

# Where the lock does not have them: the last versions that run on Python 3.9 and on ours.
PREDICT = {"msgspec": "0.20.0", "uvloop": "0.22.1", "httptools": "0.7.1"}
APP = {"uvicorn": "0.39.0", "click": "8.1.8", "h11": "0.16.0", "websockets": "15.0.1"}
BEFORE_3_11 = {"typing-extensions": "4.15.0"}  # what uvicorn needs there as well
# What the servers still work with.
OLDEST: dict[Form, dict[str, str]] = {
    "predict": {"msgspec": "0.18", "uvloop": "0.17", "httptools": "0.5"},
    "app": {"uvicorn": "0.23", "websockets": "10.4"},
}
SAID: dict[Form, str] = {"predict": "the model server", "app": "the server of an app"}


def missing(form: Form, installed: Mapping[str, str], version: str) -> list[str]:
    """The pins that are to be added to what is installed (name → version) on this version of Python."""
    wanted = PREDICT if form == "predict" else APP if satisfies(version, ">=3.11") else APP | BEFORE_3_11
    return [f"{name}=={pin}" for name, pin in wanted.items() if name not in installed]


def too_old(form: Form, installed: Mapping[str, str], lock: str) -> str | None:
    """Why the server cannot run with what a lock pins, else None."""
    for name, oldest in OLDEST[form].items():
        if name in installed and not satisfies(installed[name], f">={oldest}"):
            return f"{lock} pins {name} {installed[name]}, and {SAID[form]} needs {oldest} or newer"
    return None
