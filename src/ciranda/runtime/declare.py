"""The decorators: they register a plain function on its module and return it unchanged."""

from __future__ import annotations

import inspect
import math
import sys
from dataclasses import dataclass
from typing import Any, Callable, Optional, TypeVar, Union, overload

from ciranda.runtime.markers import NAME

F = TypeVar("F", bound=Callable[..., Any])

REGISTER = "__ciranda__"  # the attribute of a module that holds what it declares


@dataclass(frozen=True)
class Declaration:
    """What one decorator said of one function. `kind` is "dataset", "model", "step" or "check"."""

    kind: str
    function: Callable[..., Any]
    asset: str  # what a step makes, or what a check tests
    timeout: Optional[float] = None  # seconds
    retries: int = 0
    at_least: Optional[float] = None
    at_most: Optional[float] = None
    severity: str = "fail"

    @property
    def name(self) -> str:
        """The function's name: of a step also the asset's."""
        return str(self.function.__name__)


@overload
def dataset(function: F) -> F: ...
@overload
def dataset(*, timeout: Optional[float] = None, retries: int = 0) -> Callable[[F], F]: ...
def dataset(function: Any = None, *, timeout: Optional[float] = None, retries: int = 0) -> Any:
    """A step that makes a table: `@dataset`, or `@dataset(timeout=60, retries=2)` with the timeout in seconds."""
    return _step("dataset", function, timeout, retries)


@overload
def model(function: F) -> F: ...
@overload
def model(*, timeout: Optional[float] = None, retries: int = 0) -> Callable[[F], F]: ...
def model(function: Any = None, *, timeout: Optional[float] = None, retries: int = 0) -> Any:
    """A step that makes a machine-learning model; see `dataset` for the options."""
    return _step("model", function, timeout, retries)


@overload
def step(function: F) -> F: ...
@overload
def step(*, timeout: Optional[float] = None, retries: int = 0) -> Callable[[F], F]: ...
def step(function: Any = None, *, timeout: Optional[float] = None, retries: int = 0) -> Any:
    """A step that makes anything else; see `dataset` for the options."""
    return _step("step", function, timeout, retries)


def check(
    asset: Union[str, Callable[..., Any]],
    *,
    at_least: Optional[float] = None,
    at_most: Optional[float] = None,
    severity: str = "fail",
    timeout: Optional[float] = None,
) -> Callable[[F], F]:
    """A test of an asset: `@check(flights)` or `@check("raw_flights")`.

    The function returns a bool, the offending rows (none is a pass), a number with `at_least` and/or `at_most`, an
    object with `.success`, None (nothing was wrong), or raises. `severity` is "fail" or "warn", `timeout` in seconds.
    Raises ValueError or TypeError for anything else.
    """
    if isinstance(asset, str):
        name = asset
    elif _is_step(asset):
        name = asset.__name__
    else:
        raise TypeError(f"@check takes the step it tests, or the name of its asset, not {asset!r}")
    _named(name, "an asset")
    if severity not in ("fail", "warn"):
        raise ValueError(f'severity is "fail" or "warn", not {severity!r}')
    low, high = _bound("at_least", at_least), _bound("at_most", at_most)
    if low is not None and high is not None and low > high:
        raise ValueError(f"at_least={at_least} is more than at_most={at_most}: nothing could pass")
    limit = _seconds(timeout)

    def register(function: F) -> F:
        _plain(function, "check")
        made = Declaration("check", function, name, timeout=limit, at_least=low, at_most=high, severity=severity)
        _register(function).append(made)
        return function

    return register


def _step(kind: str, function: Any, timeout: Optional[float], retries: int) -> Any:
    limit = _seconds(timeout)
    if isinstance(retries, bool) or not isinstance(retries, int) or retries < 0:
        raise ValueError(f"retries is a number of times, 0 or more, not {retries!r}")

    def register(function: F) -> F:
        _plain(function, kind)
        _register(function).append(Declaration(kind, function, function.__name__, timeout=limit, retries=retries))
        return function

    return register if function is None else register(function)


def _plain(function: Any, kind: str) -> None:
    if not callable(function) or isinstance(function, type) or not hasattr(function, "__name__"):
        raise TypeError(f"@{kind} goes on a function, not on {function!r}")
    _named(function.__name__, f"a {kind}")
    inner = inspect.unwrap(function)
    if inspect.iscoroutinefunction(inner) or inspect.isasyncgenfunction(inner):
        raise TypeError(
            f"{function.__name__} is an async function; a {kind} is an ordinary one (asyncio.run inside is fine)"
        )


def _named(name: str, what: str) -> None:
    if not NAME.match(name):
        raise ValueError(f"{name!r} is no name for {what}: lower-case letters, digits and _, a letter first")


def _seconds(timeout: Optional[float]) -> Optional[float]:
    if timeout is None:
        return None
    if isinstance(timeout, bool) or not isinstance(timeout, (int, float)) or not 0 < timeout < float("inf"):
        raise ValueError(f"timeout is a number of seconds above 0, not {timeout!r}")
    return float(timeout)


def _bound(name: str, value: Optional[float]) -> Optional[float]:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError(f"{name} is a number, not {value!r}")
    if math.isnan(value):
        raise ValueError(f"{name} is a number, not NaN")
    return float(value)


def _is_step(function: Any) -> bool:
    """Whether this is a step, or wraps one under its name; a bare `@check` on a function is neither."""
    name = getattr(function, "__name__", None)
    return callable(function) and any(made.name == name and made.kind != "check" for made in _register(function))


def _register(function: Callable[..., Any]) -> list[Declaration]:
    """The declarations of the module that defines the function, also where another decorator wrapped it."""
    module = sys.modules.get(function.__module__)
    place = vars(module) if module else getattr(inspect.unwrap(function), "__globals__", {})
    declared: list[Declaration] = place.setdefault(REGISTER, [])
    return declared
