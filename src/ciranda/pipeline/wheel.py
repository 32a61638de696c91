"""The wheel of `ciranda-runtime`: the files of ours that live in a project's interpreter, assembled without a build tool.

The same files make the same bytes: entries are sorted, stored uncompressed and carry no times. The version ends in a
digest of the files, so that an interpreter that was built with other ones is never taken for this one's.
"""

import base64
import hashlib
from dataclasses import dataclass
from pathlib import Path

import ciranda
from ciranda.kernel import digest
from ciranda.version import __version__

NAME = "ciranda-runtime"
EPOCH = (1980, 1, 1, 0, 0, 0)  # the first moment that a zip file can say


@dataclass(frozen=True, slots=True)
class Wheel:
    """A wheel in memory."""

    version: str  # "0.1.0+<12 hex of its files>"
    files: dict[str, bytes]

    @property
    def filename(self) -> str:
        """The name that installers read."""
        return f"ciranda_runtime-{self.version}-py3-none-any.whl"

    def data(self) -> bytes:
        """The bytes of the zip file."""
        import zipfile
        from io import BytesIO

        information = f"ciranda_runtime-{self.version}.dist-info"
        entries = {
            **self.files,
            f"{information}/METADATA": _metadata(self.version),
            f"{information}/WHEEL": b"Wheel-Version: 1.0\nGenerator: ciranda\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        }
        record = "".join(f"{path},sha256={_sha256(data)},{len(data)}\n" for path, data in sorted(entries.items()))
        entries[f"{information}/RECORD"] = f"{record}{information}/RECORD,,\n".encode()
        sink = BytesIO()
        with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as archive:
            for path, data in sorted(entries.items()):
                entry = zipfile.ZipInfo(path, EPOCH)
                entry.external_attr = 0o644 << 16
                entry.create_system = 3  # Unix, wherever it is assembled
                archive.writestr(entry, data)
        return sink.getvalue()


def runtime() -> Wheel:
    """The runtime as it is installed here."""
    root = Path(ciranda.__file__).parent
    chosen = [root / "__init__.py", root / "version.py", root / "py.typed", *(root / "runtime").rglob("*.py")]
    files = {path.relative_to(root.parent).as_posix(): path.read_bytes() for path in chosen}
    listed = [[path, hashlib.sha256(data).hexdigest()] for path, data in sorted(files.items())]
    return Wheel(f"{__version__}+{digest.of('runtime', listed)[3:15]}", files)


def _metadata(version: str) -> bytes:
    return (
        f"Metadata-Version: 2.1\nName: {NAME}\nVersion: {version}\nLicense: Apache-2.0\nRequires-Python: >=3.9\n"
        "Summary: What of Ciranda lives in a project's interpreter: decorators, worker, model server.\n"
    ).encode()


def _sha256(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
