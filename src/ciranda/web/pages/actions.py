"""What people may do from a page: each act is asked for on a page of its own, bound to what that page shows, and then done.

A form carries the seal of the session that it was made for, and of what was shown a digest: the plan's, or the revision that
is there. Another state since then is refused, so that nothing is done that nobody saw. No script is needed.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ciranda.app.views import plan as plans
from ciranda.app.views.pages.environments import Told
from ciranda.environment import plans as ledger_plans
from ciranda.environment import revisions
from ciranda.kernel import errors
from ciranda.kernel.database import Database
from ciranda.release import releases
from ciranda.web.pages.rendering import Page
from ciranda.web.port import Control

ACTS = ("promote", "approve", "rollback", "hold", "let-go")
LONGEST = 1000  # characters of a reason


@dataclass(frozen=True, slots=True)
class Place:
    """Where somebody wants to do something, and what they said: the fields of a form, or of a query."""

    project: str
    environment: str
    said: Mapping[str, str]
    user: str

    @property
    def reason(self) -> str:
        """Why, in one line."""
        return " ".join(self.said.get("reason", "").split())[:LONGEST]


def ways_back(told: Told) -> tuple[str, ...]:
    """The releases that an environment can go back to from a page: those of its latest revisions that were reached, newest first."""
    if told.current is None:
        return ()
    there = told.current.release
    found = (one.release for one in told.past if one.revision.state == "reached" and not one.revision.bad)
    return tuple(dict.fromkeys(name for name in found if name != there))


def shown(act: str, place: Place, database: Database, planned: Callable[[str | None], plans.View]) -> Page:
    """The page that asks whether an act is meant, with what it would do. Raises errors.NotFound, errors.Refused."""
    title = f"{_TITLES[act]} {place.environment}"
    given: dict[str, Any] = {
        "act": act,
        "environment": place.environment,
        "plan": None,
        "revision": None,
        "to": "",
        "from_": "",
    }
    known = revisions.environments(database, place.project)
    if act in ("promote", "approve"):
        view = planned(place.said.get("release"))
        given |= {"plan": view, "to": view.release}
    elif place.environment not in [one.name for one in known]:
        revisions.environment(database, place.project, place.environment)
    else:
        now = revisions.current(database, place.project, place.environment)
        release = None if now is None else releases.by_id(database, now.release)
        given |= {"revision": now, "from_": "" if release is None else release.name, "to": place.said.get("to", "")}
        given |= {"held": next(one for one in known if one.name == place.environment)}
        if act == "rollback" and now is None:
            raise errors.NotFound(f"nothing has run in {place.environment} yet", hint="what there is: ciranda status")
    return Page("act", title, given, place.project, every=0)


def done(
    act: str, place: Place, control: Control, database: Database, planned: Callable[[str | None], plans.View]
) -> None:
    """Do what somebody meant, if it is still what they were shown. Raises what the act raises, errors.Stale above all."""
    project, environment, said = place.project, place.environment, place.said
    match act:
        case "promote":
            plan = _needed(said, "plan")
            emergency = place.reason if said.get("emergency") else ""
            if said.get("emergency") and not emergency:
                raise errors.Invalid("an emergency says why")
            control.promote(
                project, environment, release=_needed(said, "release"), actor=place.user, emergency=emergency, plan=plan
            )
        case "approve":
            view = planned(_needed(said, "release"))
            if view.digest != _needed(said, "plan"):
                raise errors.Stale(f"{environment} or its plan has changed since", hint="look at it again")
            database.write(lambda tx: ledger_plans.save(tx, view.plan, actor=place.user))
            control.approve(view.digest, actor=place.user)
        case "rollback":
            to = said.get("to") or None
            control.rollback(
                project, environment, to=to, actor=place.user, reason=place.reason, at=_needed(said, "revision")
            )
        case "hold":
            control.hold(project, environment, release=False, reason=place.reason, actor=place.user)
        case "let-go":
            control.hold(project, environment, release=True, reason="", actor=place.user)


_TITLES = {
    "promote": "Promote to",
    "approve": "Approve for",
    "rollback": "Roll back",
    "hold": "Hold",
    "let-go": "Let go of",
}


def _needed(said: Mapping[str, str], name: str) -> str:
    if not said.get(name):
        raise errors.Invalid(f"the form does not say {name}", hint="load the page again")
    return said[name]
