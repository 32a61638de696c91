"""What people may do, and where: a role in a project and an environment of it. Pure."""

from dataclasses import dataclass
from typing import Literal, get_args

from ciranda.kernel import errors

Role = Literal["viewer", "developer", "operator", "admin"]
ROLES: tuple[Role, ...] = get_args(Role)  # each may do what those before it may
ALL = "*"  # every project, or every environment of one


@dataclass(frozen=True, slots=True)
class Grant:
    """A role in a project (`*`: in every one) and an environment of it (`*`: in all of it)."""

    project: str
    environment: str
    role: Role

    def within(self, project: str) -> bool:
        """Whether it is of this project."""
        return self.project in (ALL, project)

    def holds(self, project: str, environment: str) -> bool:
        """Whether it says something of this environment; of no environment (""): of the project as a whole."""
        return self.within(project) and self.environment in (ALL, environment)

    @property
    def place(self) -> str:
        """`flights/prod`, `flights`, `every project`."""
        project = "every project" if self.project == ALL else self.project
        if self.environment == ALL:
            return project
        return f"{self.environment} of every project" if self.project == ALL else f"{project}/{self.environment}"


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who is known by a token. `role` is what they are everywhere; None: only what `grants` say."""

    name: str
    role: Role | None = None
    grants: tuple[Grant, ...] = ()

    def role_in(self, project: str = "", environment: str = "") -> Role | None:
        """The most that they may do there: in an environment, in a project as a whole, or (nothing named) everywhere.

        Whoever may do something in one environment may look at all of its project.
        """
        found = [] if self.role is None else [self.role]
        if project:
            found += [grant.role for grant in self.grants if grant.holds(project, environment)]
            if any(grant.within(project) for grant in self.grants):
                found.append("viewer")
        return max(found, key=ROLES.index, default=None)

    def may(self, role: Role, project: str = "", environment: str = "") -> bool:
        """Whether they may do there what this role may."""
        found = self.role_in(project, environment)
        return found is not None and ROLES.index(found) >= ROLES.index(role)

    def role_anywhere(self, role: Role) -> bool:
        """Whether there is a place where they may do what this role may."""
        found = [grant.role for grant in self.grants] + ([] if self.role is None else [self.role])
        return any(ROLES.index(one) >= ROLES.index(role) for one in found)

    @property
    def somewhere(self) -> bool:
        """Whether there is a project that they may look at."""
        return self.role is not None or bool(self.grants)

    def document(self) -> dict[str, object]:
        """The user as JSON values."""
        everywhere = () if self.role is None else (Grant(ALL, ALL, self.role),)
        told = [
            {"project": one.project, "environment": one.environment, "role": one.role}
            for one in (*everywhere, *self.grants)
        ]
        return {"name": self.name, "grants": told}


def require(user: User | None, role: Role, project: str = "", environment: str = "") -> User:
    """The user, who may do there what this role may. Raises errors.Refused."""
    if user is None:
        raise errors.Refused("a token is needed here", hint="the first one is in the file `token` of the home")
    if not user.may(role, project, environment):
        has = user.role_in(project, environment)
        where = f" in {Grant(project, environment or ALL, role).place}" if project else ""
        raise errors.Refused(
            f"{user.name} {f'is {has}{where}' if has else f'has no role{where}'}, and this needs {role}",
            hint=f"ask somebody who is admin: ciranda user grant {user.name} {role}{_options(project, environment)}",
        )
    return user


def _options(project: str, environment: str) -> str:
    return (f" --project {project}" if project else "") + (f" -e {environment}" if environment else "")
