"""A provider of Terraform for the demo: the resource `shelf_box` is a file on a shelf, so that somebody can change it by hand.

Run by Terraform as a program of its own: SHELF (the folder), then what Terraform says.
"""

import sys
from pathlib import Path
from typing import Any

from tf import runner, schema, types, utils
from tf.iface import CreateContext, DeleteContext, PlanContext, ReadContext, UpdateContext

Values = dict[str, Any]


class Box:
    """A file with a label."""

    def __init__(self, provider: "Shelf") -> None:
        self._folder = provider.folder

    @classmethod
    def get_name(cls) -> str:
        return "box"

    @classmethod
    def get_schema(cls) -> schema.Schema:
        return schema.Schema(
            attributes=[
                schema.Attribute("name", types.String(), required=True, requires_replace=True),
                schema.Attribute("label", types.String(), required=True),
            ]
        )

    def validate(self, diags: utils.Diagnostics, type_name: str, config: Values) -> None:
        """Everything may be."""

    def create(self, ctx: CreateContext, planned: Values) -> Values | None:
        self._path(planned).write_text(planned["label"], encoding="utf-8")
        return planned

    def update(self, ctx: UpdateContext, current: Values, planned: Values) -> Values | None:
        self._path(planned).write_text(planned["label"], encoding="utf-8")
        return planned

    def read(self, ctx: ReadContext, current: Values) -> Values | None:
        path = self._path(current)
        return {**current, "label": path.read_text(encoding="utf-8")} if path.exists() else None

    def delete(self, ctx: DeleteContext, current: Values) -> None:
        self._path(current).unlink(missing_ok=True)

    def plan(self, ctx: PlanContext, current: Values | None, planned: Values) -> Values | None:
        return planned

    def upgrade(self, ctx: Any, version: int, old: Values) -> Values:
        return old

    def _path(self, values: Values) -> Path:
        return self._folder / f"{values['name']}.txt"


class Shelf:
    """The provider `example.com/ciranda/shelf`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def get_model_prefix(self) -> str:
        return "shelf_"

    def get_provider_schema(self, diags: utils.Diagnostics) -> schema.Schema:
        return schema.Schema(attributes=[])

    def full_name(self) -> str:
        return "example.com/ciranda/shelf"

    def validate_config(self, diags: utils.Diagnostics, config: Values) -> None:
        """Nothing is configured."""

    def configure_provider(self, diags: utils.Diagnostics, config: Values) -> None:
        """Nothing is configured."""

    def get_data_sources(self) -> list[Any]:
        return []

    def get_resources(self) -> list[Any]:
        return [Box]

    def get_functions(self) -> list[Any]:
        return []

    def new_resource(self, klass: Any) -> Any:
        return klass(self)

    def new_data_source(self, klass: Any) -> Any:
        return klass(self)


if __name__ == "__main__":
    runner.run_provider(Shelf(Path(sys.argv.pop(1))), sys.argv)
