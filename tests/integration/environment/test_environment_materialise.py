"""What instances need is written to disk: the tree and what services use, not all that a release is made of."""

from pathlib import Path

from ciranda.environment import materialise
from ciranda.environment.specs import Ground
from ciranda.kernel.store import Store
from ciranda.pipeline import records
from ciranda.project import declaration
from ciranda.release import building

PROJECT = declaration.Project(
    name="toy",
    pipeline="pipeline.py",
    services=(declaration.Service("web", "command", "python web.py", uses=("model",)),),
)


def test_only_what_services_use_is_written(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    with store.batch():
        made = {name: store.put(name.encode()) for name in ("model", "sales", "raw")}
    content = building.build(
        PROJECT,
        commit="c" * 40,
        tree="t" * 40,
        interpreter="b3:1",
        parameters={},
        assets={name: records.Version(name, made[name], f"k-{name}", "json", 5, "dataset") for name in made},
        policy="b3:p",
    )
    ground = Ground(tmp_path / "trees", "http://127.0.0.1")
    assert not materialise.prepared(content, ground)
    for _ in range(2):
        materialise.prepare(content, ground, store=store, write_tree=lambda _commit, path: path.mkdir())
    assert materialise.prepared(content, ground)
    assert [path.name for path in ground.asset(content, "model").parent.iterdir()] == [made["model"][3:]]
    assert ground.asset(content, "model").read_bytes() == b"model"
