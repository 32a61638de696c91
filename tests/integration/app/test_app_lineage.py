"""From a version to its sources and its live services and back, from a request's id to the release, on a real ledger."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ciranda.app import looking, matching
from ciranda.app.views import lineage as views
from ciranda.cli import tracing
from ciranda.environment import moves
from ciranda.kernel import clock, errors
from ciranda.pipeline import lineage, profile, records
from ciranda.project import declaration
from ciranda.release import building, releases
from ciranda.service import request_ids
from support import pipeline
from support.kernel import Ledger

PIPELINE = """
import polars as pl
from ciranda import check, dataset, log, model

@dataset
def flights(raw: pl.DataFrame, places: pl.DataFrame) -> pl.DataFrame:
    return raw.join(places, on="origin").filter(pl.col("late") >= 0)

@model
def delay(flights: pl.DataFrame, depth: int = 2) -> dict:
    log(auc=0.75, depth=depth)
    return {"mean": flights["late"].mean() * depth}

@model
def pickled(flights: pl.DataFrame):
    return {1, 2}

@check(delay)
def sane(delay): return delay["mean"] > 0
"""
TOML = '[sources]\nraw = { files = "data/flights-*.csv" }\nplaces = { files = "data/places.csv" }\n[data]\nprivate = ["name"]\n'
SERVICE = declaration.Service("delays", "predict", "service:predict", uses=("delay",))


@dataclass
class Site:
    """A project that ran once, and a release of that run which is live in prod."""

    bench: pipeline.Bench
    run: records.RunResult
    release: releases.Release
    ground: views.Ground


@pytest.fixture
def site(ledger: Ledger, tmp_path: Path) -> Iterator[Site]:
    with pipeline.bench(
        tmp_path,
        PIPELINE,
        toml=TOML,
        ledger=None if ledger.url.startswith("sqlite:") else ledger.url,
        **{
            "data__flights-1_csv": "id,origin,late,name\na,EWR,3,Ana\nb,JFK,5,Bea\n",
            "data__flights-2_csv": "id,origin,late,name\nc,EWR,7,Cat\nd,JFK,-1,Dan\n",
            "data__places_csv": "origin,city\nEWR,Newark\nJFK,New York\n",
        },
    ) as bench:
        run = bench.run()
        assert run.state == "finished", run.problem or [step.error for step in run.steps]
        release = _deliver(bench, run)
        yield Site(bench, run, release, views.Ground(bench.database, bench.store, tmp_path / "repositories"))


def _deliver(bench: pipeline.Bench, run: records.RunResult) -> releases.Release:
    content = building.build(
        declaration.Project(name="toy", pipeline="pipeline.py", services=(SERVICE,)),
        commit="c" * 40,
        tree="t" * 40,
        interpreter=run.interpreter,
        parameters={},
        assets=run.assets,
        policy="b3:p",
    )
    database = bench.database
    kept = releases.keep(bench.store, content)
    release = database.write(lambda tx: releases.make(tx, manifest=content, kept=kept, change=None, actor="ana"))
    made = database.write(
        lambda tx: moves.target(tx, environment="prod", release=release, content=content, actor="ana")
    )
    database.write(lambda tx: moves.mark_routed(tx, made, clock.now_us()))
    database.write(lambda tx: moves.end(tx, made, "reached", actor="ana"))
    return release


def _names(above: lineage.Upstream) -> list[tuple[int, str]]:
    return [(depth, node.version.asset) for depth, node, _ in above.tree(100)]


def test_a_version_leads_to_its_sources(site: Site) -> None:
    found = views.find(site.ground, "toy", "delay@r1")
    assert found.release == site.release
    assert found.asset.result.version == site.run.assets["delay"]
    assert [outcome.check for outcome in found.asset.outcomes] == ["sane"]
    above = lineage.upstream(site.ground.database, "toy", site.run.assets["delay"], found.asset.run)
    assert _names(above) == [(1, "flights"), (2, "raw"), (2, "places")]
    assert above.top.made is not None
    assert above.top.made.parts["parameters"] == {"depth": 2}
    assert above.top.run is not None
    assert above.top.run.name == "run-1"
    raw = next(node for node in above.above() if node.version.asset == "raw")
    assert (raw.made, raw.run is not None and raw.run.name, raw.version) == (None, "run-1", site.run.assets["raw"])


def test_a_source_leads_to_the_live_service(site: Site) -> None:
    below = views.uses(site.ground, "toy", site.run.assets["raw"])
    assert [(use.version.asset, use.direct) for use in below.made] == [
        ("flights", True),
        *((name, False) for name in _late(below)),
    ]
    assert set(_late(below)) == {"delay", "pickled"}
    assert below.releases == ("r1",)
    assert below.places == (views.Place("prod", "prod#1", "r1", (("delays", "delay"),)),)
    nothing = views.uses(site.ground, "toy", records.Version("raw", "b3:ff", "k", "files", 1, "source"))
    assert nothing == views.Uses((), (), ())


def _late(below: views.Uses) -> list[str]:
    return [use.version.asset for use in below.made[1:]]


def test_the_same_version_by_each_of_its_names(site: Site) -> None:
    digest = site.run.assets["flights"].digest
    for named in ("flights", "flights@run-1", "flights@r1", "flights@prod", "flights@prod#1", f"flights@{digest[:9]}"):
        found = views.find(site.ground, "toy", named)
        assert found.asset.result.version is not None
        assert found.asset.result.version.digest == digest, named
    live = views.find(site.ground, "toy", "flights", "prod")
    assert live.revision is not None
    assert live.revision.name == "prod#1"


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ("nope@r1", 'r1 has no asset "nope"'),
        ("flights@r7", "no release r7"),
        ("flights@test", "no environment test"),
        ("flights@prod#9", "prod has no revision #9"),
        ("flights@b3:0000", "begins with b3:0000"),
        ("flights@b3:0", "names no version"),
        ("flights@b3:%%%%", "names no version"),
        ("flights@run-9", "no run-9"),
    ],
)
def test_what_is_not_there_is_named(site: Site, named: str, said: str) -> None:
    with pytest.raises(errors.Refused, match=said) as found:
        views.find(site.ground, "toy", named)
    assert found.value.hint


def test_another_run_is_another_version_and_both_are_told(site: Site) -> None:
    site.bench.write(pipeline_py=PIPELINE.replace("depth: int = 2", "depth: int = 3"))
    again = site.bench.run()
    assert again.assets["delay"].digest != site.run.assets["delay"].digest
    below = views.uses(site.ground, "toy", site.run.assets["flights"])
    assert [use.version.digest for use in below.made if use.version.asset == "delay"] == [
        again.assets["delay"].digest,
        site.run.assets["delay"].digest,
    ]
    found = views.find(site.ground, "toy", "delay@prod").asset.result.version
    assert found is not None
    assert found.digest == site.run.assets["delay"].digest
    above = lineage.upstream(site.ground.database, "toy", again.assets["delay"])
    assert _names(above) == [(1, "flights"), (2, "raw"), (2, "places")]


def test_a_request_leads_to_the_release_that_answered(site: Site) -> None:
    made = request_ids.identity(7, clock.now_us() * 1000, request_ids.tag("/toy/prod/delays")).decode()
    found = views.answered(site.ground, f"{made}-r1")
    assert (found.environment, found.service, found.story.release) == ("prod", "delays", site.release)
    assert found.story.revision is not None
    assert found.story.revision.name == "prod#1"
    assert found.story.versions["flights"] == site.run.assets["flights"]
    assert any("prod#1 by ana" in line for line in tracing.story(found.story))
    for text, said in (
        (made, "no release answered"),
        (f"{made}-r9", "no service of this home"),
        ("mine-1", "no id that the gateway gave"),
        (f"{made[:12]}ffffff{made[18:]}-r1", "no service of this home"),
    ):
        with pytest.raises(errors.NotFound, match=said):
            views.answered(site.ground, text)
    with pytest.raises(errors.NotFound, match="no service of this home"):
        views.answered(site.ground, f"{made}-r1", "test")


def test_a_profile_is_counted_once_and_holds_nothing_private(site: Site) -> None:
    version, ground = site.run.assets["flights"], site.ground
    told = profile.of(ground.database, ground.store, version, ("name",))
    columns = {column["name"]: column for column in told["columns"]}
    assert told["rows"] == 3
    assert (columns["late"]["min"], columns["late"]["max"], columns["late"]["mean"]) == (3, 7, 5.0)
    assert columns["origin"]["top"] == [["EWR", 2], ["JFK", 1]]
    assert columns["name"] == {
        "name": "name", "type": "String", "nulls": 0, "distinct": 3, "private": True, "approximate": False,
    }  # fmt: skip
    assert "Ana" not in json.dumps(told)
    ground.store.discard(version.digest)
    assert profile.of(ground.database, ground.store, version, ("name",)) == told, "it was kept"
    with pytest.raises((errors.NotFound, errors.Corrupt)):
        profile.of(ground.database, ground.store, version, ())  # another question, which nobody asked yet


def test_rows_lead_to_the_rows_of_the_sources(site: Site) -> None:
    version, ground = site.run.assets["flights"], site.ground
    rows, keys = matching.where(ground.store, version, "id = 'c'", 5)
    assert (rows.count, rows.rows) == (1, (("c", "EWR", 7, "Cat", "Newark"),))
    assert matching.hidden(rows, ("name",)).rows == (("c", "EWR", 7, "(private)", "Newark"),)
    above = lineage.upstream(ground.database, "toy", version)
    found = {source.file: source for source in matching.sources(ground.store, above, keys, 5)}
    assert found["data/flights-2.csv"].numbers == (1,)
    assert found["data/flights-2.csv"].shared == ("id",)
    assert found["data/flights-1.csv"].found == matching.Rows(("id", "origin", "late", "name"), (), 0)
    assert found["data/places.csv"].told == "it has none of these columns"
    passwords = "id IN (SELECT * FROM read_csv('/etc/passwd'))"
    strange = [(passwords, "asks no other table and no file"), ("id = 'c' AND " * 5000 + "1 = 1", "at most 10,000")]
    strange += [("nope = 1", "nope"), ("id = ", "--where"), ("", "--where"), ("late + 1", "--where")]
    assert matching.where(ground.store, version, "id = 'select'", 5)[0].count == 0
    for condition, said in strange:
        with pytest.raises(errors.Invalid, match=said) as refused:
            matching.where(ground.store, version, condition, 5)
        assert "its columns: id, origin, late" in refused.value.hint
    with pytest.raises(errors.Invalid, match="delay is no table"):
        matching.where(ground.store, site.run.assets["delay"], "1 = 1", 5)


def test_a_version_that_the_store_lost_is_still_traced(site: Site) -> None:
    for version in site.run.assets.values():
        site.ground.store.discard(version.digest)
    assert lineage.upstream(site.ground.database, "toy", site.run.assets["delay"]).above()
    assert views.uses(site.ground, "toy", site.run.assets["raw"]).places
    with pytest.raises((errors.NotFound, errors.Corrupt)):
        looking.inside(site.ground.store, site.run.assets["flights"], 5)


NOTEBOOK = """
import json, logging, pathlib, sys
import ciranda
logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(levelname)s %(message)s")
flights = ciranda.load("flights", environment="prod")
said = [type(flights).__name__, flights.select("id").collect()["id"].to_list(), ciranda.load("delay", release="r1")]
places = ciranda.load("places", run=1)
said += [places.read_text(), sorted(path.name for path in ciranda.load("raw", run="run-1").rglob("*.csv"))]
import polars
said += [ciranda.load("raw", polars.DataFrame, run=1).height]
for given in ({"release": 1}, {"release": 1, "trust": True}):
    try:
        said.append(sorted(ciranda.load("pickled", **given)))
    except ciranda_errors.Refused as error:
        said.append(f"{error}; {error.hint}")
for given in ({}, {"environment": "test"}, {"run": 1, "release": 1}, {"run": 1, "project": "to"}):
    try:
        ciranda.load("flights", **given)
    except (ciranda_errors.CirandaError, LookupError) as error:
        said.append(type(error).__name__)
print(json.dumps(said))
"""


def test_a_notebook_loads_out_of_the_home(site: Site, tmp_path: Path) -> None:
    before = _files(tmp_path / "home" / "store")
    program = f"from ciranda.kernel import errors as ciranda_errors\n{NOTEBOOK}"
    variables = {"PATH": os.environ["PATH"], "CIRANDA_HOME": str(tmp_path / "home"), "TMPDIR": str(tmp_path / "tmp")}
    (tmp_path / "tmp").mkdir()
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=variables, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said[:3] == ["LazyFrame", ["a", "b", "c"], {"mean": 10.0}]
    assert said[3:6] == ["origin,city\nEWR,Newark\nJFK,New York\n", ["flights-1.csv", "flights-2.csv"], 4]
    assert "is a pickle" in said[6]
    assert said[7] == [1, 2]
    assert said[8:] == ["NoAsset", "NotFound", "Usage", "NotFound"]
    digest = site.run.assets["flights"].digest[:9]
    assert f"WARNING flights {digest} of prod#1, r1, run-1, made by run-1 on a working tree with" in done.stderr
    assert _files(tmp_path / "home" / "store") == before
    assert list((tmp_path / "tmp").iterdir()) == []


def _files(folder: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
