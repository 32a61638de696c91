"""The machine: what Ciranda needs of it, observed once and judged purely."""

import os
import platform
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ciranda.app import home as homes
from ciranda.app import up
from ciranda.app.doctor import findings
from ciranda.app.doctor.findings import Finding
from ciranda.environment import memory
from ciranda.kernel import confine, errors, sockets, volatile
from ciranda.versions import repositories

FULL, LOW = 200_000_000, 2_000_000_000  # bytes that are left: nothing works any more; soon
NO_NAMES, FEW_NAMES = 0.01, 0.05  # of the names (inodes) that a disk can hold
FILES = 1024  # open files; a keeper raises its own limit to the hard one
NETWORK = frozenset(
    {
        "nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "ceph", "lustre", "beegfs", "glusterfs", "davfs", "fuse.sshfs",
        "fuse.glusterfs", "fuse.ceph", "fuse.s3fs", "fuse.rclone", "fuse.gcsfuse", "fuse.davfs2", "fuse.mount-s3",
    }
)  # fmt: skip
SHARED = frozenset({"9p", "drvfs", "vboxsf", "virtiofs", "prl_fs", "fuse.grpcfuse", "fuse.osxfs", "fuse.vmhgfs-fuse"})
_NAMESPACES = (  # what keeps users from making namespaces: file, the value that does, the setting that lets them
    ("kernel/apparmor_restrict_unprivileged_userns", "1", "kernel.apparmor_restrict_unprivileged_userns=0"),
    ("kernel/unprivileged_userns_clone", "0", "kernel.unprivileged_userns_clone=1"),
    ("user/max_user_namespaces", "0", "user.max_user_namespaces=15000"),
)


@dataclass(frozen=True, slots=True)
class Disk:
    """A disk that something of ours lies on; bytes, and names (inodes; 0: it does not count them)."""

    role: str
    path: str
    kind: str  # as Linux calls the file system
    size: int
    free: int
    names: int
    names_free: int
    device: int = 0


@dataclass(frozen=True, slots=True)
class Machine:
    """What was found."""

    system: str
    python: str
    git: str  # "2.39.5", or ""
    git_wrong: tuple[str, str]  # what, and what to do; "": it is new enough
    uv: str  # where it is, or ""
    confined: confine.Availability
    namespaces: str  # the setting that would let users make them, or ""
    disks: tuple[Disk, ...]
    secrets: str  # where secrets of instances lie
    secrets_in_memory: bool
    files: tuple[int, int]  # most open files: now, and if it is asked for
    memory: str  # of /proc/meminfo
    sockets: str  # the folder, or ""
    sockets_wrong: tuple[str, str]


def observe(home: homes.Home) -> Machine:
    """Look at this machine, as the home needs it."""
    secrets = volatile.place(home.root, "secrets")
    folder, folder_wrong = _sockets(home)
    return Machine(
        system=f"{platform.system()} {platform.release()} on {platform.machine()}",
        python=platform.python_version(),
        git=_git(),
        git_wrong=_git_wrong(),
        uv=_uv(),
        confined=confine.available(),
        namespaces=next((setting for name, bad, setting in _NAMESPACES if _said(f"/proc/sys/{name}") == bad), ""),
        disks=tuple(_disks(home.root)),
        secrets=str(secrets),
        secrets_in_memory=not secrets.is_relative_to(home.root),
        files=resource.getrlimit(resource.RLIMIT_NOFILE),
        memory=_said("/proc/meminfo"),
        sockets=folder,
        sockets_wrong=folder_wrong,
    )


def judge(machine: Machine, *, collect: str) -> Iterator[Finding]:
    """What that means. `collect`: the command that makes room in a home. Pure."""
    yield findings.ok(f"Python {machine.python}, {machine.system}")
    if machine.git_wrong[0]:
        yield findings.wrong(machine.git_wrong[0], mend=machine.git_wrong[1])
    else:
        yield findings.ok(f"git {machine.git}")
    if machine.uv:
        yield findings.ok("uv, which builds interpreters")
    else:
        yield findings.wrong(
            "uv is not there: no interpreter can be built",
            mend=f"{up.typed(Path(sys.executable))} -m pip install --force-reinstall uv",
        )
    yield _confined(machine)
    for disk in machine.disks:
        yield from _disk(disk, collect)
    if machine.secrets_in_memory:
        yield findings.ok("secrets of instances lie in memory alone", machine.secrets)
    else:
        yield findings.warn(
            "secrets of instances are written to the disk: no place in memory can be written",
            machine.secrets,
            "sudo mount -t tmpfs -o mode=1777,size=64m tmpfs /dev/shm",
        )
    if machine.sockets_wrong[0]:
        yield findings.wrong(machine.sockets_wrong[0], machine.sockets, machine.sockets_wrong[1])
    else:
        yield findings.ok("sockets have a private place", machine.sockets)
    now, most = machine.files
    if most not in (-1, resource.RLIM_INFINITY) and most < FILES:
        yield findings.warn(
            f"a process may open {most:,} files: the gateway needs one for each client and instance",
            mend="raise it: ulimit -Hn 65536, or LimitNOFILE=65536 of a systemd unit",
        )
    else:
        yield findings.ok(f"{now if most < now else most:,} open files" if most > 0 else "any number of open files")
    yield _memory(machine.memory)


def _confined(machine: Machine) -> Finding:
    if machine.confined:
        return findings.ok("bubblewrap confines what steps, checks and services do")
    why = machine.confined.why
    if "CIRANDA_CONFINE" in why:
        return findings.warn(f"nothing is confined: {why}", mend="unset CIRANDA_CONFINE")
    mend = (
        "sudo apt install bubblewrap" if "not installed" in why else "run on a machine that lets users make namespaces"
    )
    if machine.namespaces and "not installed" not in why:
        mend = f"sudo sysctl -w {machine.namespaces}"
    return findings.warn(f"nothing is confined: {why}", mend=mend)


def _disk(disk: Disk, collect: str) -> Iterator[Finding]:
    if disk.kind in NETWORK:
        yield findings.wrong(
            f"{disk.role} lies on a network file system ({disk.kind}), whose locks are not sure: the ledger can be lost",
            disk.path,
            "move it to a disk of this machine: ciranda backup FILE, then ciranda restore FILE --home DIR",
        )
    elif disk.kind in SHARED:
        yield findings.warn(
            f"{disk.role} lies on a file system of another machine ({disk.kind}), whose locks may not be sure",
            disk.path,
            "move it to a disk of this machine: ciranda backup FILE, then ciranda restore FILE --home DIR",
        )
    room = f"{findings.size(disk.free)} of {findings.size(disk.size)} free for {disk.role}"
    if disk.free < FULL:
        yield findings.wrong(f"the disk is full: {room}", disk.path, collect)
    elif disk.free < LOW:
        yield findings.warn(f"the disk is nearly full: {room}", disk.path, collect)
    else:
        yield findings.ok(room, disk.path)
    if disk.names and disk.names_free < disk.names * FEW_NAMES:
        said = f"the disk can hold {findings.plural(disk.names_free, 'more file')} (of {disk.names:,})"
        full = disk.names_free < disk.names * NO_NAMES
        yield (findings.wrong if full else findings.warn)(f"{said}, for {disk.role}", disk.path, collect)


def _memory(text: str) -> Finding:
    kilobytes = dict[str, int]()
    for line in text.splitlines():
        name, _, rest = line.partition(":")
        if rest.split() and rest.split()[0].isdecimal():
            kilobytes[name] = int(rest.split()[0])
    free, whole = kilobytes.get("MemAvailable"), kilobytes.get("MemTotal")
    if free is None or whole is None:
        return findings.ok("how much memory there is cannot be told here")
    said = f"{findings.size(free * 1024)} of {findings.size(whole * 1024)} of memory available"
    if memory.is_short(text):
        return findings.warn(
            f"memory is short: {said}; what is warm is given up, so going back takes a start",
            mend="run fewer instances: ciranda scale SERVICE=N -e ENV",
        )
    return findings.ok(said)


def _git() -> str:
    with suppress(OSError, IndexError):
        return subprocess.run(["git", "version"], capture_output=True, text=True, check=False).stdout.split()[2]
    return ""


def _git_wrong() -> tuple[str, str]:
    try:
        repositories.check_git()
    except errors.Refused as error:
        return error.message, error.hint
    return "", ""


def _uv() -> str:
    try:
        from uv import find_uv_bin

        return find_uv_bin()
    except (ImportError, FileNotFoundError):
        return ""


def _disks(root: Path) -> Iterator[Disk]:
    """The disks of home and temporary files; once if they are one."""
    seen = dict[int, Disk]()
    for role, place in (("the home", root), ("temporary files", Path(tempfile.gettempdir()))):
        there = next(path for path in (place, *place.parents) if path.exists())
        found, device = os.statvfs(there), there.stat().st_dev
        if device in seen:
            continue
        seen[device] = Disk(
            role, str(place), volatile.file_system(there), found.f_blocks * found.f_frsize,
            found.f_bavail * found.f_frsize, found.f_files, found.f_favail, device,
        )  # fmt: skip
    yield from seen.values()


def _sockets(home: homes.Home) -> tuple[str, tuple[str, str]]:
    try:
        folder = sockets.place(home.root)
    except errors.Refused as error:
        return "", (error.message, error.hint)
    for path in (folder.parent, folder):
        with suppress(FileNotFoundError):
            found = path.lstat()
            if found.st_uid != os.geteuid():
                said = "the folder of the sockets belongs to somebody else"
                return str(path), (said, f"look who made it: ls -ld {path}   another place: export XDG_RUNTIME_DIR=DIR")
            if found.st_mode & 0o077:
                return str(path), ("others can reach the folder of the sockets", f"chmod 700 {up.typed(path)}")
    return str(folder), ("", "")


def _said(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""
