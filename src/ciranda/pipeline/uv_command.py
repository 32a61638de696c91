"""The one place that runs uv."""

import os
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

TOLD = 12  # lines of uv's message that an error shows


def run(arguments: Sequence[str], tree: Path, held: int | None = None) -> subprocess.CompletedProcess[str]:
    """Run the uv of our own environment in the tree; it downloads no Python and paints nothing."""
    from uv import find_uv_bin

    left_out = ("VIRTUAL_ENV", "UV_PROJECT_ENVIRONMENT", "UV_PYTHON", "CONDA_PREFIX", "PYTHONPATH", "PYTHONHOME")
    variables = {name: value for name, value in os.environ.items() if name not in left_out}
    return subprocess.run(
        [find_uv_bin(), "--no-progress", *arguments],
        cwd=tree,
        env={**variables, "PATH": _search_path(), "UV_PYTHON_DOWNLOADS": "never", "NO_COLOR": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        pass_fds=() if held is None else (held,),
    )


def _search_path() -> str:
    """Where Pythons are looked for: the PATH, then those that pyenv installed."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    return os.pathsep.join([os.environ.get("PATH", os.defpath), *map(str, sorted(pyenv.glob("versions/*/bin")))])


def trimmed(message: str) -> str:
    """uv's message without its frame, at most TOLD lines."""
    lines = [re.sub(r"^\s*(?:[×╰│├─▶]+\s*)+|^(?:error|cause):\s*", "", line).strip() for line in message.splitlines()]
    kept = [line for line in lines if line and not line.startswith("warning:")]
    return "\n".join(kept[:TOLD]) or "uv gives no reason"
