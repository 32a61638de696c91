"""What verbs that plan share: Terraform is asked for what it has not planned yet, by the server, and waited for."""

from ciranda.app import client
from ciranda.app import home as homes
from ciranda.app.views import infra as views
from ciranda.environment.infra.runs import Run
from ciranda.kernel import errors
from ciranda.kernel.database import Database
from ciranda.kernel.store import Store
from ciranda.loop import infra_asking
from ciranda.release import releases

TIMEOUT = 600.0  # seconds for one plan


def plan(
    home: homes.Home,
    database: Database,
    store: Store,
    project: str,
    environment: str,
    release: str | None,
    *,
    again: bool = False,
) -> Run | None:
    """See to it that a release's infrastructure is planned (None: that everything goes); the run that did it, if there was one.

    Raises errors.Unreachable without a server, errors.Refused with what Terraform says.
    """
    content = None if release is None else releases.manifest(store, releases.get(database, project, release))
    found = infra_asking.stands(database, project, environment, content)
    if found is None or found.state == "left" or (found.state != "unplanned" and not again):
        return None
    server = client.of_home(home)
    answer = server.post("infra/plan", project=project, environment=environment, release=release, again=again)
    return None if answer["run"] is None else ended(database, answer["run"], environment)


def ended(database: Database, run: str, environment: str, *, timeout: float = TIMEOUT) -> Run:
    """Wait for the end of a run. Raises errors.Refused when it failed, or does not end in time."""
    found = views.wait(database, run, timeout=timeout)
    hint = f"all that Terraform said: ciranda infra log -e {environment}"
    if not found.over:
        raise errors.Refused(f"Terraform has not ended after {timeout:g} s; it goes on", hint=hint)
    if found.state == "failed":
        what = {"plan": "planned", "drift": "looked at", "apply": "destroyed" if found.destroy else "applied"}[
            found.kind
        ]
        raise errors.Refused(f"the infrastructure of {environment} could not be {what}: {found.reason}", hint=hint)
    return found
