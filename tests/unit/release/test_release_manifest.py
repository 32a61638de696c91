"""Manifest 1: what is in it, what is not, and its identity."""

import pytest

from ciranda.kernel import digest, errors
from ciranda.pipeline import records
from ciranda.project import declaration
from ciranda.release import building, manifest

PROJECT = declaration.Project(
    name="flights",
    pipeline="pipeline.py",
    services=(
        declaration.Service("delays", "predict", "service:predict", uses=("delay",), instances=2, line=14),
        declaration.Service("page", "command", "node server.js", drain=5),
    ),
    settings=(declaration.Setting("LEVEL", "str", "info"),),
    environments=(
        declaration.Environment("test", verify=("pytest -q",)),
        declaration.Environment("prod", after="test", config={"LEVEL": "debug"}),
    ),
)


def version(name: str, object: str = "b3:00") -> records.Version:
    return records.Version(name, object, "b3:key", "pickle", 10, "model", rows=3, figures={"auc": 0.7})


def build(project: declaration.Project = PROJECT, **assets: records.Version) -> manifest.Manifest:
    return building.build(
        project,
        commit="c" * 40,
        tree="t" * 40,
        interpreter="b3:11",
        parameters={"delay": {"depth": 6}},
        assets=assets or {"delay": version("delay"), "flights": version("flights")},
        policy="b3:22",
    )


def test_it_holds_only_what_would_run() -> None:
    document = build().document()
    assert list(document["assets"]) == ["delay", "flights"]  # all that the run has
    assert document["assets"]["delay"] == {"digest": "b3:00", "key": "b3:key", "codec": "pickle", "kind": "model"}
    assert document["jobs"] == document["infra"] == {}
    assert document["config"]["chain"] == ["test", "prod"]
    assert set(document) == {
        "format", "project", "commit", "tree", "interpreter", "parameters", "assets", "services", "jobs", "config",
        "infra", "policy",
    }  # fmt: skip


def test_its_identity_is_that_of_its_content() -> None:
    assert build().digest == build().digest == digest.of("manifest", build().document())
    assert build(delay=version("delay", "b3:01")).digest != build().digest
    more = {"delay": version("delay"), "flights": version("flights", "b3:99")}
    assert build(**more).digest != build().digest, "other data is another release"


def test_it_knows_what_its_services_use() -> None:
    assert build().used == ("delay",)


def test_one_that_names_only_what_services_use_still_reads() -> None:
    older = digest.canonical(build().document() | {"assets": {"delay": build().document()["assets"]["delay"]}})
    assert list(manifest.read(older).assets) == ["delay"]
    assert manifest.read(older).used == ("delay",)


def test_it_reads_back_as_it_was_written() -> None:
    assert manifest.read(build().data) == build()


def test_a_service_that_uses_what_was_not_made_is_refused() -> None:
    with pytest.raises(errors.Invalid, match=r'services\.delays\.uses names "delay"') as found:
        build(flights=version("flights"))
    assert found.value.where == "ciranda.toml:14"


def test_another_format_is_refused() -> None:
    with pytest.raises(errors.Invalid, match="not a release manifest"):
        manifest.read(b'{"format":"ciranda.release/9"}')
