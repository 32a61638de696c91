"""What a team declares in `ciranda.toml`, as frozen records."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Scalar = str | int | float | bool


@dataclass(frozen=True, slots=True)
class Source:
    """Files of the tree that become an asset: one glob, in name order."""

    name: str
    files: str
    line: int = 0


@dataclass(frozen=True, slots=True)
class Setting:
    """A typed configuration value that services and verifications get as an environment variable of its name."""

    name: str
    type: Literal["str", "int", "float", "bool"]
    default: Scalar
    line: int = 0


@dataclass(frozen=True, slots=True)
class Service:
    """A program that answers requests: a prediction function or any command."""

    name: str
    form: Literal["predict", "command"]
    run: str  # predict: "module:function"; command: a shell-like command line, split without a shell
    uses: tuple[str, ...] = ()  # assets
    instances: int = 1
    health: str = "/"
    drain: float = 30.0  # seconds
    start_timeout: float = 60.0  # seconds
    line: int = 0


@dataclass(frozen=True, slots=True)
class Environment:
    """A named place of the promotion chain."""

    name: str
    after: str | None = None
    verify: tuple[str, ...] = ()  # commands, run against the environment after its route is swapped
    verify_timeout: float = 300.0  # seconds
    config: dict[str, Scalar] = field(default_factory=dict)
    line: int = 0


@dataclass(frozen=True, slots=True)
class Checks:
    """Code checks: commands that run on the tree and pass with exit status 0; `when_unsure` ("warn") by check name."""

    code: tuple[str, ...] = ()
    timeout: float = 600.0  # seconds, each
    when_unsure: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Project:
    """A whole `ciranda.toml`. Environments are in promotion order."""

    name: str
    pipeline: str | None  # path of the pipeline file, relative to the tree
    owner: str = ""
    sources: tuple[Source, ...] = ()
    checks: Checks = Checks()
    services: tuple[Service, ...] = ()
    settings: tuple[Setting, ...] = ()
    environments: tuple[Environment, ...] = ()
    private: tuple[str, ...] = ()  # columns shown as digests in evidence
    path: Path | None = None  # the file it was read from
