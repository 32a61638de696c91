"""Specifications: instance contract 1, and nothing that changes with the number of a revision."""

from dataclasses import replace
from pathlib import Path

import pytest

from ciranda.environment import revisions, specs
from ciranda.environment.revisions import Count, Value
from ciranda.kernel import errors
from ciranda.release import manifest
from ciranda.service import port

GROUND = specs.Ground(Path("/home/trees"), "http://127.0.0.1:7780")
PROGRAM = specs.Program(Path("/home/interpreters/ab/bin/python"), (Path("/home/interpreters/ab"),))
SERVICE = manifest.Service("predict", "service:predict", ("raw-delay",), 1, "/", 30.0, 60.0)
CONTENT = manifest.Manifest(
    project="flights",
    commit="c1",
    tree="t1",
    interpreter="b3:ab",
    parameters={},
    assets={"raw-delay": manifest.Asset("b3:0d", "b3:key", "pickle", "model")},
    services={
        "delays": SERVICE,
        "page-two": replace(SERVICE, form="command", run="node 'my server.js' --port 1", uses=()),
    },
    settings={},
    environments={},
    policy="b3:00",
)
REVISION = revisions.Revision(
    "id", "flights", "prod", 7, "release", {"DEBUG": Value(True, "default"), "CIRANDA_SERVICE": Value("x", "default")},
    {"delays": Count(2, "scale")}, revisions.Verification(), "promotion", "ana", "target", "", False, 1, None, None,
)  # fmt: skip


def parts(
    content: manifest.Manifest = CONTENT, revision: revisions.Revision = REVISION, release: str = "r42"
) -> dict[str, port.InstanceSpec]:
    found = specs.parts(content, revision, release=release, ground=GROUND, program=PROGRAM)
    return {part.service: part.spec for part in found}


def test_a_predict_service_gets_the_whole_contract() -> None:
    spec = parts()["delays"]
    assert spec.argv == (
        "/home/interpreters/ab/bin/python", "-I", "-m", "ciranda.runtime.server", "service:predict",
    )  # fmt: skip
    assert spec.directory == Path("/home/trees/flights-c1")
    asset = "/home/trees/flights-c1.assets/0d"
    assert {
        name: value for name, value in spec.variables.items() if name.startswith("CIRANDA_") or name == "DEBUG"
    } == {
        "DEBUG": "true",
        "CIRANDA_SERVICE": "delays",
        "CIRANDA_ENVIRONMENT": "prod",
        "CIRANDA_RELEASE": "r42",
        "CIRANDA_BASE_PATH": "/flights/prod/delays",
        "CIRANDA_ASSET_RAW_DELAY": asset,
        "CIRANDA_CODEC_RAW_DELAY": "pickle",
        "CIRANDA_URL_PAGE_TWO": "http://127.0.0.1:7780/flights/prod/page-two",
    }
    assert [str(mount.path) for mount in spec.mounts] == [
        "/home/trees/flights-c1", asset, "/home/interpreters/ab",
    ]  # fmt: skip
    assert not any(mount.writable for mount in spec.mounts)


def test_a_command_is_split_without_a_shell_and_finds_the_interpreter_first() -> None:
    spec = parts()["page-two"]
    assert spec.argv == ("node", "my server.js", "--port", "1")
    assert spec.variables["PATH"].startswith("/home/interpreters/ab/bin:")


def test_counts_come_from_the_revision_and_else_from_the_release() -> None:
    found = specs.parts(CONTENT, REVISION, release="r42", ground=GROUND, program=PROGRAM)
    assert {part.service: part.count for part in found} == {"delays": 2, "page-two": 1}
    assert all(part.digest == part.spec.digest for part in found)


def test_equal_content_of_another_revision_is_the_same_specification() -> None:
    later = replace(REVISION, id="other", number=9, cause="rollback", actor="bob", created_us=5, instances={})
    assert {name: spec.digest for name, spec in parts(revision=later).items()} == {
        name: spec.digest for name, spec in parts().items()
    }


def test_whatever_an_instance_can_see_makes_another_specification() -> None:
    base = parts()["delays"].digest
    changed = [
        parts(release="r43"),
        parts(revision=replace(REVISION, config={"DEBUG": Value(False, "environments.prod")})),
        parts(replace(CONTENT, commit="c2")),
        parts(replace(CONTENT, assets={"raw-delay": manifest.Asset("b3:0e", "k", "pickle", "model")})),
        parts(replace(CONTENT, services={"delays": replace(SERVICE, drain=5.0)})),
    ]
    assert base not in {found["delays"].digest for found in changed}


@pytest.mark.parametrize("run", ["node 'open", "", "  "])
def test_a_command_that_cannot_be_split_is_refused(run: str) -> None:
    broken = replace(CONTENT, services={"page": replace(SERVICE, form="command", run=run)})
    with pytest.raises(errors.Invalid, match=r"services\.page\.command"):
        parts(broken)
