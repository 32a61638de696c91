"""Feedback, as control does it: channels are told, alerts open incidents, commits close items, and people's acts on them."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from ciranda.access import reaching, settings
from ciranda.app import home as homes
from ciranda.app import sampling
from ciranda.app.views import feedback as views
from ciranda.environment import secrets
from ciranda.feedback import channels, following, incidents, items, notices, review, sending
from ciranda.feedback.facts import Names
from ciranda.feedback.incidents import Incident
from ciranda.feedback.message import Message
from ciranda.feedback.review import Failed
from ciranda.kernel import clock, errors, log
from ciranda.kernel.database import Database, Transaction
from ciranda.kernel.events import Event
from ciranda.kernel.store import Store
from ciranda.loop import changes
from ciranda.loop.changes import NOTHING
from ciranda.versions import repositories

Unseal = Callable[[str, str, Mapping[str, int]], Mapping[str, bytes]]  # project, environment, name → version


class Feedback:
    """Over one home. `look` returns at once: what is sent is sent by threads of its own."""

    def __init__(self, home: homes.Home, database: Database, store: Store, unseal: Unseal) -> None:
        self._home, self._database, self._store, self._unseal = home, database, store, unseal
        self._post = sending.Post(
            reach=lambda: reaching.of_home(home.root), secrets=self._secrets, smtp=lambda: settings.smtp(home.root)
        )
        self._notices = notices.Notices(database, self._known, self._post, lambda: page(home))
        self._names: dict[str, Names | None] = {}
        self._stale: set[str] | None = None  # projects whose declaration may be another one; None: all of them

    def look(self) -> None:
        """Do what new events lead to, and begin to tell the channels what is due."""
        following.look(self._database, self._commits, self._seen)
        if self._stale is None:
            self._stale = {one.name for one in changes.projects(self._database)}
        while self._stale:
            self._learn(self._stale.pop())
        self._notices.look()

    def close(self) -> None:
        """Let what is being sent end."""
        self._notices.close()

    def test(self, project: str, name: str) -> dict[str, Any]:
        """Send a test on a channel, now. Raises errors.NotFound, errors.Refused with what was wrong."""
        self._learn(project)
        names = self._known(project)
        there = () if names is None else names.project.channels
        channel = next((one for one in there if one.name == name), None)
        if channel is None:
            known = ", ".join(one.name for one in there) or "none"
            hint = f"what the protected branch declares: {known}        a new one is pushed first"
            raise errors.NotFound(f"{project} has no channel {name}", hint=hint)
        message = Message(clock.uuid7(), project, name, channel.language, (), base=page(self._home), test=True)
        try:
            problem = sending.send(self._post, channel, message)
        except sending.Undelivered as error:
            raise errors.Refused(f"{name} cannot be told: {error.problem}", hint="ciranda notify list") from error
        return {"project": project, "channel": name, "kind": channel.kind, "sent": True, "problem": problem}

    def open(self, project: str, environment: str, *, title: str, actor: str, **named: Any) -> dict[str, Any]:
        """Open an incident by hand (incidents.open_by_hand). Raises errors.NotFound, errors.Invalid."""
        names = self._known(project)
        service = named.get("service", "")
        if names is not None:
            own = [one.owner for one in names.project.services if one.name == service and one.owner]
            named = named | {"owner": named.get("owner") or next(iter(own), names.project.owner)}
        return asdict(
            self._database.write(
                lambda tx: incidents.open_by_hand(tx, project, environment, title, actor=actor, **named)
            )
        )

    def note(self, project: str, number: int, *, text: str, actor: str) -> dict[str, Any]:
        """Write something down in an incident."""
        return asdict(self._database.write(lambda tx: incidents.note(tx, project, number, text, actor=actor)))

    def resolve(self, project: str, number: int, *, text: str, actor: str) -> dict[str, Any]:
        """Say that an incident is over."""
        return asdict(self._database.write(lambda tx: incidents.resolve(tx, project, number, text, actor=actor)))

    def review(self, project: str, number: int, *, text: str, actor: str) -> dict[str, Any]:
        """Keep a review; each of its actions becomes an item, once. Raises errors.NotFound, errors.Invalid."""
        planned = review.actions(text)

        def work(tx: Transaction) -> tuple[incidents.Incident, list[items.Item]]:
            found = incidents.get(tx, project, number)
            there = {one.title: one for one in items.of_incident(tx, found.id)}
            made = [
                items.add(tx, project, one.title, actor=actor, owner=one.owner or found.owner, incident=found.id)
                for one in planned
                if one.title not in there
            ]
            names = {title: one.name for title, one in there.items()} | {one.title: one.name for one in made}
            return incidents.keep_review(tx, project, number, review.numbered(text, names), actor=actor), made

        kept, made = self._database.write(work)
        return {"incident": asdict(kept), "items": [asdict(one) for one in made]}

    def item_add(self, project: str, *, title: str, owner: str, incident: int | None, actor: str) -> dict[str, Any]:
        """Plan a piece of work."""

        def work(tx: Transaction) -> items.Item:
            born = None if incident is None else incidents.get(tx, project, incident).id
            return items.add(tx, project, title, actor=actor, owner=owner, incident=born)

        return asdict(self._database.write(work))

    def item_close(self, project: str, number: int, *, actor: str) -> dict[str, Any]:
        """Say that a piece of work is done."""
        return asdict(self._database.write(lambda tx: items.close(tx, project, number, actor=actor)))

    def incidents(self, project: str, *, unresolved: bool, before: int) -> dict[str, Any]:
        """The incidents of a project, newest first."""
        found = incidents.listing(self._database, project, unresolved=unresolved, before=before)
        return {"project": project, "incidents": [views.brief(one) for one in found]}

    def incident(self, project: str, number: int, language: str) -> dict[str, Any]:
        """One incident with its timeline, its items and the draft of its review."""
        return views.incident(self._database, project, number, language, self._lost).document()

    def items(self, project: str, *, unclosed: bool, before: int) -> dict[str, Any]:
        """The items of a project, newest first."""
        found = items.listing(self._database, project, unclosed=unclosed, before=before)
        return {"project": project, "items": [asdict(one) for one in found]}

    def delivery(self, project: str, environment: str, days: float) -> dict[str, Any]:
        """DORA's figures."""
        return views.delivery(self._database, self._store, project, environment, days).document()

    def channels(self, project: str) -> dict[str, Any]:
        """How it goes with the channels of a project."""
        return {
            "project": project,
            "channels": [asdict(one) for one in views.channels(self._database, self._home, project)],
        }

    def _lost(self, one: Incident) -> Failed | None:
        return views.failed_requests(sampling.of_home(self._home), one, clock.now_us())

    def _seen(self, event: Event) -> None:
        again = event.kind == "change.merged"
        again |= event.kind == "secret.set" and event.body.get("environment") == secrets.PROJECT
        if again and self._stale is not None:
            self._stale.add(event.chain)

    def _commits(self, event: Event) -> list[tuple[str, str, str]]:
        """The commits that a merged change brought and that close something: sha, message, who pushed them."""
        change = changes.get(self._database, event.subject)
        if change is None or change.kind != "push":
            return []
        repository = repositories.path(self._home.repositories, change.repository)
        older = None if change.base == NOTHING else change.base
        try:
            told = repositories.messages(repository, older, change.head)
        except errors.CirandaError as error:
            log.say(f"the commits of change {change.number} of {change.project} cannot be read: {error}")
            return []
        return [(sha, message, event.actor) for sha, _, message in told if items.named(message)]

    def _learn(self, project: str) -> None:
        """Read what the protected branch declares, and know its channels."""
        declared = views.declared(self._home, self._database, project)
        self._names[project] = None if declared is None else Names(declared, releasing(self._database))
        if declared is None:
            return
        there = channels.rows(self._database, project)
        if declared.channels or there:
            versions = secrets.versions(self._database, project, secrets.PROJECT)
            self._database.write(lambda tx: channels.learn(tx, project, declared.channels, versions))

    def _known(self, project: str) -> Names | None:
        return self._names.get(project)

    def _secrets(self, project: str, names: tuple[str, ...]) -> Mapping[str, bytes]:
        there = secrets.versions(self._database, project, secrets.PROJECT)
        for name in names:
            if name not in there:
                raise errors.Refused(f"the secret {name} is not set", hint=f"ciranda secret set {name} --notify")
        return self._unseal(project, secrets.PROJECT, {name: there[name] for name in names})


def releasing(database: Database) -> Callable[[str], str]:
    """Gives the name of a release, by its identity or its name."""
    return lambda release: views.release_name(database, release)


def page(home: homes.Home) -> str:
    """Under which address people reach the page: what the settings say, else the server's own."""
    try:
        return settings.page(home.root) or str(json.loads((home.state / "server.json").read_text())["url"])
    except (errors.CirandaError, OSError, ValueError, KeyError):
        return ""
