"""The decorators: they register a plain function on its module and return it unchanged."""

from __future__ import annotations

import inspect
import math
import sys
import types
from dataclasses import dataclass
from typing import Any, Callable, Optional, TypeVar, Union, overload

from ciranda.runtime import schemas
from ciranda.runtime.found import Found
from ciranda.runtime.markers import NAME

F = TypeVar("F", bound=Callable[..., Any])
S = TypeVar("S")

REGISTER = "__ciranda__"  # the attribute of a module that holds what it declares
SCHEMA = "<schema>"  # before the name of a check that is a schema, where a function's name stands: no attribute has it


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
    place: Optional[tuple[str, int]] = None  # of a schema: the file and line that say it is a check

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


@overload
def check(
    asset: Union[str, Callable[..., Any]],
    *,
    at_least: Optional[float] = None,
    at_most: Optional[float] = None,
    severity: str = "fail",
    timeout: Optional[float] = None,
) -> Callable[[F], F]: ...
@overload
def check(
    asset: Union[str, Callable[..., Any]],
    *,
    schema: S,
    name: Optional[str] = None,
    severity: str = "fail",
    timeout: Optional[float] = None,
) -> S: ...
def check(
    asset: Union[str, Callable[..., Any]],
    *,
    schema: Any = None,
    name: Optional[str] = None,
    at_least: Optional[float] = None,
    at_most: Optional[float] = None,
    severity: str = "fail",
    timeout: Optional[float] = None,
) -> Any:
    """A test of an asset: `@check(flights)` or `@check("raw_flights")` on a function, or `check(flights, schema=Flight)`.

    The function returns a bool, the offending rows (none is a pass), a number with `at_least` and/or `at_most`, an
    object with `.success`, None (nothing was wrong), or raises. A schema is pandera's (pandas or polars) or
    dataframely's; the rows that break it are the evidence; the check is called `<asset>_schema`, or `name`.
    `severity` is "fail" or "warn", `timeout` in seconds. Raises ValueError or TypeError for anything else.
    """
    if isinstance(asset, str):
        tested = asset
    elif _is_step(asset):
        tested = asset.__name__
    else:
        raise TypeError(f"@check takes the step it tests, or the name of its asset, not {asset!r}")
    _named(tested, "an asset")
    if severity not in ("fail", "warn"):
        raise ValueError(f'severity is "fail" or "warn", not {severity!r}')
    low, high = _bound("at_least", at_least), _bound("at_most", at_most)
    if low is not None and high is not None and low > high:
        raise ValueError(f"at_least={at_least} is more than at_most={at_most}: nothing could pass")
    limit = _seconds(timeout)
    if schema is not None:
        if low is not None or high is not None:
            raise ValueError("at_least and at_most judge a number, and a schema gives none: take them out")
        _schema(schema, tested, name, severity, limit, sys._getframe(1))
        return schema
    if name is not None:
        raise ValueError(f"name={name!r} is for a schema; a function's check has the function's name")

    def register(function: F) -> F:
        if schemas.kind(function) is not None:
            raise TypeError(f"a schema is a check by check({tested}, schema={getattr(function, '__name__', '…')})")
        _plain(function, "check")
        made = Declaration("check", function, tested, timeout=limit, at_least=low, at_most=high, severity=severity)
        _register(function).append(made)
        return function

    return register


def _schema(
    schema: Any, asset: str, name: Optional[str], severity: str, timeout: Optional[float], caller: types.FrameType
) -> None:
    """Register a schema with the module whose top level names it; what it is made of is in that module's imports."""
    if schemas.kind(schema) is None:
        raise TypeError(f"schema= takes a pandera schema (pandas or polars) or a dataframely one, not {schema!r}")
    if caller.f_code.co_name != "<module>":
        raise ValueError(f"check({asset}, schema=…) belongs at the top level of a module, not into a function")
    called = f"{asset}_schema" if name is None else name
    _named(called, "a check")
    place = (caller.f_code.co_filename, caller.f_lineno)
    module = str(caller.f_globals.get("__name__", ""))
    function = _testing(schema, asset, called, module)
    declared: list[Declaration] = caller.f_globals.setdefault(REGISTER, [])
    declared.append(Declaration("check", function, asset, timeout=timeout, severity=severity, place=place))


def _testing(schema: Any, asset: str, name: str, module: str) -> Callable[..., Found]:
    """A function that takes the asset as the table that the schema is for, and says what is wrong with it."""

    def holds(**given: Any) -> Found:
        return schemas.judge(schema, given[asset])

    wanted = schemas.table(schema)
    holds.__name__, holds.__qualname__, holds.__module__ = name, SCHEMA + name, module
    holds.__annotations__ = {asset: wanted}
    parameter = inspect.Parameter(asset, inspect.Parameter.KEYWORD_ONLY, annotation=wanted)
    holds.__signature__ = inspect.Signature([parameter])  # type: ignore[attr-defined]
    return holds


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
