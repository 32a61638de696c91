"""The acts. Each does something as a person would, watches from outside, and returns what it found."""

import re
import time
from collections.abc import Callable

from ciranda.demo import canary, ground, judge, lessons, nights, page, processes, summer, trail
from ciranda.demo.judge import Finding, Said
from ciranda.demo.scene import BACK, LIVE, Act, Play, Played
from ciranda.demo.story import Edit, Story


def goes_live(play: Play) -> Played:
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


def refuses(act: int, choose: Callable[[Story], Edit]) -> Callable[[Play], Played]:
    """An act in which a commit has to be refused, while what is live goes on."""

    def play_it(play: Play) -> Played:
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


def takes_over(play: Play) -> Played:
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


def rolls_back(play: Play) -> Played:
    mark, old, new = play.traffic.mark, play.releases[0], play.releases[-1]
    environment = "test" if play.breaks(7) else "prod"
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


def survives(play: Play) -> Played:
    control, figures = control_dies(play)
    if not all(finding.ok for finding in control):
        return control, figures
    gateway, more = gateway_dies(play)
    return [*control, *gateway], figures | more


def control_dies(play: Play) -> Played:
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


def gateway_dies(play: Play) -> Played:
    mark, pid = play.traffic.mark, play.stage.process("gateway")
    if pid is None:
        return [Finding(False, "no gateway process was found")], {}
    if play.breaks(8):
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


def tells(play: Play) -> Played:
    mark = play.traffic.mark
    play.screen.command("ciranda status")
    home = play.stage.folder / "nowhere" if play.breaks(9) else None
    said = play.stage.ciranda("status", timeout=BACK, show=play.screen.line, home=home)
    play.screen.command("ciranda open --print")
    opened = play.stage.ciranda("open", "--print", timeout=BACK, show=play.screen.line, home=home)
    written = page.read(opened.text.strip()) if opened.code == 0 else ""
    wanted = [play.story.project, "test", "prod", play.story.service, play.live, play.main[:7], *["held"] * play.held]
    answers = play.watched(mark)
    live = {answer.release for answer in answers if not answer.failed}
    return [
        Finding(said.code == 0, f"ciranda status ended with {said.code}"),
        judge.tells("it", said.text, wanted),
        judge.tells("the page, opened by that link,", written, wanted),
        Finding(live == {play.live}, f"{play.live} is what answers"),
        judge.steady(answers),
    ], judge.pace(answers)


ACTS = (
    Act(1, "A push goes live: gate, release, test, verified, production", goes_live),
    Act(2, "A push with a failing unit test is refused", refuses(2, lambda story: story.failing)),
    Act(3, "A push whose data breaks its contract is refused", refuses(3, lambda story: story.spoilt)),
    Act(4, "A better model takes over under traffic", takes_over),
    Act(5, "A nightly table reaches production; a wrong one does not", nights.keeps_yesterday),
    Act(6, "One live prediction, followed back to its rows and commit", trail.follows_back),
    Act(7, "One command, and the old release is back", rolls_back),
    Act(8, "kill -9: control, then the gateway", survives),
    Act(9, "One screen that tells the state of the loop, and a page", tells),
    Act(10, "A release fails one request in twenty: the canary goes back", canary.goes_back),
    Act(11, "Summer arrives: drift, a new model, and it takes over", summer.arrives),
    Act(12, "Infrastructure changes with a release; a hand is found out", ground.changes),
    Act(13, "An incident, its review, and the commit that closes it", lessons.reviewed),
    Act(14, "How well it is delivered, from the ledger alone", lessons.delivered),
)
QUICK = ACTS[:9]
