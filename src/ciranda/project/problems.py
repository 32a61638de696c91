"""What is wrong with a declaration: each problem with its place and a way out, told together."""

from collections.abc import Sequence
from dataclasses import dataclass

from ciranda.kernel import errors


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: `what` in one line, `where` as `ciranda.toml:14`, `hint` the way out."""

    what: str
    where: str
    hint: str = ""
    not_yet: bool = False  # designed, but not built


class Declined(errors.Invalid):
    """The declaration makes no sense as it is."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        first = problems[0]
        super().__init__(first.what, where=first.where, hint=first.hint)
        self.problems = tuple(problems)


class Later(errors.NotYet):
    """The declaration asks for what is designed, but not built yet."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        first = problems[0]
        super().__init__(first.what, where=first.where, hint=first.hint)
        self.problems = tuple(problems)


def refuse(problems: Sequence[Problem]) -> None:
    """Raise what the problems amount to, nothing if there are none.

    Declined if some problem is a mistake, Later if all ask for what is not built yet; both in the order of lines.
    """
    if not problems:
        return
    ordered = sorted(problems, key=lambda problem: (problem.not_yet, _line(problem.where)))
    raise Later(ordered) if all(problem.not_yet for problem in ordered) else Declined(ordered)


def _line(where: str) -> int:
    number = where.rpartition(":")[2]
    return int(number) if number.isdigit() else 0
