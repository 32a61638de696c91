"""What a step or check is called with: assets, markers and parameters, each as its signature wants it."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Optional

from ciranda.runtime import codecs, protocol, rule, sources, traces
from ciranda.runtime.kept import Kept
from ciranda.runtime.markers import Run


class Failure(Exception):
    """What the engine is told with `failed`."""

    def __init__(self, kind: str, message: str, traceback: str = "") -> None:
        super().__init__(message)
        self.kind, self.message, self.traceback = kind, message, traceback


@dataclass(frozen=True)
class Parameter:
    """One parameter of a function."""

    name: str
    marker: Optional[str]  # "asset", "live", "run"; None for a parameter with a default
    wanted: str  # what its annotation asks codecs for
    default: Any
    positional: bool


@dataclass(frozen=True)
class Prepared:
    """A function and what there is to know of its signature."""

    function: Callable[..., Any]
    parameters: tuple[Parameter, ...]
    returns: str


def prepare(function: Callable[..., Any], kind: str) -> Prepared:
    """Read the signature of a step or a check. Raises Failure of kind "import"."""
    try:
        taken = rule.taken(function, kind)
    except rule.Mistake as mistake:
        raise Failure("import", f"{function.__name__}: {mistake}") from mistake
    markers = {item.parameter: item.marker or "asset" for item in taken.inputs}
    parameters = tuple(
        Parameter(
            name,
            markers.get(name),
            codecs.wanted(taken.hints.get(name)),
            parameter.default,
            parameter.kind is inspect.Parameter.POSITIONAL_ONLY,
        )
        for name, parameter in taken.signature.parameters.items()
    )
    return Prepared(function, parameters, codecs.wanted(taken.hints.get("return")))


class Inputs:
    """Turns the handovers of one run's steps and checks into values."""

    def __init__(self, tree: Path, folder: Path, run: dict[str, Any], kept: Kept) -> None:
        self._tree, self._folder, self._run, self._kept = tree, folder, run, kept

    def arguments(
        self, prepared: Prepared, header: protocol.Header, payload: bytes, scratch: Path
    ) -> tuple[list[Any], dict[str, Any]]:
        """The arguments of a call. Raises Failure of kind "unloadable" or "protocol"."""
        inputs, parameters = header.get("inputs") or {}, header.get("parameters") or {}
        inline = slices(inputs, payload)
        who = f"{header['type']} {prepared.function.__name__}"
        args: list[Any] = []
        kwargs: dict[str, Any] = {}
        for parameter in prepared.parameters:
            name = parameter.name
            if parameter.marker is None:
                value = rule.coerce(parameter.default, parameters.get(name, parameter.default))
            elif parameter.marker == "run":
                scratch.mkdir(parents=True, exist_ok=True)
                run = self._run
                value = Run(run.get("id", ""), run.get("commit"), run.get("dirty", 0), scratch)
            elif inputs.get(name) is not None:
                value = self._input(inputs[name], inline.get(name), parameter.wanted, who, scratch)
            elif parameter.marker == "live":
                value = None
            else:
                raise Failure("protocol", f"{who}: no input was handed over for the parameter {name}")
            if parameter.positional:
                args.append(value)
            else:
                kwargs[name] = value
        return args, kwargs

    def _input(self, handover: dict[str, Any], data: Optional[bytes], wanted: str, who: str, scratch: Path) -> Any:
        """One asset as the parameter's annotation wants it."""
        asset, codec = handover.get("name") or "", handover["codec"]
        kept = self._kept.made(asset, wanted) if handover.get("held") else None
        if kept is not None:
            return kept
        if data is None and "path" not in handover:
            raise Failure("unloadable", f"{who}: {asset} was handed over neither by path nor inline")
        path = None if data is not None else self._folder / handover["path"]
        kept = None if path is None else self._kept.read(path, codec, wanted)
        if kept is not None:
            return kept
        try:
            if codec == "files" and path is not None and wanted == "pathlib.Path":
                return sources.path(path, one=bool(handover.get("one", True)))
            if data is not None and wanted == "pathlib.Path":
                scratch.mkdir(parents=True, exist_ok=True)
                path = scratch / (asset or "input")
                path.write_bytes(data)
                return path
            value = codecs.load(path if path is not None else data or b"", codec, wanted)
        except (codecs.Unloadable, sources.Unreadable) as error:
            raise Failure("unloadable", f"{who}: {asset} cannot be handed over: {error}") from error
        except BaseException as error:  # third parties' readers and the classes of a pickle
            message = f"{who}: {asset} ({codec}) cannot be loaded: {traces.summary(error)}"
            raise Failure("unloadable", message, traces.shown(error, str(self._tree))) from error
        if path is not None:
            self._kept.keep_read(path, codec, wanted, value)
        return value


def slices(inputs: dict[str, Any], payload: bytes) -> dict[str, bytes]:
    """The bytes of the inputs that travel in the payload, one after the other."""
    inline = [(name, handover) for name, handover in inputs.items() if handover and handover.get("inline")]
    if len(inline) == 1:
        return {inline[0][0]: payload}
    found: dict[str, bytes] = {}
    place = 0
    for name, handover in inline:
        size = int(handover["size"])
        found[name] = payload[place : place + size]
        place += size
    if place != len(payload):
        raise Failure("protocol", f"the inline inputs take {place} bytes, but the payload has {len(payload)}")
    return found
