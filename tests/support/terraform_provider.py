"""A provider of Terraform in Python: the resource `toy_file` is a file, so that a test can change it by hand.

Each act is a line of the file `acts` beside it. `waits_for` names a file that has to be there before it is made; content that
says `fail` is refused.
"""

import sys
import time
from pathlib import Path
from typing import Any

from tf import runner, schema, types, utils
from tf.iface import CreateContext, DeleteContext, PlanContext, ReadContext, UpdateContext

PATIENCE = 60.0  # seconds


class File:
    """A file with a content."""

    def __init__(self, provider: "Toy") -> None:
        self.provider = provider

    @classmethod
    def get_name(cls) -> str:
        return "file"

    @classmethod
    def get_schema(cls) -> schema.Schema:
        return schema.Schema(
            attributes=[
                schema.Attribute("path", types.String(), required=True, requires_replace=True),
                schema.Attribute("content", types.String(), required=True),
                schema.Attribute("waits_for", types.String(), optional=True),
            ]
        )

    def validate(self, diags: utils.Diagnostics, type_name: str, config: dict[str, Any]) -> None:
        """Everything may be."""

    def create(self, ctx: CreateContext, planned: dict[str, Any]) -> dict[str, Any] | None:
        return self._write(ctx, "create", planned)

    def update(self, ctx: UpdateContext, current: dict[str, Any], planned: dict[str, Any]) -> dict[str, Any] | None:
        return self._write(ctx, "update", planned)

    def read(self, ctx: ReadContext, current: dict[str, Any]) -> dict[str, Any] | None:
        path = Path(current["path"])
        return {**current, "content": path.read_text()} if path.exists() else None

    def delete(self, ctx: DeleteContext, current: dict[str, Any]) -> None:
        self._act("delete", current)
        Path(current["path"]).unlink(missing_ok=True)

    def plan(self, ctx: PlanContext, current: dict[str, Any] | None, planned: dict[str, Any]) -> dict[str, Any] | None:
        return planned

    def upgrade(self, ctx: Any, version: int, old: dict[str, Any]) -> dict[str, Any]:
        return old

    def _write(self, ctx: Any, name: str, planned: dict[str, Any]) -> dict[str, Any] | None:
        if "fail" in planned["content"]:
            ctx.diagnostics.add_error("It cannot be", "The content says fail")
            return None
        self._act(name, planned)
        until = time.monotonic() + PATIENCE
        while planned.get("waits_for") and not Path(planned["waits_for"]).exists() and time.monotonic() < until:
            time.sleep(0.02)
        Path(planned["path"]).write_text(planned["content"])
        return planned

    def _act(self, name: str, one: dict[str, Any]) -> None:
        path = Path(one["path"])
        with open(path.parent / "acts", "a") as acts:
            acts.write(f"{name} {path.name}\n")


class Toy:
    """The provider `example.com/toy/toy`."""

    def get_model_prefix(self) -> str:
        return "toy_"

    def get_provider_schema(self, diags: utils.Diagnostics) -> schema.Schema:
        return schema.Schema(attributes=[])

    def full_name(self) -> str:
        return "example.com/toy/toy"

    def validate_config(self, diags: utils.Diagnostics, config: dict[str, Any]) -> None:
        """Nothing is configured."""

    def configure_provider(self, diags: utils.Diagnostics, config: dict[str, Any]) -> None:
        """Nothing is configured."""

    def get_data_sources(self) -> list[Any]:
        return []

    def get_resources(self) -> list[Any]:
        return [File]

    def get_functions(self) -> list[Any]:
        return []

    def new_resource(self, klass: Any) -> Any:
        return klass(self)

    def new_data_source(self, klass: Any) -> Any:
        return klass(self)


if __name__ == "__main__":
    runner.run_provider(Toy(), sys.argv)  # type: ignore[arg-type]
