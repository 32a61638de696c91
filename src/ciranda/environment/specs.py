"""From a release and a revision to the specification of each service's instances. Pure.

Nothing in a specification changes with the revision's number: equal content gives equal specifications, so going back
to what is still warm is a swap of the route.
"""

import json
import shlex
from dataclasses import dataclass
from pathlib import Path

from ciranda.environment.observed import Part
from ciranda.environment.revisions import Revision
from ciranda.kernel import errors
from ciranda.project import layers
from ciranda.release.manifest import Manifest, Service
from ciranda.service import port

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, slots=True)
class Program:
    """The interpreter of a release on this machine, and the folders that it needs to see."""

    python: Path
    folders: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class Ground:
    """Where a machine puts what instances of an environment need; `gateway` is its address as instances reach it."""

    trees: Path
    gateway: str
    predictions: Path = Path()  # where services that keep their predictions write them, a folder each

    def tree(self, content: Manifest) -> Path:
        """The tree that instances of a release run in."""
        return self.trees / f"{content.project}-{content.commit}"

    def asset(self, content: Manifest, name: str) -> Path:
        """Where the version of an asset lies, beside the tree."""
        version = content.assets[name]
        return self.trees / f"{content.project}-{content.commit}.assets" / version.digest.removeprefix("b3:")

    def spool(self, project: str, environment: str, service: str) -> Path:
        """Where the instances of a service write what they predicted, until it is collected."""
        return self.predictions / project / environment / service


def parts(content: Manifest, revision: Revision, *, release: str, ground: Ground, program: Program) -> tuple[Part, ...]:
    """What each service of a revision runs. `release` is what people call it (`r42`).

    Raises errors.Invalid for a command line that cannot be split.
    """
    made = []
    for name, service in sorted(content.services.items()):
        spec = _spec(content, revision, name, service, release=release, ground=ground, program=program)
        count = revision.instances[name].count if name in revision.instances else service.instances
        made.append(Part(name, spec, spec.digest, count))
    return tuple(made)


def variable(name: str) -> str:
    """A name as it stands in a variable: `raw-weather` → `RAW_WEATHER`."""
    return name.upper().replace("-", "_")


def _spec(
    content: Manifest,
    revision: Revision,
    name: str,
    service: Service,
    *,
    release: str,
    ground: Ground,
    program: Program,
) -> port.InstanceSpec:
    tree = ground.tree(content)
    spool = None if service.predictions is None else ground.spool(content.project, revision.environment, name)
    assets = {asset: ground.asset(content, asset) for asset in sorted(service.uses)}
    return port.InstanceSpec(
        project=content.project,
        environment=revision.environment,
        service=name,
        release=release,
        form=service.form,
        argv=_argv(name, service, program),
        variables=_machine(program)
        | {key: layers.text(value.value) for key, value in sorted(revision.config.items())}
        | _contract(content, revision, name, release, assets, ground)
        | ({} if spool is None else {"CIRANDA_PREDICTIONS": _kept(content, service, spool)}),
        directory=tree,
        health=service.health,
        drain=service.drain,
        start_timeout=service.start_timeout,
        mounts=(
            *(port.Mount(path) for path in (tree, *assets.values(), *program.folders)),
            *(() if spool is None else (port.Mount(spool, writable=True),)),
        ),
        secrets={name: revision.secrets[name] for name in service.secrets if name in revision.secrets},
    )


def _kept(content: Manifest, service: Service, spool: Path) -> str:
    """What the model server is told of what it keeps (`runtime/spool.py` reads it)."""
    assert service.predictions is not None
    told = {
        "folder": str(spool),
        "sample": service.predictions.sample,
        "redact": list(service.predictions.redact),
        "models": {name: content.assets[name].digest for name in service.uses if content.assets[name].kind == "model"},
    }
    return json.dumps(told, sort_keys=True)


def _argv(name: str, service: Service, program: Program) -> tuple[str, ...]:
    if service.form == "predict":
        return (str(program.python), "-I", "-m", "ciranda.runtime.server", service.run)
    if service.form == "app":
        return (str(program.python), "-I", "-m", "ciranda.runtime.asgi", service.run, f"{service.drain:g}")
    try:
        argv = tuple(shlex.split(service.run))
    except ValueError as error:
        raise errors.Invalid(f"services.{name}.command cannot be split: {error}", where="ciranda.toml") from error
    if not argv:
        raise errors.Invalid(f"services.{name}.command is empty", where="ciranda.toml")
    return argv


def _machine(program: Program) -> dict[str, str]:
    """Where programs are found; fixed, so that it does not change with whoever started control."""
    return {
        "PATH": f"{program.python.parent}:{_PATH}",
        "PYTHONDONTWRITEBYTECODE": "1",
        "VIRTUAL_ENV": str(program.python.parent.parent),
    }


def _contract(
    content: Manifest, revision: Revision, name: str, release: str, assets: dict[str, Path], ground: Ground
) -> dict[str, str]:
    """Instance contract 1, but for PORT and CIRANDA_SOCKET."""
    prefix = f"/{content.project}/{revision.environment}"
    variables = {
        "CIRANDA_SERVICE": name,
        "CIRANDA_ENVIRONMENT": revision.environment,
        "CIRANDA_RELEASE": release,
        "CIRANDA_BASE_PATH": f"{prefix}/{name}",
    }
    for asset, path in assets.items():
        variables[f"CIRANDA_ASSET_{variable(asset)}"] = str(path)
        variables[f"CIRANDA_CODEC_{variable(asset)}"] = content.assets[asset].codec
    for sibling in sorted(content.services):
        if sibling != name:
            variables[f"CIRANDA_URL_{variable(sibling)}"] = f"{ground.gateway}{prefix}/{sibling}"
    return variables
