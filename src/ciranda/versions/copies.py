"""A repository as one pack and its refs, for a backup: just what these refs reach, however it is stored."""

import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from ciranda.kernel import errors, files
from ciranda.versions import repositories


@dataclass(frozen=True, slots=True)
class Copy:
    """Where every ref of a repository was at one moment, and the ref that HEAD names."""

    refs: dict[str, str]
    head: str


def look(repository: Path) -> Copy:
    """The refs of a repository now."""
    head = _git(repository, b"", "symbolic-ref", "HEAD").decode().strip()
    return Copy(repositories.list_refs(repository), head)


def pack(repository: Path, refs: Mapping[str, str], into: IO[bytes]) -> None:
    """Write all that the refs reach as one pack. Raises errors.Refused with Git's reason, errors.StorageFull."""
    wanted = "".join(f"{commit}\n" for commit in sorted(set(refs.values()))).encode()
    _git(repository, wanted, "pack-objects", "--quiet", "--revs", "--stdout", out=into)


def unpack(folder: Path, name: str, copy: Copy, found: IO[bytes]) -> None:
    """Make a repository of a pack and its refs. Raises errors.Refused with Git's reason, errors.StorageFull."""
    repository = repositories.ensure(folder, name)
    if copy.refs:
        pack = repository / "objects" / "pack" / "pack-restored.pack"
        with files.room(folder), open(pack, "wb") as file:
            shutil.copyfileobj(found, file)
        _git(repository, b"", "index-pack", "--fsck-objects", str(pack))
    commands = "".join(f"create {ref} {commit}\n" for ref, commit in copy.refs.items()).encode()
    _git(repository, commands, "update-ref", "--stdin")
    _git(repository, b"", "symbolic-ref", "HEAD", copy.head)


def _git(repository: Path, said: bytes, *arguments: str, out: IO[bytes] | None = None) -> bytes:
    done = subprocess.run(
        repositories.command(repository, *arguments),
        env=repositories.environment(repository),
        input=said,
        stdout=subprocess.PIPE if out is None else out,
        stderr=subprocess.PIPE,
        check=False,
    )
    if done.returncode:
        reason = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise errors.Refused(f"git {arguments[0]} failed: {(reason or ['no reason given'])[-1]}", where=str(repository))
    return done.stdout or b""
