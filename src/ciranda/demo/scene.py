"""What the acts share: the stage, the screen, the traffic, and what has been seen from outside so far."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ciranda.demo.judge import Answer, Finding, Said
from ciranda.demo.screen import Screen
from ciranda.demo.stage import Stage
from ciranda.demo.story import Edit, Season, Story, harmless
from ciranda.demo.traffic import Client, Traffic

PUSH = 200.0  # seconds for a push with its gate
LIVE = 60.0  # seconds from an accepted push to the first answer of the new release
BACK = 20.0  # seconds for what was killed or rolled back to answer again
AFTER = 1.0  # seconds of traffic to look at once an act is over
RATE = 150.0  # requests a second: steady, and a machine of two cores has room for the rest
CLIENTS = 8
CROWD = 100.0  # requests a second of the second project, which is trained and judged meanwhile


@dataclass(slots=True)
class Play:
    """One performance: where it is played, and what has been seen of it from outside so far."""

    stage: Stage
    screen: Screen
    story: Story
    traffic: Traffic
    broken: int | None = None  # the act that is broken on purpose
    main: str = ""  # where main was last seen
    live: str = ""  # the release that production answers with
    releases: list[str] = field(default_factory=list)  # in the order in which they first answered
    answers: list[bytes] = field(default_factory=list)  # to the probe, of each of these releases
    held: bool = False  # whether production was rolled back, which holds it
    second: "Second | None" = None  # the project of the season, once it is live

    @property
    def address(self) -> str:
        return address(self.stage, self.story)

    def breaks(self, act: int) -> bool:
        return self.broken == act

    def push(self, stage: Stage | None = None) -> Said:
        """`git push ciranda main`, its lines shown as they come."""
        self.screen.command("git push ciranda main")
        return (stage or self.stage).git("push", "ciranda", "main", timeout=PUSH, show=self.screen.line)

    def commit(self, edit: Edit, *, act: int, stage: Stage | None = None) -> str:
        """Make the edit, or a harmless one where the act is broken on purpose, and commit it."""
        where = stage or self.stage
        (harmless if self.breaks(act) else edit.apply)(where.tree)
        if edit.shown:
            self.screen.line(edit.shown)
        self.screen.command(f'git commit -am "{edit.subject}"')
        return where.commit(edit.subject)

    def probe(self) -> Answer:
        """The one request whose answer tells the models apart, on a connection of its own."""
        return ask(self.address, self.story.probe)

    def watched(self, mark: int) -> list[Answer]:
        """The traffic since a mark and a little longer, so that what an act broke late is seen too."""
        over = time.monotonic() + AFTER
        self.traffic.wait(lambda answer: answer.began > over, after=mark, timeout=BACK)
        return self.traffic.since(mark)


@dataclass(slots=True)
class Second:
    """The project of the season on the same server: its tree, its traffic, and the release that answers now."""

    stage: Stage
    traffic: Traffic
    live: str
    main: str

    def watched(self, mark: int) -> list[Answer]:
        """Its traffic since a mark and a little longer."""
        over = time.monotonic() + AFTER
        self.traffic.wait(lambda answer: answer.began > over, after=mark, timeout=BACK)
        return self.traffic.since(mark)


Played = tuple[list[Finding], dict[str, Any]]  # what was found, and its figures


@dataclass(frozen=True, slots=True)
class Act:
    """One act: its number, its title, and what plays it."""

    number: int
    title: str
    play: Callable[[Play], Played]


def address(stage: Stage, story: Story | Season) -> str:
    """Where the gateway answers for production's service."""
    return f"{stage.gateway}/{story.project}/prod/{story.service}/"


def ask(where: str, body: bytes) -> Answer:
    """One request on a connection of its own."""
    client = Client(where)
    try:
        return client.ask(body)
    finally:
        client.close()
