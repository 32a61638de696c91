"""The act of the canary: a release that fails now and then goes back by itself, and what mends it enters by steps."""

import time

from ciranda.demo import judge, scene
from ciranda.demo.judge import Finding
from ciranda.demo.scene import BACK, CLIENTS, CROWD, LIVE, Play, Played, Second
from ciranda.demo.traffic import Traffic

MOST = 0.02  # of all requests that may fail until the canary is taken back


def goes_back(play: Play) -> Played:
    season = play.story.season
    second = begins(play)
    play.second = second
    mark, old, before = second.traffic.mark, second.live, second.main
    head = play.commit(season.flawed, act=10, stage=second.stage)
    push = play.push(second.stage)
    ended = time.monotonic()
    second.main = second.stage.main()
    answers = second.watched(mark)
    findings = [
        *judge.accepted(push, second.main, head),
        judge.went_back(push, old),
        *judge.caught(answers, old, season.share, MOST, ended),
    ]
    failed = [answer for answer in answers if answer.failed]
    figures = {"push_seconds": round(push.seconds, 1), "failed": len(failed), "requests": len(answers)}
    if not all(finding.ok for finding in findings):
        return findings, figures
    mended, more = mends(play, second, before)
    return findings + mended, figures | more


def begins(play: Play) -> Second:
    """The project of the season goes live on the same server, and is asked steadily."""
    season = play.story.season
    play.traffic.stop()  # the first project has played its part: one crowd is enough for the machine
    stage = play.stage.beside(season.project)
    season.write(stage.tree)
    play.screen.line(f"a second project on the same server: {season.project}")
    stage.repository()
    stage.commit("The first season")
    stage.must(play.push(stage), "git push")
    where, until = scene.address(stage, season), time.monotonic() + LIVE
    answer = scene.ask(where, season.before[0])
    while answer.failed and time.monotonic() < until:
        time.sleep(0.05)  # from outside, a service is there when it answers
        answer = scene.ask(where, season.before[0])
    traffic = asked(play, season.before)
    traffic.start()
    return Second(stage, traffic, answer.release, stage.main())


def asked(play: Play, bodies: tuple[bytes, ...]) -> Traffic:
    """Traffic of a season, not begun."""
    return Traffic(scene.address(play.stage, play.story.season), bodies, rate=CROWD, clients=CLIENTS)


def mends(play: Play, second: Second, before: str) -> Played:
    """The commit is taken back, and what is as it was goes in by steps, under the same traffic."""
    mark, old = second.traffic.mark, second.live
    play.screen.command("git revert HEAD")
    second.stage.must(second.stage.git("revert", "--no-edit", "HEAD"), "git revert")
    push = play.push(second.stage)
    second.main = second.stage.main()
    first = second.traffic.wait(lambda answer: not answer.failed and answer.release != old, after=mark, timeout=BACK)
    answers = second.watched(mark)
    second.live = answers[-1].release if answers else ""
    same = second.stage.git("diff", "--quiet", before, "HEAD").code == 0
    return [
        Finding(push.code == 0 and same, "what is taken back is what was there before"),
        Finding(first is not None and second.live != old, f"{second.live or 'nothing'} enters by steps beside {old}"),
        judge.steady(answers),
    ], {"mended": second.live}
