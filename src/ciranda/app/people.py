"""People, as control changes and shows them: users, their roles and tokens; and of which project something is that a request names."""

from dataclasses import dataclass
from typing import Any

from ciranda.access import tokens, users
from ciranda.access.roles import ALL, Grant, Role, User
from ciranda.app.views import audit
from ciranda.environment import emergencies, jobs, saved_plans
from ciranda.kernel import errors
from ciranda.kernel.database import Database
from ciranda.loop import approvals, changes


@dataclass(frozen=True, slots=True)
class People:
    """Over one home."""

    database: Database

    def listing(self, user: User) -> dict[str, Any]:
        """Who there is: for an admin of everything all of it, for others who may do something in what they may look at."""
        people = []
        for person in users.everybody(self.database):
            told: dict[str, Any] = {**person.user.document(), "tokens": person.tokens, "since_us": person.since_us}
            if not user.may("admin") and person.user.name != user.name:
                grants = [one for one in told["grants"] if sees(user, one["project"])]
                if not grants:
                    continue
                told |= {"grants": grants, "tokens": None}
            people.append(told)
        return {"users": people}

    def add(self, name: str, *, grant: Grant | None, actor: str) -> dict[str, Any]:
        """Make a user known, with a role if one is named. Raises errors.Invalid, errors.Refused."""

        def work(tx: Any) -> User:
            users.add(tx, name, actor=actor)
            if grant is not None:
                users.grant(tx, name, grant, actor=actor)
            return users.get(tx, name)

        return self.database.write(work).document()

    def grant(self, name: str, wanted: Grant, *, actor: str) -> dict[str, Any]:
        """Give a user a role somewhere. Raises errors.NotFound, errors.Refused."""
        self.database.write(lambda tx: users.grant(tx, name, wanted, actor=actor))
        return users.get(self.database, name).document()

    def revoke(self, name: str, project: str, environment: str, *, actor: str) -> dict[str, Any]:
        """Take a role from a user. Raises errors.NotFound, errors.Refused."""
        role: Role = self.database.write(lambda tx: users.revoke(tx, name, project, environment, actor=actor))
        return users.get(self.database, name).document() | {"revoked": role}

    def remove(self, name: str, *, actor: str) -> dict[str, Any]:
        """Let a user be nobody. Raises errors.NotFound, errors.Refused."""
        self.database.write(lambda tx: users.remove(tx, name, actor=actor))
        return {"name": name, "removed": True}

    def tokens(self, user: str | None) -> dict[str, Any]:
        """The tokens of a user, or of all: never themselves."""
        return {"tokens": [_token(one) for one in tokens.listing(self.database, user)]}

    def token(self, user: str, *, label: str, days: int, actor: str) -> dict[str, Any]:
        """Another token of a user, told this once. Raises errors.NotFound, errors.Invalid."""
        plain, made = self.database.write(lambda tx: tokens.make(tx, user, label=label, days=days, actor=actor))
        return _token(made) | {"token": plain}

    def owner(self, token: str) -> str:
        """Whose token this is, by its name in the ledger. Raises errors.NotFound."""
        return tokens.owner(self.database, token)

    def revoke_token(self, token: str, *, actor: str) -> dict[str, Any]:
        """Let a token be nobody's. Raises errors.NotFound, errors.Refused."""
        return {"id": token, "user": self.database.write(lambda tx: tokens.revoke(tx, token, actor=actor))}

    def audit(self, user: User, asked: audit.Asked) -> dict[str, Any]:
        """The facts that the user may see. Raises errors.Invalid."""
        return audit.gather(self.database, asked, sees=lambda chain: sees(user, chain)).document()

    def may(self, user: str, role: Role, project: str, environment: str = "") -> bool:
        """Whether a user, by name, may do there what a role may."""
        found = users.find(self.database, user)
        return found is not None and found.may(role, project, environment)

    def project_of(self, repository: str) -> str:
        """The project that a repository holds; one that holds none yet is called as the repository is."""
        known = changes.project_of(self.database, repository)
        return repository if known is None else known.name

    def told_of(self, id: str) -> str | None:
        """The project of a change or a run of a job, whose lines somebody wants to follow; None: it has no row yet."""
        change = changes.get(self.database, id)
        if change is not None:
            return change.project
        run = jobs.get(self.database, id)
        return None if run is None else run.project

    def planned(self, name: str) -> tuple[str, str]:
        """Project and environment of a plan, an emergency, or a change that asks a person. Raises errors.NotFound, errors.Usage."""
        if name.startswith(approvals.CHANGE):
            return approvals.parse(name)[0], ""
        if name.startswith(emergencies.PREFIX):
            project, environment, _ = emergencies.parse(name)
            return project, environment
        saved = saved_plans.find(self.database, name)
        return saved.project, saved.environment


def sees(user: User, chain: str) -> bool:
    """Whether a user may read the facts of a chain: of a project who may look at it, of the home who may look at everything."""
    return user.may("viewer", _project(chain))


def place(project: str, environment: str) -> tuple[str, str]:
    """Where a grant holds, from what a request names: nothing named is everywhere. Raises errors.Invalid."""
    if environment and not project:
        raise errors.Invalid("an environment is of a project", hint="name it too: --project NAME")
    return project or ALL, environment or ALL


def _project(name: str) -> str:
    """The project of which a role must be had: of what is of all, and of the home's own chain, everywhere."""
    return "" if name in (ALL, users.CHAIN) else name


def _token(one: tokens.Token) -> dict[str, Any]:
    return {
        "id": one.id, "user": one.user, "label": one.label, "by": one.actor, "at_us": one.at_us, "until_us": one.until_us,
    }  # fmt: skip
