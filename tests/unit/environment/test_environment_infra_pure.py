"""What is pure of infrastructure: folders, plans as Terraform writes them, outputs, and what its errors say."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from ciranda.environment.infra import answer, folder, outputs, program, states
from ciranda.environment.infra.answer import Change, Output
from ciranda.kernel import errors
from ciranda.loop.infra import Heard
from ciranda.project import layers
from ciranda.release.manifest import Setting


@dataclass(frozen=True)
class Blob:
    blob: str
    mode: str = "100644"


def plan(*changes: dict[str, Any], outputs: dict[str, Any] | None = None, **more: Any) -> bytes:
    return json.dumps(
        {"format_version": "1.2", "resource_changes": changes, "output_changes": outputs or {}, **more}
    ).encode()


def resource(address: str, *actions: str, **change: Any) -> dict[str, Any]:
    return {"address": address, "mode": "managed", "change": {"actions": list(actions), **change}}


def test_a_folder_is_known_by_its_files_alone() -> None:
    there = {"infra/main.tf": Blob("1"), "infra/mod/a.tf": Blob("2"), "other/x.tf": Blob("3")}
    name = folder.identity(there, "infra")
    assert name == folder.identity(there | {"other/x.tf": Blob("4")}, "infra")
    assert name != folder.identity(there | {"infra/mod/a.tf": Blob("4")}, "infra")
    assert name != folder.identity(there | {"infra/main.tf": Blob("1", "100755")}, "infra")


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ('terraform {\n  backend "s3" {}\n}', "s3"),
        ("terraform { cloud { organization = 1 } }", "cloud"),
        ('# backend "s3" {}\n/* backend "s3" {\n} */ // cloud {', ""),
        ('locals { x = "backend \\"s3\\" {" }', ""),
        ("terraform {}", ""),
    ],
)
def test_a_folder_says_where_its_state_is(text: str, kept: str) -> None:
    assert folder.backend({"main.tf": text}) == kept
    assert folder.backend({"mod/main.tf": text}) == ""
    assert folder.backend({"main.tf.json": '{"terraform": {"backend": {"s3": {}}}}'}) == "another backend"


def test_modules_lie_in_the_folder() -> None:
    assert folder.problem("infra", {}) == "infra has no file of Terraform or OpenTofu (*.tf)"
    inside = {"main.tf": 'module "a" { source = "./a" }', "a/x.tf": 'module "b" { source = "../b" }'}
    assert folder.problem("infra", inside) is None
    outside = folder.problem("infra", {"main.tf": 'module "a" {\n  source = "../modules/a"\n}'})
    assert outside is not None
    assert outside.startswith("infra/main.tf takes a module from ../modules/a, outside of infra")


def test_a_plan_is_read_without_what_is_sensitive() -> None:
    changed = resource(
        "db.x", "update", before={"size": 1, "password": "old"}, after={"size": 2, "password": "new"},
        after_unknown={"id": True}, before_sensitive={"password": True}, after_sensitive={"password": True},
    )  # fmt: skip
    found = answer.read(
        plan(changed, resource("a", "no-op"), resource("b", "delete", "create"), resource("c", "read"), resource("d", "delete"),
             outputs={"key": {"actions": ["create"], "after": "geheim", "after_sensitive": True, "after_unknown": False}}),
        secret=b"s",
    )  # fmt: skip
    assert found.changes == (
        Change("db.x", "update", ("id null → known after apply", "password is another (sensitive)", "size 1 → 2")),
        Change("b", "replace"),
        Change("d", "delete"),
    )
    assert found.counts() == {"add": 1, "change": 1, "destroy": 2}
    assert found.destroys
    assert found.outputs["key"] == Output(None, known=True, sensitive=True)
    assert "geheim" not in str(found.document())
    assert answer.of_document(found.document(), found.identity) == found
    other = changed | {"change": changed["change"] | {"after": {"size": 2, "password": "third"}}}
    assert answer.read(plan(other)).identity != answer.read(plan(changed)).identity
    assert answer.read(plan(changed), secret=b"1").identity != answer.read(plan(changed), secret=b"2").identity


def test_a_plan_of_another_format_is_refused() -> None:
    with pytest.raises(errors.Corrupt):
        answer.read(b'{"format_version": "2.0"}')
    assert answer.read(plan()).empty


def test_drift_is_what_is_not_as_it_was_left() -> None:
    told = plan(resource("a", "update"), resource_drift=[resource("b", "delete")])
    assert answer.read(told, drift=True).changes == (Change("b", "delete"),)


SETTINGS = {
    "DB_HOST": Setting("str", "x"),
    "PORTS": Setting("int", 1),
    "LIST": Setting("str", ""),
    "own": Setting("bool", False),
}


def test_outputs_are_values_of_their_names() -> None:
    plain = {name: layers.Value(one.default, "default") for name, one in SETTINGS.items()}
    given_ = {
        "db_host": Output("h"),
        "PORTS": Output(3),
        "LIST": Output([1, {"a": 2}]),
        "own": Output(True),
        "more": Output(1),
    }
    found = outputs.over(plain, SETTINGS, given_)
    assert {name: one.value for name, one in found.items()} == {
        "DB_HOST": "h", "PORTS": 3, "LIST": '[1,{"a":2}]', "own": True,
    }  # fmt: skip
    assert {one.layer for one in found.values()} == {"infra"}
    assert outputs.over(plain, SETTINGS, {"db_host": Output(None, known=False)})["DB_HOST"].value == outputs.UNKNOWN
    assert outputs.over(plain, SETTINGS, {"db_host": Output("s", sensitive=True)}) == plain
    server = plain | {"DB_HOST": layers.Value("mine", "server")}
    assert outputs.over(server, SETTINGS, {"db_host": Output("h")})["DB_HOST"].value == "mine"
    for wrong in ("text", 1.5, [1], None, True):
        with pytest.raises(errors.Refused, match="the release declares PORTS to be a whole number"):
            outputs.over(plain, SETTINGS, {"ports": Output(wrong)})
    with pytest.raises(errors.Refused, match="holds a NUL"):
        outputs.over(plain, SETTINGS, {"db_host": Output("a\0b")})


def test_what_terraform_is_given_cannot_take_the_place_of_what_is_ours() -> None:
    given_ = program.Given(
        "toy", "prod", {"SIZE": "1"}, {"AWS_KEY": "k", "TF_LOG": "trace", "PATH": "/x", "LD_PRELOAD": "y"}
    )
    told = given_.variables()
    assert told["TF_VAR_SIZE"] == "1"
    assert told["AWS_KEY"] == told["TF_VAR_AWS_KEY"] == "k"
    assert told["TF_VAR_ciranda_environment"] == "prod"
    assert not {"TF_LOG", "PATH", "LD_PRELOAD"} & told.keys()
    own = {"PATH": "/bin", "AWS_KEY": "server's", "TF_CLI_ARGS": "-x", "HTTPS_PROXY": "p"}
    kept = program.variables(own, Path("/f"), config=Path("/c"), plugins=Path("/p"))
    assert kept["HTTPS_PROXY"] == "p"
    assert not {"AWS_KEY", "TF_CLI_ARGS"} & kept.keys()


def test_why_terraform_failed_is_a_line_with_its_place() -> None:
    text = (
        "╷\n│ Error: Terraform encountered problems during initialisation\n│ \n│ Described below.\n╵\n╷\n"
        '│ Error: Unsupported argument\n│ \n│   on main.tf line 3, in resource "x" "y":\n│    3:   nothing = 1\n│ \n'
        "│ An argument named\n│ nothing is not expected here.\n╵\n"
    )
    assert program.said(text.splitlines()) == (
        "main.tf line 3: Unsupported argument: An argument named nothing is not expected here."
    )
    assert program.said(["│ Error: No", "│ ", "│ Because."]) == "No: Because."
    assert program.said(["one", "two", ""]) == "two"
    assert program.said([]) == "it said nothing"


@given(some.lists(some.text(max_size=30)))
def test_whatever_it_says_is_a_line(lines: list[str]) -> None:
    assert isinstance(program.said(lines), str)


def test_what_is_heard_while_a_plan_is_applied_is_counted() -> None:
    heard = Heard()

    def hook(kind: str, address: str, action: str) -> bytes:
        return json.dumps(
            {"@message": f"{address}: {kind}", "type": kind, "hook": {"resource": {"addr": address}, "action": action}}
        ).encode()

    for line in (
        hook("apply_start", "a", "create"),
        hook("apply_complete", "a", "create"),
        hook("apply_start", "b", "update"),
    ):
        assert heard.line(line)
    error = {"type": "diagnostic", "diagnostic": {"severity": "error", "summary": "No", "detail": "a\nb"}}
    heard.line(json.dumps(error).encode())
    assert heard.line(b"not JSON") == "not JSON"
    assert heard.line(b"[1]") == ""
    assert (heard.done["made"], heard.begun, heard.error) == (1, {"a", "b"}, "No: a b")


def test_resources_of_a_state_are_told_by_their_addresses() -> None:
    told = {
        "resources": [
            {
                "mode": "managed",
                "type": "t",
                "name": "n",
                "provider": 'provider["x/y/z"]',
                "instances": [{"index_key": 0}, {"index_key": "a"}],
            },
            {"mode": "data", "type": "t", "name": "d", "instances": [{}]},
            {"mode": "managed", "module": "module.m", "type": "t", "name": "n", "instances": [{}]},
        ]
    }  # fmt: skip
    assert [address for address, _ in states.resources(told)] == ["module.m.t.n", 't.n["a"]', "t.n[0]"]
