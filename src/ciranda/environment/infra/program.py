"""Terraform or OpenTofu: where it is, its commands as data, and the environment that its processes get."""

import os
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ciranda.kernel import errors

NAMES = ("terraform", "tofu")
MISSING = "neither terraform nor tofu is on the PATH of the server"
HINT = "install Terraform or OpenTofu, then start the server again: ciranda down && ciranda up"
FOLDER = "terraform"  # in the home: what providers were fetched, and the owner's configuration of the command line
CONFIG = "terraform.tfrc"  # in that folder: mirrors, development overrides
_WHERE, _CODE = re.compile(r"on (\S+ line \d+)"), re.compile(r"\d+: |with \S+,$")
_PASSED_ON = (  # of the server's own variables: how the network is reached
    "PATH", "LANG", "LC_ALL", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
    "SSL_CERT_FILE", "SSL_CERT_DIR", "TZ",
)  # fmt: skip
_OURS = ("TF_", "CIRANDA_", "LD_", "PYTHON")  # what no variable of a project may begin with
RETRIES = {
    "TF_HTTP_RETRY_MAX": "8",
    "TF_HTTP_RETRY_WAIT_MIN": "1",
    "TF_HTTP_RETRY_WAIT_MAX": "5",
}  # control may be restarted


@dataclass(frozen=True, slots=True)
class Backend:
    """Where the state is kept by us, and the credentials of one run for it."""

    address: str
    user: str
    password: str

    def variables(self) -> dict[str, str]:
        """As Terraform takes them: never in a file or an argument."""
        places = {f"TF_HTTP_{name}ADDRESS": self.address for name in ("", "LOCK_", "UNLOCK_")}
        return {**places, **RETRIES, "TF_HTTP_USERNAME": self.user, "TF_HTTP_PASSWORD": self.password}


@dataclass(frozen=True, slots=True)
class Given:
    """What a folder is given: plain values and secrets by name, and what it is told of where it is."""

    project: str
    environment: str
    config: Mapping[str, str]
    secrets: Mapping[str, str]

    def variables(self) -> dict[str, str]:
        """Each value as the variable `NAME` of the folder; each secret also as it is, since providers look for theirs so."""
        named = {
            "ciranda_project": self.project,
            "ciranda_environment": self.environment,
            **self.config,
            **self.secrets,
        }
        plain = {
            name: value for name, value in self.secrets.items() if not name.startswith(_OURS) and name not in _PASSED_ON
        }
        return {**plain, **{f"TF_VAR_{name}": value for name, value in named.items()}}


def find(environment: Mapping[str, str] = os.environ) -> Path | None:
    """The program, Terraform before OpenTofu; None where there is neither."""
    found = (shutil.which(name, path=environment.get("PATH")) for name in NAMES)
    return next((Path(path) for path in found if path), None)


def needed(environment: Mapping[str, str] = os.environ) -> Path:
    """The program. Raises errors.Refused where there is none."""
    if (found := find(environment)) is None:
        raise errors.Refused(MISSING, hint=HINT)
    return found


def variables(own: Mapping[str, str], folder: Path, *, config: Path, plugins: Path) -> dict[str, str]:
    """What every process of Terraform gets: of the server's own variables (`own`) only how the network is reached. Pure."""
    kept = {name: own[name] for name in _PASSED_ON if name in own}
    return {
        "LANG": "C.UTF-8",
        **kept,
        "HOME": str(folder / "home"),
        "TF_DATA_DIR": str(folder / "data"),
        "TF_CLI_CONFIG_FILE": str(config),
        "TF_PLUGIN_CACHE_DIR": str(plugins),
        "TF_IN_AUTOMATION": "1",
        "TF_INPUT": "0",
        "CHECKPOINT_DISABLE": "1",
    }


def init(program: Path) -> list[str]:
    """Fetch providers and modules, and open the state."""
    return [str(program), "init", "-input=false", "-no-color"]


def plan(program: Path, out: Path, *, kind: str) -> list[str]:
    """Make a plan: `kind` is "apply", "destroy" or "drift". Ends with 2 where there is something to do.

    It takes no lock: what it is made on is compared again when it is applied.
    """
    modes = {"apply": [], "destroy": ["-destroy"], "drift": ["-refresh-only"]}
    common = ["-input=false", "-no-color", "-lock=false", "-detailed-exitcode", f"-out={out}"]
    return [str(program), "plan", *common, *modes[kind]]


def show(program: Path, file: Path) -> list[str]:
    """A saved plan as JSON."""
    return [str(program), "show", "-json", "-no-color", str(file)]


def apply(program: Path, file: Path) -> list[str]:
    """Do what a saved plan says, and nothing else."""
    return [str(program), "apply", "-input=false", "-json", "-lock-timeout=0s", str(file)]


def pull(program: Path) -> list[str]:
    """The state as it is."""
    return [str(program), "state", "pull"]


def said(lines: Sequence[str]) -> str:
    """Why Terraform failed, in a line: of what it calls errors the first that says where, else the first. Pure."""
    plain = [line.strip("│╷╵ \t") for line in lines]
    starts = [place for place, line in enumerate(plain) if line.startswith("Error: ")]
    if not starts:
        return next((line for line in reversed(plain) if line), "it said nothing")
    found = [_error(plain[start:end]) for start, end in zip(starts, [*starts[1:], len(plain)], strict=True)]
    return next((text for where, text in found if where), found[0][1])


def _error(lines: Sequence[str]) -> tuple[str, str]:
    """Where an error is ("" if it does not say), and all of it in a line: `main.tf line 3: Unsupported argument: …`."""
    place = next((place for place, line in enumerate(lines) if _WHERE.match(line)), None)
    where = "" if place is None else _WHERE.match(lines[place])[1]  # type: ignore[index] # it matched just now
    detail: list[str] = []
    for line in lines[1 if place is None else place + 1 :]:
        if not line and detail:
            break
        if line and not _CODE.match(line):
            detail.append(line)
    what = ": ".join(part for part in (lines[0].removeprefix("Error: "), " ".join(detail)) if part)
    return where, f"{where}: {what}" if where else what
