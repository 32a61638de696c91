"""Confinement: a process that sees the machine read-only, without its secrets, other processes and temporary files.

Bubblewrap does it. The whole file system is read-only; temporary folders are empty and private; hidden paths are
empty; what the caller names is put back, and among nested paths the most specific one wins. The network stays shared.
`CIRANDA_CONFINE=off` turns it off.
"""

import functools
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

PROGRAM = "bwrap"
_NAMESPACES = ("--unshare-pid", "--unshare-ipc", "--new-session", "--cap-drop", "ALL")
_CREDENTIALS = (  # of a user's home: clouds, clusters, registries, forges, databases
    ".aws",
    ".azure",
    ".boto",
    ".cargo/credentials",
    ".cargo/credentials.toml",
    ".config/gcloud",
    ".config/gh",
    ".config/git/credentials",
    ".config/hub",
    ".config/rclone",
    ".databrickscfg",
    ".docker",
    ".git-credentials",
    ".gnupg",
    ".huggingface",
    ".kaggle",
    ".kube",
    ".local/share/keyrings",
    ".netrc",
    ".npmrc",
    ".pgpass",
    ".pypirc",
    ".snowflake",
    ".snowsql",
    ".ssh",
    ".terraform.d",
    ".vault-token",
)
_GPU = ("nvidia*", "dri", "kfd", "dxg")


@dataclass(frozen=True, slots=True)
class Availability:
    """Whether processes can be confined here, and why not; true in a condition when they can."""

    works: bool
    why: str = ""

    def __bool__(self) -> bool:
        return self.works


@dataclass(frozen=True, slots=True)
class Mount:
    """What one path is under confinement."""

    path: Path
    kind: Literal["devices", "hidden", "empty-file", "private", "readable", "writable"]


def available(environment: Mapping[str, str] = os.environ) -> Availability:
    """Whether `wrap` gives something that runs here. Bubblewrap is tried once a process."""
    if environment.get("CIRANDA_CONFINE", "").lower() in {"off", "0", "no"}:
        return Availability(False, "CIRANDA_CONFINE=off")
    return _probe()


def wrap(
    argv: Sequence[str],
    *,
    readable: Iterable[Path] = (),
    writable: Iterable[Path] = (),
    hidden: Iterable[Path] = (),
    directory: Path,
    die_with_parent: bool,
    info_fd: int | None = None,
) -> list[str]:
    """The command that runs `argv` in `directory` confined.

    `readable` (the directory is one of them) and `writable` are visible even under a hidden or temporary path and must
    exist; `hidden` and the user's credential folders are emptied, if they exist. A program that lies in a temporary
    folder must be named too. With `info_fd` bubblewrap writes the pid of the namespace's first process there, as JSON;
    the program is that process's child.
    """
    mounts = [Mount(Path("/dev"), "devices"), *(Mount(path, "private") for path in _temporary())]
    mounts += [
        Mount(path, "hidden" if path.is_dir() else "empty-file")
        for path in _real([*hidden, *credentials(Path(os.path.expanduser("~")))])
    ]
    mounts += [Mount(path, "readable") for path in _real([directory, *readable, *_resolver()])]
    mounts += [Mount(path, "writable") for path in _real(writable)]
    command = [PROGRAM, "--ro-bind", "/", "/", "--proc", "/proc", *_NAMESPACES, *arguments(mounts)]
    for device in (found for pattern in _GPU for found in sorted(Path("/dev").glob(pattern))):
        command += ["--dev-bind", str(device), str(device)]
    if die_with_parent:
        command += ["--die-with-parent"]
    if info_fd is not None:
        command += ["--info-fd", str(info_fd)]
    return [*command, "--chdir", str(directory), "--", *argv]


def arguments(mounts: Iterable[Mount]) -> list[str]:
    """Bubblewrap's arguments for mounts, parents first; of two kinds for one path the last named wins. Pure."""
    chosen = {mount.path: mount for mount in mounts}
    done: list[Mount] = []
    options: list[str] = []
    for mount in sorted(chosen.values(), key=lambda mount: (len(mount.path.parts), mount.path)):
        above = max(
            (other for other in done if mount.path.is_relative_to(other.path)),
            key=lambda o: len(o.path.parts),
            default=None,
        )
        path = str(mount.path)
        match mount.kind:
            case "devices":
                options += ["--dev", path]
            case "hidden" | "private" | "empty-file" if above and above.kind in {"devices", "hidden", "private"}:
                continue  # nothing is left there to hide
            case "hidden" | "private":
                options += ["--tmpfs", path]
            case "empty-file":
                options += ["--ro-bind", "/dev/null", path]
            case "readable" if above is None or above.kind == "readable":
                continue
            case "readable":
                options += ["--ro-bind", path, path]
            case "writable":
                options += ["--bind", path, path]
        done.append(mount)
    for mount in done:
        if mount.kind == "hidden":
            options += ["--remount-ro", str(mount.path)]  # after the binds, which need folders made in it
    return options


def credentials(home: Path) -> list[Path]:
    """The folders and files of a user's home that hold credentials, those that exist."""
    return [path for name in _CREDENTIALS if (path := home / name).exists()]


def _temporary() -> list[Path]:
    return list(dict.fromkeys(_real([Path("/tmp"), Path("/run"), Path("/var/tmp"), Path(tempfile.gettempdir())])))


def _resolver() -> list[Path]:
    """Where the name resolver's configuration really lies, when that is under a folder that is emptied."""
    return (
        [real.parent] if (real := Path("/etc/resolv.conf").resolve()).is_relative_to("/run") and real.exists() else []
    )


def _real(paths: Iterable[Path]) -> list[Path]:
    return [path.resolve() for path in paths if path.exists()]


@functools.cache
def _probe() -> Availability:
    if shutil.which(PROGRAM) is None:
        return Availability(False, "bubblewrap (bwrap) is not installed")
    command = wrap(["true"], directory=Path("/"), die_with_parent=True)
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=10, stdin=subprocess.DEVNULL, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return Availability(False, f"bubblewrap does not run: {error}")
    if done.returncode:
        return Availability(
            False, f"bubblewrap does not work here: {(done.stderr.strip().splitlines() or ['no reason given'])[-1]}"
        )
    return Availability(True)
