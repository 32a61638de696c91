"""A rule of a release: on what it reacts, and what it does."""

from dataclasses import dataclass

from ciranda.release import manifest


@dataclass(frozen=True, slots=True)
class Rule:
    """`[reactions.NAME]` as a release has it, in one environment."""

    name: str
    on: str  # "drift", "errors", "alert:NAME"
    do: str  # "retrain", "rollback", "job:NAME"
    service: str  # "": of any
    cool_down: float  # seconds after an act
    at_most: int  # acts a day
    ask_first: int  # so many acts need a person's word first


def of(content: manifest.Manifest, environment: str) -> list[Rule]:
    """The rules of a release that hold in an environment, by name."""
    return [
        Rule(name, one.on, one.do, one.service, one.cool_down, one.at_most, one.ask_first)
        for name, one in sorted(content.reactions.items())
        if environment in one.environments
    ]
