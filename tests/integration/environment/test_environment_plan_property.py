"""Whatever a project declares: what was applied leaves nothing to plan, before it is reached and after it."""

from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ciranda.app import applying
from ciranda.app.views import plan as views
from ciranda.environment import moves, plans, revisions, secrets
from ciranda.environment import settings as server
from ciranda.kernel import migrations, sealing
from ciranda.pipeline import records
from ciranda.project import declaration
from ciranda.release import building, manifest, releases
from support import environment
from support.environment import Site
from support.kernel import Ledger

NAMES = ("alpha", "beta", "gamma", "delta")
PLACES = ("test", "prod")
CHAIN = (declaration.Environment("test"), declaration.Environment("prod", after="test"))
numbers = count(1)

scalars = st.one_of(st.booleans(), st.integers(-5, 5), st.sampled_from(["", "info", "ação", "1"]), st.floats(-1, 1))
# The type of a setting stays: a value on the server that is of another one is refused, which other tests look at.
SETTINGS = {
    "ALPHA": st.booleans(),
    "BETA": st.integers(-2, 2),
    "GAMMA": st.sampled_from(["", "info", "ação"]),
    "DELTA": st.floats(-1, 1),
}
some = st.sets(st.sampled_from(NAMES), max_size=3)


def kind(value: declaration.Scalar) -> Any:
    return type(value).__name__


@st.composite
def projects(draw: st.DrawFn) -> declaration.Project:
    """A declaration of services, jobs, settings and a chain."""
    secret = st.sets(st.sampled_from(["DB_URL", "TOKEN"])).map(lambda found: tuple(sorted(found)))
    values = {name.upper(): draw(SETTINGS[name.upper()]) for name in sorted(draw(some))}
    chain = tuple(
        declaration.Environment(
            place.name, place.after, draw(st.sampled_from([(), ("pytest",)])), 9.0,
            {name: draw(SETTINGS[name]) for name in values if draw(st.booleans())},
            secrets=draw(secret),
        )
        for place in CHAIN
    )  # fmt: skip
    return declaration.Project(
        name="",
        pipeline="pipeline.py",
        services=tuple(
            declaration.Service(
                name, "command", draw(st.sampled_from(["./a", "./b"])), tuple(sorted(draw(some))),
                draw(st.integers(1, 3)), secrets=draw(secret),
            )
            for name in sorted(draw(some))
        ),
        jobs=tuple(
            declaration.Job(name, tuple(sorted(draw(some))), draw(st.sampled_from([None, "0 5 * * *"])))
            for name in sorted(draw(some))
        ),
        settings=tuple(declaration.Setting(name, kind(value), value) for name, value in values.items()),
        environments=chain,
    )  # fmt: skip


@st.composite
def steps(draw: st.DrawFn) -> tuple[declaration.Project, dict[str, int], dict[str, Any], bool]:
    """A push: what it declares, the versions of its assets and its parameters; and whether somebody scales before the next."""
    assets = {name: draw(st.integers(0, 2)) for name in NAMES}
    parameters = {name: {"depth": draw(scalars)} for name in sorted(draw(some))}
    return draw(projects()), assets, parameters, draw(st.booleans())


@pytest.fixture
def site(ledger: Ledger, tmp_path: Path) -> Site:
    made = environment.site(ledger, tmp_path)
    migrations.migrate(
        made.database, ["ciranda.access", "ciranda.versions", "ciranda.pipeline", "ciranda.checks", "ciranda.loop"]
    )
    return made


@pytest.mark.parametrize("ledger", ["sqlite"], indirect=True)
@settings(max_examples=40)
@given(pushes=st.lists(steps(), min_size=1, max_size=3))
def test_apply_then_plan_is_empty(site: Site, pushes: list[Any]) -> None:
    project, key = f"p{next(numbers)}", sealing.Key(b"k" * 32, site.folder / "secrets.key")
    for place in PLACES:
        for name in ("DB_URL", "TOKEN"):
            site.database.write(
                lambda tx, place=place, name=name: secrets.put(tx, key, project, place, name, b"value", actor="ana")
            )
    for number, (declared, assets, parameters, scales) in enumerate(pushes):
        release = push(site, project, number, declared, assets, parameters)
        for place in PLACES:
            look(site, project, place, release.name)
        if scales and declared.services:
            change(site, project, declared)


def push(
    site: Site, project: str, number: int, declared: declaration.Project, assets: dict[str, int], parameters: Any
) -> releases.Release:
    versions = {
        name: records.Version(name, f"b3:{version:064}", f"key-{name}-{version}", "json", 1, "model")
        for name, version in assets.items()
    }
    content = building.build(
        declaration.Project(**{field: getattr(declared, field) for field in declared.__dataclass_fields__} | {"name": project}),
        commit=f"{number:040}", tree=f"t{number}", interpreter="b3:i", parameters=parameters, assets=versions, policy="b3:p",
    )  # fmt: skip
    assert manifest.read(content.data) == content
    kept = releases.keep(site.store, content)
    return site.database.write(lambda tx: releases.make(tx, manifest=content, kept=kept, change=None, actor="ana"))


def look(site: Site, project: str, place: str, release: str) -> None:
    """Plan, apply, plan again: before it is reached, and after it."""
    view = views.gather(site.database, site.store, project, place, release)
    assert views.gather(site.database, site.store, project, place, release).digest == view.digest
    if not view.plan.empty:
        assert view.plan.changes, "something is to be done, and nothing is said of it"
        name = site.database.write(lambda tx: plans.save(tx, view.plan, actor="ana"))
        made = applying.apply(site.database, site.store, name, actor="ana")[1]
        assert views.gather(site.database, site.store, project, place, release).plan.empty
        assert site.database.write(lambda tx: moves.end(tx, made, "reached", actor="ciranda"))
    after = views.gather(site.database, site.store, project, place, release)
    assert after.plan.empty
    assert after.plan.changes == ()
    views.lines(view)


def change(site: Site, project: str, declared: declaration.Project) -> None:
    """Somebody scales a service, and sets a value on the server."""
    name = declared.services[0].name
    scaled = site.database.write(lambda tx: moves.scale(tx, project, "prod", service=name, count=3, actor="ana"))
    if scaled.state == "target":
        site.database.write(lambda tx: moves.end(tx, scaled, "reached", actor="ciranda"))
    now = revisions.live(site.database, project, "prod")
    assert now is not None
    if declared.settings:
        first = declared.settings[0]
        site.database.write(lambda tx: server.put(tx, project, "prod", first.name, first.default, actor="ana"))
