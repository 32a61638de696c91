"""The infrastructure of an environment as `ciranda.toml` says it: `infra = "infra/"`, a folder of Terraform or OpenTofu."""

from ciranda.project import sources
from ciranda.project.declaration import Environment
from ciranda.project.reading import Table

SHORTEST = 60.0  # seconds between two looks for drift: each asks everything that the folder has made


def folder(table: Table) -> str:
    """The folder, relative to the tree, without a slash at its end; "" where none is declared."""
    path = table.optional("infra")
    if path is None:
        return ""
    plain = path.rstrip("/")
    if not plain or plain == "." or sources.outside(path) or any(part in ("", ".", "..") for part in plain.split("/")):
        table.wrong("infra", f'names "{path}", which is not a folder inside the project', 'write infra = "infra/"')
        return ""
    return plain


def check(table: Table) -> float:
    """Seconds between looks for drift."""
    seconds = table.seconds("infra_check", Environment("").infra_check)
    if seconds < SHORTEST:
        table.wrong("infra_check", f"is {seconds:g} seconds: at least {SHORTEST:g}")
    elif "infra_check" in table and "infra" not in table:
        table.wrong("infra_check", "says when infrastructure is looked at, and no infra is declared")
    return seconds
