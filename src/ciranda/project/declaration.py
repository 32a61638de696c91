"""What a team declares in `ciranda.toml`, as frozen records."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ciranda.project.predictions import Predictions
from ciranda.project.rollout import Rollout
from ciranda.project.values import Scalar


@dataclass(frozen=True, slots=True)
class Source:
    """Files that become an asset: one glob of the tree, or a reference to what lies elsewhere (an absolute glob, a URL)."""

    name: str
    files: str = ""
    line: int = 0
    url: str = ""
    keep: bool = False  # of a reference: its bytes are copied into the store
    schedule: str = ""  # of a reference: when it is looked at for new data

    @property
    def reference(self) -> bool:
        """Whether it lies outside of the tree."""
        return bool(self.url) or self.files.startswith(("/", "~/"))

    @property
    def place(self) -> str:
        """Where it lies, as it is declared: two places are two sources, even under one name."""
        return f"{self.url or self.files}{' (kept)' if self.keep else ''}"


@dataclass(frozen=True, slots=True)
class Setting:
    """A typed configuration value that services and verifications get as an environment variable of its name."""

    name: str
    type: Literal["str", "int", "float", "bool"]
    default: Scalar
    line: int = 0


@dataclass(frozen=True, slots=True)
class Service:
    """A program that answers requests: a prediction function, an ASGI application or any command."""

    name: str
    form: Literal["predict", "app", "command"]
    run: str  # predict, app: "module:name"; command: a shell-like command line, split without a shell
    uses: tuple[str, ...] = ()  # assets
    instances: int = 1
    health: str = "/"
    drain: float = 30.0  # seconds
    start_timeout: float = 60.0  # seconds
    owner: str = ""
    line: int = 0
    secrets: tuple[str, ...] = ()  # names; each instance has their values as files
    predictions: Predictions | None = None  # what is kept of them; None: nothing


@dataclass(frozen=True, slots=True)
class Job:
    """Work that an environment does at its release, on a schedule or by hand: assets that are made anew and checked."""

    name: str
    run: tuple[str, ...]  # assets
    schedule: str | None = None  # as `project.cron` reads it; None: by hand alone
    ready_by: str | None = None  # "07:00", in the schedule's zone
    environments: tuple[str, ...] = ()  # where the schedule holds; empty: the last of the chain
    retries: int = 0
    timeout: float = 21_600.0  # seconds, each attempt
    owner: str = ""
    line: int = 0


@dataclass(frozen=True, slots=True)
class Reaction:
    """What is done when something happens in production: bounded, and explained in the ledger each time."""

    name: str
    on: str  # "drift", "errors", "alert:NAME"
    do: str  # "retrain", "rollback", "job:NAME"
    service: str = ""  # of which service it must be true; "": any
    environments: tuple[str, ...] = ()  # empty: the last of the chain
    cool_down: float = 3600.0  # seconds between two acts
    at_most: int = 3  # acts a day
    ask_first: int = 1  # so many acts need a person's word
    line: int = 0


@dataclass(frozen=True, slots=True)
class Channel:
    """Where people are told what happens, and what they are told there."""

    name: str
    kind: str  # "slack", "teams", "webhook", "email"
    url: str = ""  # "secret:NAME", or of a webhook an address
    email: tuple[str, ...] = ()
    sign: str = ""  # the name of the secret that a webhook is signed with
    severity: str = "info"  # nothing below it: "info", "warn", "page"
    owners: tuple[str, ...] = ()  # empty: everybody's
    events: tuple[str, ...] = ()  # names, or what they begin with; empty: all
    language: str = "en"
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
    approvals: int = 0  # users who must approve the plan of a release before it enters
    secrets: tuple[str, ...] = ()  # names; `verify` has their values as files, Terraform as variables
    infra: str = ""  # a folder of Terraform or OpenTofu, relative to the tree
    infra_check: float = 3600.0  # seconds between looks for its drift
    rollout: Rollout | None = None  # by which steps a release enters; None: at once
    four_eyes: bool = False  # whoever made the change, or applies the plan, does not count among those who approve it
    freeze: tuple[str, ...] = ()  # when no release enters, as `project.freeze` reads it


@dataclass(frozen=True, slots=True)
class Alert:
    """What somebody is told of while its condition holds. Empty `service`: each; empty `environments`: the last of the chain."""

    name: str
    when: str  # a condition: "errors > 5 %"
    hold: float = 0.0  # seconds for which it holds before anybody is told: the key `for`
    severity: str = "ticket"  # "page", "ticket", "info"
    service: str = ""
    environments: tuple[str, ...] = ()
    owner: str = ""
    runbook: str = ""  # an address, or a path in the repository
    off: bool = False
    line: int = 0


@dataclass(frozen=True, slots=True)
class Objective:
    """What a service promises over a window: the share of requests that succeed, or are fast, or both."""

    name: str
    service: str
    availability: float | None = None  # share of requests without an error
    latency: float | None = None  # share of requests that take at most `below`
    below: float | None = None  # seconds
    window: float = 2_592_000.0  # seconds
    environments: tuple[str, ...] = ()  # empty: the last of the chain
    owner: str = ""
    runbook: str = ""
    line: int = 0


@dataclass(frozen=True, slots=True)
class Checks:
    """Code checks: commands that run on the tree and pass with exit status 0; `when_unsure` ("warn" or "ask") by check name."""

    code: tuple[str, ...] = ()
    timeout: float = 600.0  # seconds, each
    when_unsure: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Keep:
    """What `gc` leaves: the newest releases, and all that is younger; what an environment runs is kept anyway."""

    releases: int = 20
    days: int = 90


@dataclass(frozen=True, slots=True)
class Project:
    """A whole `ciranda.toml`. Environments are in promotion order."""

    name: str
    pipeline: str | None  # path of the pipeline file, relative to the tree
    owner: str = ""
    sources: tuple[Source, ...] = ()
    checks: Checks = Checks()
    services: tuple[Service, ...] = ()
    jobs: tuple[Job, ...] = ()
    reactions: tuple[Reaction, ...] = ()
    channels: tuple[Channel, ...] = ()
    alerts: tuple[Alert, ...] = ()
    objectives: tuple[Objective, ...] = ()
    settings: tuple[Setting, ...] = ()
    environments: tuple[Environment, ...] = ()
    private: tuple[str, ...] = ()  # columns shown as digests in evidence
    keep: Keep = Keep()
    path: Path | None = None  # the file it was read from
