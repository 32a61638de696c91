"""How an environment's infrastructure stands to a release: as it is, planned, or still to be planned."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from ciranda.environment.infra import places, planned, runs, states
from ciranda.environment.infra.answer import Answer, Change, Output
from ciranda.kernel import digest
from ciranda.kernel.database import Database, Transaction
from ciranda.release.manifest import Manifest

State = Literal["same", "planned", "unplanned", "left"]


@dataclass(frozen=True, slots=True)
class Standing:
    """`same`: nothing to do; `planned`: `plan` says what there is to do; `unplanned`: Terraform must be asked `question` first;
    `left`: the release declares none any more, and what there is stays.

    `outputs` are what it gives, or would give; `resources` how many there are now; `serial` that of the state now.
    """

    state: State
    folder: str
    digest: str
    question: str
    serial: int
    resources: int = 0
    outputs: Mapping[str, Output] = field(default_factory=dict)
    config: Mapping[str, str] = field(default_factory=dict)  # what the folder is given
    secrets: Mapping[str, int] = field(default_factory=dict)  # versions of what it is given
    release: str = ""  # whose files made what goes (release.id), when everything is to go
    plan: str = ""  # infra_plan.id
    answer: Answer | None = None
    problem: str = ""  # why it could not be planned when somebody asked last

    @property
    def changes(self) -> tuple[Change, ...]:
        """What would become of resources."""
        return () if self.answer is None else self.answer.changes

    @property
    def applies(self) -> bool:
        """There is a plan, and it does something."""
        return self.state == "planned" and self.answer is not None and not self.answer.empty

    @property
    def destroys(self) -> bool:
        """The plan takes something away."""
        return self.answer is not None and self.answer.destroys

    def document(self) -> dict[str, Any]:
        """What a plan that people approve binds."""
        told = {"state": self.state, "folder": self.folder, "digest": self.digest, "question": self.question}
        return told | ({"plan": self.plan} if self.plan else {})

    def recorded(self, run: str = "") -> dict[str, Any]:
        """What a revision keeps of it."""
        if self.state == "left":
            return {}
        told: dict[str, Any] = {"folder": self.folder, "digest": self.digest, "serial": self.serial}
        return told | ({"run": run} if run else {})


def look(
    database: Database | Transaction,
    content: Manifest,
    environment: str,
    *,
    config: Mapping[str, str],
    secrets: Mapping[str, int],
    plan: str = "",
) -> Standing | None:
    """How a release's infrastructure stands; None where neither it nor the environment has any.

    `config` and `secrets` are what the folder would be given (values and versions), `plan` the one that is to be taken
    instead of the newest.
    """
    project, declared = content.project, content.infra.get(environment)
    place = places.get(database, project, environment)
    serial = states.serial(database, project, environment)
    if declared is None:
        if place is None:
            return None
        return Standing("left", place.folder, place.digest, place.question, serial, place.resources)
    draft = Standing(
        "same", declared.folder, declared.digest, "", serial,
        resources=0 if place is None else place.resources,
        outputs={} if place is None else place.values,
        config=config,
        secrets={name: version for name, version in secrets.items() if place is None or name not in place.secrets},
    )  # fmt: skip
    draft = replace(draft, question=question(draft, serial, None if place is None else place.serial))
    if not plan and place is not None and place.question == draft.question and not _newer(database, place):
        return draft
    return _answered(database, project, environment, draft, plan)


def leaving(database: Database | Transaction, project: str, environment: str, plan: str = "") -> Standing | None:
    """How it stands when everything is to go; None where there is nothing."""
    place = places.get(database, project, environment)
    if place is None:
        return None
    serial = states.serial(database, project, environment)
    asked = digest.of("plan", ["infra", "destroy", place.digest, place.serial, serial])
    draft = Standing(
        "same", place.folder, place.digest, asked, serial, resources=place.resources, release=place.release
    )  # fmt: skip
    return _answered(database, project, environment, draft, plan)


def question(wanted: Standing, serial: int, left: int | None) -> str:
    """The digest of everything of ours that a plan depends on: the files, what they are given, and the state that they meet.

    `serial` is that of the state, `left` the one that the last apply left. Pure.
    """
    given = [dict(wanted.config), dict(wanted.secrets)]
    return digest.of("plan", ["infra", wanted.folder, wanted.digest, serial, left, *given])


def _answered(database: Database | Transaction, project: str, environment: str, draft: Standing, plan: str) -> Standing:
    found = planned.get(database, plan) if plan else planned.newest(database, project, environment, draft.question)
    if found is None or (found.project, found.environment, found.question) != (project, environment, draft.question):
        last = runs.asked(database, project, environment, "plan", draft.question)
        return replace(draft, state="unplanned", problem=last.reason if last and last.state == "failed" else "")
    given = {} if draft.release else found.answer.outputs
    return replace(draft, state="planned", outputs=given, plan=found.id, answer=found.answer)


def _newer(database: Database | Transaction, place: places.Place) -> bool:
    """Whether somebody had it planned again since it was applied, so that what drifted is put right."""
    found = planned.newest(database, place.project, place.environment, place.question)
    return found is not None and found.made_us > place.applied_us and not found.answer.empty
