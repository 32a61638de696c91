"""Sealing: bytes that only the holder of a key file can read, bound to the place where they belong.

AES-256-GCM (NIST SP 800-38D) with a random nonce of 96 bits for each seal. What a seal is bound to is authenticated but
not stored, so that a seal that is moved to another place does not open there. The text of a seal is
`1:<key's name>:<base64 of nonce, ciphertext and tag>`.
"""

import base64
import binascii
import os
import stat
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from ciranda.kernel import digest, errors, files

FORMAT = "ciranda.key/1"
_SIZE, _NONCE = 32, 12  # bytes


@dataclass(frozen=True, slots=True)
class Key:
    """A key and the file that it lies in. Its name says which key sealed something and nothing about the key."""

    material: bytes = field(repr=False)
    path: Path

    @property
    def name(self) -> str:
        """8 hexadecimal digits."""
        return digest.digest("sealing", self.material).removeprefix("b3:")[:8]


def create(path: Path) -> Key:
    """Make a key file (0600) unless there is one; of two at once, both get the same. Raises errors.StorageFull."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}.tmp")
    text = f"{FORMAT} {base64.b64encode(os.urandom(_SIZE)).decode()}\n"
    try:
        files.write_atomic(fresh, text.encode(), 0o600)
        with suppress(FileExistsError):
            os.link(fresh, path)
            files.sync_folder(path.parent)
    finally:
        fresh.unlink(missing_ok=True)
    return load(path)


def load(path: Path) -> Key:
    """The key of a file. Raises errors.Refused when it is missing, open to others, or no key file."""
    hint = f"put it back from where you keep it, only yours to read: chmod 600 {path}"
    try:
        with open(path, "rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            text = file.read(200)
    except FileNotFoundError:
        raise errors.Refused("the key file of the secrets is missing", where=str(path), hint=hint) from None
    except OSError as error:
        why = error.strerror or str(error)
        raise errors.Refused(f"the key file of the secrets cannot be read: {why}", where=str(path), hint=hint) from None
    if mode & 0o077:
        raise errors.Refused(
            f"others may read the key file of the secrets (mode {mode:04o})",
            where=str(path),
            hint=f"close it: chmod 600 {path}",
        )
    form, _, written = text.decode("ascii", "replace").strip().partition(" ")
    try:
        material = base64.b64decode(written, validate=True)
    except binascii.Error:
        material = b""
    if form != FORMAT or len(material) != _SIZE:
        raise errors.Refused("this is not a key file of Ciranda's", where=str(path), hint=hint)
    return Key(material, path)


def seal(key: Key, value: bytes, *, bound: bytes) -> str:
    """Seal a value for the place that `bound` names."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce = os.urandom(_NONCE)
    return f"1:{key.name}:{base64.b64encode(nonce + AESGCM(key.material).encrypt(nonce, value, bound)).decode()}"


def unseal(key: Key, sealed: str, *, bound: bytes) -> bytes:
    """The value again. Raises errors.Refused for another key, errors.Corrupt for what was changed or moved."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    form, _, rest = sealed.partition(":")
    name, _, text = rest.partition(":")
    changed = errors.Corrupt(
        "a seal does not open: it was changed, or does not belong here", hint="set the secret again"
    )
    if form != "1":
        raise changed
    if name != key.name:
        raise errors.Refused(
            f"this was sealed with the key {name}, and the key file holds {key.name}",
            where=str(key.path),
            hint="put the key file back that belongs to this ledger, or set the secret again",
        )
    try:
        data = base64.b64decode(text, validate=True)
        return AESGCM(key.material).decrypt(data[:_NONCE], data[_NONCE:], bound)
    except (binascii.Error, InvalidTag, ValueError):
        raise changed from None
