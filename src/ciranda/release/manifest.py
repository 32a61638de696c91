"""Manifest 1: what would run and nothing else. No times, numbers, hosts or verdicts: equal content is one release.

The assets of a manifest are all that its run has, so that a release alone says what data and models it is made of. Those
that its services use are written to disk for their instances; older manifests name only these.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ciranda.kernel import digest, errors
from ciranda.project import predictions, rollout
from ciranda.project.predictions import Predictions
from ciranda.project.rollout import Rollout
from ciranda.project.values import Kind, Scalar

FORMAT = "ciranda.release/1"


@dataclass(frozen=True, slots=True)
class Asset:
    """The version of an asset that a release is made of."""

    digest: str
    key: str
    codec: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class Service:
    """A service as a release runs it; `instances` is what was declared, an environment may say otherwise."""

    form: Literal["predict", "app", "command"]
    run: str
    uses: tuple[str, ...]
    instances: int
    health: str
    drain: float  # seconds
    start_timeout: float  # seconds
    owner: str = ""  # its own, else the project's
    secrets: tuple[str, ...] = ()  # names
    predictions: Predictions | None = None  # what is kept of them; private columns are among those that it redacts


@dataclass(frozen=True, slots=True)
class Job:
    """A job as a release does it; `environments` are those in which its schedule holds."""

    run: tuple[str, ...]
    schedule: str | None
    ready_by: str | None
    environments: tuple[str, ...]
    retries: int
    timeout: float  # seconds, each attempt
    owner: str


@dataclass(frozen=True, slots=True)
class Reaction:
    """What a release lets be done when something happens to it."""

    on: str  # "drift", "errors", "alert:NAME"
    do: str  # "retrain", "rollback", "job:NAME"
    service: str  # "": any
    environments: tuple[str, ...]
    cool_down: float  # seconds
    at_most: int  # a day
    ask_first: int


@dataclass(frozen=True, slots=True)
class Alert:
    """What somebody is told of while its condition holds, as a release says it."""

    when: str  # a condition: "errors > 5 %"
    hold: float  # seconds for which it holds before anybody is told
    severity: str  # "page", "ticket", "info"
    service: str  # "": each
    environments: tuple[str, ...]
    owner: str  # "": the service's
    runbook: str
    off: bool


@dataclass(frozen=True, slots=True)
class Objective:
    """What a service promises over a window: the share of requests that succeed, or take at most `below`, or both."""

    service: str
    availability: float | None
    latency: float | None
    below: float | None  # seconds
    window: float  # seconds
    environments: tuple[str, ...]
    owner: str  # "": the service's
    runbook: str


@dataclass(frozen=True, slots=True)
class Setting:
    """A declared configuration value: its type and what it is where no layer says otherwise."""

    type: str
    default: Scalar


@dataclass(frozen=True, slots=True)
class Environment:
    """What the commit says of an environment: its place in the chain, its layer of configuration, its verification."""

    after: str | None
    values: dict[str, Scalar]
    verify: tuple[str, ...]
    verify_timeout: float  # seconds
    approvals: int = 0  # of the plan of a release before it enters
    secrets: tuple[str, ...] = ()  # names, for its verification
    rollout: Rollout | None = None  # by which steps a release enters; None: at once
    four_eyes: bool = False  # its author and who applies the plan do not count among those who approve it
    freeze: tuple[str, ...] = ()  # when no release enters


@dataclass(frozen=True, slots=True)
class Infra:
    """The infrastructure of an environment: a folder of Terraform or OpenTofu, and the digest of its files."""

    folder: str  # relative to the tree
    digest: str
    check: float  # seconds between looks for drift


@dataclass(frozen=True, slots=True)
class Manifest:
    """A release's content. `commit` and `tree` are Git's, `interpreter` and `policy` (the gate's rules) are digests."""

    project: str
    commit: str
    tree: str
    interpreter: str
    parameters: dict[str, Any]
    assets: dict[str, Asset]
    services: dict[str, Service]
    settings: dict[str, Setting]
    environments: dict[str, Environment]  # in promotion order
    policy: str
    jobs: dict[str, Job] = field(default_factory=dict)
    reactions: dict[str, Reaction] = field(default_factory=dict)
    alerts: dict[str, Alert] = field(default_factory=dict)  # those that are declared; others hold by default
    objectives: dict[str, Objective] = field(default_factory=dict)
    infra: dict[str, Infra] = field(default_factory=dict)  # by environment

    def document(self) -> dict[str, Any]:
        """The manifest as JSON values."""
        return {
            "format": FORMAT,
            "project": self.project,
            "commit": self.commit,
            "tree": self.tree,
            "interpreter": self.interpreter,
            "parameters": self.parameters,
            "assets": {name: _values(asset) for name, asset in self.assets.items()},
            "services": {name: _values(service) for name, service in self.services.items()},
            "jobs": {name: _values(job) for name, job in self.jobs.items()},
            "config": {
                "settings": {name: _values(setting) for name, setting in self.settings.items()},
                "environments": {name: _values(place) for name, place in self.environments.items()},
                "chain": list(self.environments),
            },
            "infra": {name: _values(one) for name, one in self.infra.items()},
            "policy": self.policy,
            **({"reactions": {name: _values(one) for name, one in self.reactions.items()}} if self.reactions else {}),
            **({"alerts": {name: _values(one) for name, one in self.alerts.items()}} if self.alerts else {}),
            **(
                {"objectives": {name: _values(one) for name, one in self.objectives.items()}} if self.objectives else {}
            ),
        }

    @property
    def used(self) -> tuple[str, ...]:
        """The assets that its services use, by name."""
        return tuple(sorted({name for service in self.services.values() for name in service.uses}))

    @property
    def unkept(self) -> tuple[str, ...]:
        """The sources that are listed and not kept: what they were is known, and what made it may be gone.

        A release that has some is traceable, not replayable.
        """
        return tuple(sorted(name for name, asset in self.assets.items() if asset.codec == "reference"))

    @property
    def digest(self) -> str:
        """The release's identity."""
        return digest.of("manifest", self.document())

    @property
    def data(self) -> bytes:
        """The canonical bytes, as the store keeps them."""
        return digest.canonical(self.document())


def read(data: bytes) -> Manifest:
    """The manifest whose canonical bytes these are. Raises errors.Invalid for another format."""
    found = digest.parse(data)
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise errors.Invalid(
            "this is not a release manifest that this Ciranda reads", hint="use the Ciranda that made it"
        )
    config = found["config"]
    return Manifest(
        project=found["project"],
        commit=found["commit"],
        tree=found["tree"],
        interpreter=found["interpreter"],
        parameters=found["parameters"],
        assets={name: Asset(**asset) for name, asset in found["assets"].items()},
        services={name: _service(service) for name, service in found["services"].items()},
        settings={name: Setting(**setting) for name, setting in config["settings"].items()},
        environments={name: _environment(config["environments"][name]) for name in config["chain"]},
        policy=found["policy"],
        jobs={
            name: Job(**job | {"run": tuple(job["run"]), "environments": tuple(job["environments"])})
            for name, job in found["jobs"].items()
        },
        infra={name: Infra(**one) for name, one in found.get("infra", {}).items()},
        reactions={
            name: Reaction(**one | {"environments": tuple(one["environments"])})
            for name, one in found.get("reactions", {}).items()
        },
        alerts={
            name: Alert(**one | {"environments": tuple(one["environments"])})
            for name, one in found.get("alerts", {}).items()
        },
        objectives={
            name: Objective(**one | {"environments": tuple(one["environments"])})
            for name, one in found.get("objectives", {}).items()
        },
    )


# Keys that older manifests do not have: left out where they say nothing, so that a release keeps its digest.
_NEWER = {(Service, "owner"), (Service, "secrets"), (Environment, "approvals"), (Environment, "secrets")}
_NEWER |= {(Environment, "rollout"), (Service, "predictions")}
_NEWER |= {(Environment, "four_eyes"), (Environment, "freeze")}


def _values(
    record: Asset | Service | Job | Reaction | Alert | Objective | Setting | Environment | Infra,
) -> dict[str, Any]:
    return {
        name: _value(getattr(record, name))
        for name in record.__dataclass_fields__
        if getattr(record, name) or (type(record), name) not in _NEWER
    }


def _value(value: Any) -> Any:
    if isinstance(value, Rollout | Predictions):
        return value.document()
    return list(value) if isinstance(value, tuple) else value


def _service(service: Mapping[str, Any]) -> Service:
    named: dict[str, Any] = {
        "uses": tuple(service["uses"]),
        "secrets": tuple(service.get("secrets", ())),
        "predictions": predictions.of_document(service.get("predictions")),
    }
    return Service(**{**service, **named})


def _environment(place: Mapping[str, Any]) -> Environment:
    named: dict[str, Any] = {
        "verify": tuple(place["verify"]),
        "secrets": tuple(place.get("secrets", ())),
        "rollout": rollout.of_document(place.get("rollout")),
        "freeze": tuple(place.get("freeze", ())),
    }
    return Environment(**{**place, **named})
