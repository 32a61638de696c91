"""What keeps a release from entering the next environment although nobody holds it: a secret that is not set there."""

from collections.abc import Sequence

from ciranda.environment import revisions, secrets
from ciranda.kernel import errors
from ciranda.kernel.database import Database
from ciranda.kernel.store import Store
from ciranda.loop import changes
from ciranda.release import releases


def lacking(database: Database, store: Store, project: str, latest: Sequence[changes.Change]) -> tuple[str, ...]:
    """`r42 waits in prod: ciranda secret set DB_URL -e prod`, of the newest release that is on its way."""
    change = next((one for one in latest if one.state == "delivering" and one.release is not None), None)
    if change is None or change.release is None:
        return ()
    release = releases.by_id(database, change.release)
    try:
        content = releases.manifest(store, release)
    except (errors.Corrupt, errors.NotFound):
        return ()  # it is made anew soon, and looked at then
    for name, place in content.environments.items():
        before = None if place.after is None else revisions.of_release(database, project, place.after, release.id)
        entered = revisions.of_release(database, project, name, release.id) is not None
        if entered or (place.after is not None and (before is None or before.state != "reached")):
            continue
        try:
            secrets.chosen(database, content, name, secrets.needed(content, name) if name in content.infra else ())
        except errors.Refused as refused:
            return (f"{release.name} waits in {name}: {refused.hint}",)
    return ()
