"""The seven acts. Each does something as a person would, watches from outside, and returns what it found."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ciranda.demo import judge, processes
from ciranda.demo.judge import Answer, Finding, Said
from ciranda.demo.screen import Screen
from ciranda.demo.stage import Stage
from ciranda.demo.story import Edit, Story, harmless
from ciranda.demo.traffic import Client, Traffic

PUSH = 150.0  # seconds for a push with its gate
LIVE = 60.0  # seconds from an accepted push to the first answer of the new release
BACK = 20.0  # seconds for what was killed or rolled back to answer again
AFTER = 1.0  # seconds of traffic to look at once an act is over
RATE = 150.0  # requests a second: steady, and a machine of two cores has room for the rest
CLIENTS = 8


@dataclass(slots=True)
class Play:
    """What the acts share: stage, screen, traffic, and what has been seen from outside so far."""

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

    @property
    def address(self) -> str:
        return address(self.stage, self.story)

    def breaks(self, act: int) -> bool:
        return self.broken == act

    def push(self) -> Said:
        """`git push ciranda main`, its lines shown as they come."""
        self.screen.command("git push ciranda main")
        return self.stage.git("push", "ciranda", "main", timeout=PUSH, show=self.screen.line)

    def commit(self, edit: Edit, *, act: int) -> str:
        """Make the edit, or a harmless one where the act is broken on purpose, and commit it."""
        (harmless if self.breaks(act) else edit.apply)(self.stage.tree)
        if edit.shown:
            self.screen.say(edit.shown)
        self.screen.command(f'git commit -am "{edit.subject}"')
        return self.stage.commit(edit.subject)

    def probe(self) -> Answer:
        """The one request whose answer tells the models apart, on a connection of its own."""
        return ask(self.address, self.story.probe)

    def watched(self, mark: int) -> list[Answer]:
        """The traffic since a mark and a little longer, so that what an act broke late is seen too."""
        over = time.monotonic() + AFTER
        self.traffic.wait(lambda answer: answer.began > over, after=mark, timeout=BACK)
        return self.traffic.since(mark)


@dataclass(frozen=True, slots=True)
class Act:
    """One act: its number, its title, and what plays it."""

    number: int
    title: str
    play: Callable[[Play], tuple[list[Finding], dict[str, Any]]]


def address(stage: Stage, story: Story) -> str:
    """Where the gateway answers for production's service."""
    return f"{stage.gateway}/{story.project}/prod/{story.service}/"


def ask(where: str, body: bytes) -> Answer:
    """One request on a connection of its own."""
    client = Client(where)
    try:
        return client.ask(body)
    finally:
        client.close()


def goes_live(play: Play) -> tuple[list[Finding], dict[str, Any]]:
    if play.breaks(1):
        play.story.failing.apply(play.stage.tree)
    head = play.stage.commit("The flights of 2013" if play.story.project == "flights" else "The first commit")
    push = play.push()
    pushed = time.monotonic()
    play.main = play.stage.main()
    findings = judge.accepted(push, play.main, head)
    if not all(finding.ok for finding in findings):
        return findings, {"push_seconds": round(push.seconds, 1)}
    answer = play.probe()
    while answer.failed and time.monotonic() < pushed + LIVE:
        time.sleep(0.05)  # there is nothing else to wait for: from outside, a service is there when it answers
        answer = play.probe()
    play.live = answer.release
    play.releases.append(answer.release)
    play.answers.append(answer.body)
    findings += [
        Finding(
            not answer.failed,
            f"{play.address} answers {judge.shown(answer.body)}{judge.reasons([answer] * answer.failed)}",
        ),
        Finding(
            bool(answer.release),
            f"the answer carries release {answer.release or '-'} and request {answer.request or '-'}",
        ),
    ]
    play.traffic.start()
    return findings, {
        "push_seconds": round(push.seconds, 1),
        "live_seconds": round(push.seconds + answer.ended - pushed, 1),
        "release": answer.release,
    }


def refuses(act: int, choose: Callable[[Story], Edit]) -> Callable[[Play], tuple[list[Finding], dict[str, Any]]]:
    """An act in which a commit has to be refused, while what is live goes on."""

    def play_it(play: Play) -> tuple[list[Finding], dict[str, Any]]:
        mark, edit = play.traffic.mark, choose(play.story)
        play.commit(edit, act=act)
        push = play.push()
        main = play.stage.main()
        findings = judge.refused(push, main, play.main, edit.reasons)
        play.main = main
        play.stage.uncommit()
        answers = play.watched(mark)
        others = {answer.release for answer in answers if not answer.failed} - {play.live}
        findings += [Finding(not others, f"{play.live} goes on answering"), judge.steady(answers)]
        return findings, {"push_seconds": round(push.seconds, 1)} | judge.pace(answers)

    return play_it


def takes_over(play: Play) -> tuple[list[Finding], dict[str, Any]]:
    mark, old = play.traffic.mark, play.live
    head = play.commit(play.story.better, act=4)
    push = play.push()
    pushed = time.monotonic()
    play.main = play.stage.main()
    findings = judge.accepted(push, play.main, head)
    first = play.traffic.wait(lambda answer: not answer.failed and answer.release != old, after=mark, timeout=LIVE)
    new = first.release if first else ""
    answers = play.watched(mark)
    probe = play.probe()
    play.live = new
    play.releases.append(new)
    play.answers.append(probe.body)
    findings += [
        computed_again(push, play.story),
        *judge.took_over(answers, old, new),
        judge.told_apart(play.answers[0], probe.body),
        judge.steady(answers),
    ]
    figures = {"push_seconds": round(push.seconds, 1), "release": new} | judge.pace(answers)
    if first:
        figures["live_seconds"] = round(push.seconds + first.ended - pushed, 1)
    return findings, figures


def computed_again(push: Said, story: Story) -> Finding:
    """By the push's own lines: what did not change came from the store, what did was made anew."""
    cached = re.findall(r"^remote:\s+(\w+)\s.*\bcached\b", push.text, re.MULTILINE)
    made = re.findall(r"^remote:\s+(\w+)\s+✓", push.text, re.MULTILINE)
    right = story.unchanged in cached and story.changed in made and story.changed not in cached
    return Finding(right, f"only what changed was computed: {story.unchanged} from the store, {story.changed} anew")


def rolls_back(play: Play) -> tuple[list[Finding], dict[str, Any]]:
    mark, old, new = play.traffic.mark, play.releases[0], play.releases[-1]
    environment = "test" if play.breaks(5) else "prod"
    play.screen.command(f"ciranda rollback {environment}")
    began = time.monotonic()
    said = play.stage.ciranda("rollback", environment, timeout=BACK, show=play.screen.line)
    first = play.traffic.wait(
        lambda answer: not answer.failed and answer.release == old and answer.ended > began,
        after=mark,
        timeout=BACK / 2,
    )
    answers = play.watched(mark)
    probe = play.probe()
    took = first.ended - began if first else 0.0
    play.live, play.held = old, True
    findings = [
        Finding(said.code == 0, f"ciranda rollback ended with {said.code}"),
        Finding(
            first is not None, f"first answer of {old} after {took:.2f} s" if first else f"{old} never answered again"
        ),
        *judge.took_over([answer for answer in answers if answer.began > began], new, old),
        judge.told_alike(play.answers[0], probe.body),
        judge.steady(answers),
    ]
    return findings, {"first_answer_seconds": round(took, 3), "release": old} | judge.pace(answers)


def survives(play: Play) -> tuple[list[Finding], dict[str, Any]]:
    control, figures = control_dies(play)
    if not all(finding.ok for finding in control):
        return control, figures
    gateway, more = gateway_dies(play)
    return [*control, *gateway], figures | more


def control_dies(play: Play) -> tuple[list[Finding], dict[str, Any]]:
    mark, pid = play.traffic.mark, play.stage.process("control")
    if pid is None:
        return [Finding(False, "no control process was found")], {}
    play.screen.command(f"kill -9 {pid}     # control")
    gone = processes.kill(pid)
    main = play.stage.main()
    while not main and time.monotonic() < gone + BACK:
        time.sleep(0.05)  # only asking tells whether it answers again
        main = play.stage.main()
    back = time.monotonic() - gone
    status = play.stage.ciranda("status", timeout=BACK)
    answers = play.watched(mark)
    return [
        Finding(
            bool(main) and main == play.main,
            f"control is back after {back:.1f} s, and main is at {main[:7] or 'nothing'}",
        ),
        Finding(status.code == 0 and play.live in status.text, f"ciranda status knows {play.live}"),
        judge.steady(answers),
    ], {"control_back_seconds": round(back, 2), "control": judge.pace(answers)}


def gateway_dies(play: Play) -> tuple[list[Finding], dict[str, Any]]:
    mark, pid = play.traffic.mark, play.stage.process("gateway")
    if pid is None:
        return [Finding(False, "no gateway process was found")], {}
    if play.breaks(6):
        play.stage.abandon()
    play.screen.command(f"kill -9 {pid}     # gateway")
    gone = processes.kill(pid)
    first = play.traffic.wait(lambda answer: not answer.failed and answer.began > gone, after=mark, timeout=BACK)
    answers = play.watched(mark)
    back = first.ended - gone if first else 0.0
    right = {answer.release for answer in answers if not answer.failed} == {play.live}
    return [
        *judge.only_in_flight(answers, gone),
        Finding(bool(first) and right, f"the gateway is back after {back:.2f} s, and routes to {play.live}"),
    ], {"gateway_back_seconds": round(back, 2), "gateway": judge.pace(answers)}


def tells(play: Play) -> tuple[list[Finding], dict[str, Any]]:
    mark = play.traffic.mark
    play.screen.command("ciranda status")
    home = play.stage.folder / "nowhere" if play.breaks(7) else None
    said = play.stage.ciranda("status", timeout=BACK, show=play.screen.line, home=home)
    wanted = [play.story.project, "test", "prod", play.story.service, play.live, play.main[:7], *["held"] * play.held]
    missing = [word for word in wanted if word not in said.text]
    answers = play.watched(mark)
    live = {answer.release for answer in answers if not answer.failed}
    return [
        Finding(said.code == 0, f"ciranda status ended with {said.code}"),
        Finding(
            not missing and live == {play.live},
            f"it tells {', '.join(wanted)}; {play.live} is what answers"
            if not missing
            else f"it does not tell: {', '.join(missing)}",
        ),
        judge.steady(answers),
    ], judge.pace(answers)


ACTS = (
    Act(1, "A push goes live: gate, release, test, verified, production", goes_live),
    Act(2, "A push with a failing unit test is refused", refuses(2, lambda story: story.failing)),
    Act(3, "A push whose data breaks its contract is refused", refuses(3, lambda story: story.spoilt)),
    Act(4, "A better model takes over under traffic", takes_over),
    Act(5, "One command, and the old release is back", rolls_back),
    Act(6, "kill -9: control, then the gateway", survives),
    Act(7, "One screen that tells the state of the loop", tells),
)
