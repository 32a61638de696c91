"""A prediction function as a service: what a request may hold, how requests share one call, what an answer is."""

from __future__ import annotations

import inspect
import re
import sys
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional

import msgspec
import msgspec.inspect

from ciranda.runtime import assets, codecs, describe, rule, traces

ROWS = 256  # rows that requests share in one call of predict
PLACE = re.compile(r" - at `\$(?:\[(\d+)\])?(.*?)`\Z")
NAMED = re.compile(r"field `([^`]*)`")


class Refused(Exception):
    """A prediction function that cannot be served; the message says why."""


class Rejected(Exception):
    """A request that cannot be answered: an HTTP status, and the JSON object that says why."""

    def __init__(self, status: int, **body: Any) -> None:
        super().__init__(body["error"])
        self.status, self.body = status, body


@dataclass(frozen=True)
class Rows:
    """The rows of one request, and whether it was one object rather than an array."""

    rows: list[Any]
    single: bool


@dataclass(frozen=True)
class Predict:
    """A loaded prediction function: bytes to rows, rows to answers, answers to bytes."""

    name: str
    call: Callable[[list[Any]], Any]
    row: msgspec.json.Decoder[Any]
    array: msgspec.json.Decoder[Any]
    encoder: msgspec.json.Encoder

    def decode(self, body: bytes) -> Rows:
        """One object or an array of them. Raises Rejected: 400 for what is not JSON, 422 naming row and field."""
        single = not body.lstrip(b" \t\r\n").startswith(b"[")
        try:
            return Rows([self.row.decode(body)], True) if single else Rows(self.array.decode(body), False)
        except msgspec.ValidationError as error:
            _must_be_json(body)
            raise Rejected(422, **invalid(str(error))) from error
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
            raise Rejected(400, error=f"the body is not JSON: {error}") from error

    def answers(self, rows: list[Any]) -> Sequence[Any]:
        """What predict answers for rows, one answer a row. Raises Rejected, or whatever predict raises."""
        found = listed(self.call(rows))
        if len(found) != len(rows):
            raise Rejected(500, error=f"predict answered {len(found)} times for {len(rows)} rows")
        return found

    def encode(self, answer: Any) -> bytes:
        """An answer's JSON. Raises TypeError or ValueError for what JSON cannot say."""
        return self.encoder.encode(answer)

    def together(self, requests: Sequence[Rows]) -> list[Any]:
        """The answers of several requests from one call: a list of answers each, or the Rejected that each gets.

        Where the shared call fails, each request is tried alone, so that a bad one cannot fail its neighbours.
        """
        if len(requests) == 1:
            return [self._alone(requests[0])]
        try:
            found = self.answers([row for request in requests for row in request.rows])
        except BaseException:  # noqa: BLE001 - the user's code; what it raised is told when a request fails alone
            return [self._alone(request) for request in requests]
        shared: list[Any] = []
        place = 0
        for request in requests:
            shared.append(found[place : place + len(request.rows)])
            place += len(request.rows)
        return shared

    def _alone(self, request: Rows) -> Any:
        if not request.rows:
            return []
        try:
            return self.answers(request.rows)
        except Rejected as rejected:
            print(f"{self.name}: {rejected}", file=sys.stderr)  # noqa: T201 - the service's log
            return rejected
        except BaseException as error:  # noqa: BLE001 - the user's code
            print(traces.shown(error), file=sys.stderr)  # noqa: T201 - the service's log
            return Rejected(500, error=f"predict raised {type(error).__name__}; the service's log has the traceback")


def _must_be_json(body: bytes) -> None:
    """A body may fail its type before the place where it is no JSON is reached: 400 counts more. Raises Rejected."""
    try:
        msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise Rejected(400, error=f"the body is not JSON: {error}") from error


def invalid(message: str) -> dict[str, Any]:
    """What msgspec says of an invalid body, as `{"error", "row", "field"}`; the row of one object is 0."""
    place = PLACE.search(message)
    text = message[: place.start()] if place else message
    row = int(place[1]) if place and place[1] else 0
    field = place[2].lstrip(".") if place else ""
    named = NAMED.search(text)
    if named:
        field = f"{field}.{named[1]}" if field else named[1]
    body: dict[str, Any] = {"error": text[:1].lower() + text[1:], "row": row, "field": field}
    return body


def listed(answer: Any) -> Sequence[Any]:
    """What predict returned as a list: lists, arrays, series, and data frames as records. Raises Rejected."""
    if isinstance(answer, (list, tuple)):
        return answer
    for method, arguments in (("to_dicts", ()), ("to_list", ()), ("tolist", ())):
        convert = getattr(answer, method, None)
        if convert is not None:
            found = convert(*arguments)
            if isinstance(found, list):
                return found
    if hasattr(answer, "to_dict") and hasattr(answer, "columns"):
        return list(answer.to_dict("records"))
    if isinstance(answer, (str, bytes, Mapping)) or not hasattr(answer, "__iter__"):
        raise Rejected(500, error=f"predict returned {codecs.article(answer)} instead of one answer a row")
    return list(answer)


def open(name: str, variables: Mapping[str, str]) -> Predict:
    """The function "module:function", with its assets loaded. Raises Refused, or whatever the module raises."""
    if ":" not in name:
        raise Refused(f'{name!r} names no function: predict = "module:function"')
    function = describe.resolve(name)
    row = row_type(function, name)
    try:
        taken = rule.taken(function, "service")
    except rule.Mistake as mistake:
        raise Refused(f"{name}: {mistake}") from mistake
    hints = rule.hints_of(function)
    given: dict[str, Any] = {}
    for item in taken.inputs[1:]:
        if item.marker is not None:
            raise Refused(
                f"{name}: {item.parameter}={item.marker}(…) is a marker for steps and checks, not for predict"
            )
        given[item.parameter] = assets.loaded(item.asset, codecs.wanted(hints.get(item.parameter)), variables)
    if isinstance(msgspec.inspect.type_info(row), msgspec.inspect.CustomType):
        kinds = "a msgspec.Struct, a dataclass, a TypedDict or dict"
        raise Refused(f"{name}: rows of {rule.spell(row)} cannot be read from JSON; a row is {kinds}")
    try:
        return Predict(
            name=name,
            call=lambda rows: function(rows, **given),
            row=msgspec.json.Decoder(row),
            array=msgspec.json.Decoder(list[row]),  # type: ignore[valid-type]
            encoder=msgspec.json.Encoder(enc_hook=_plain),
        )
    except TypeError as error:
        raise Refused(f"{name}: rows of {rule.spell(row)} cannot be read from JSON: {error}") from error


def row_type(function: Callable[..., Any], name: str) -> Any:
    """The type of one row, from the annotation of the first parameter: `rows: list[T]`; without one, any object."""
    if inspect.iscoroutinefunction(inspect.unwrap(function)):
        raise Refused(f"{name} is an async function; predict is an ordinary one")
    first: Optional[inspect.Parameter] = next(iter(inspect.signature(function).parameters.values()), None)
    if first is None or first.default is not first.empty or first.kind is first.KEYWORD_ONLY:
        raise Refused(f"{name} has to take the rows first: def {name.partition(':')[2]}(rows: list[Row], ...)")
    annotation = rule.single(rule.hints_of(function).get(first.name))
    if annotation is None or annotation in (list, Any):
        return dict
    origin = typing.get_origin(annotation)
    if isinstance(annotation, str) or not isinstance(origin, type) or not issubclass(list, origin):
        raise Refused(
            f"{name}: {first.name} is a list of rows, so its annotation is list[Row], not {rule.spell(annotation)}"
        )
    row = typing.get_args(annotation)[0]
    return dict if row is Any else row


def _plain(value: Any) -> Any:
    """Numpy's scalars and arrays, and series, as JSON's values."""
    for method in ("tolist", "to_list", "item"):
        if hasattr(value, method):
            return getattr(value, method)()
    raise TypeError(f"predict answered {codecs.article(value)}, which JSON cannot say")
