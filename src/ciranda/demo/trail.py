"""The act of the trail: from the id of one answer to the release, the commit, the model and a row of a file."""

from ciranda.demo import judge
from ciranda.demo.judge import Finding
from ciranda.demo.scene import BACK, Play, Played


def follows_back(play: Play) -> Played:
    mark, trail = play.traffic.mark, play.story.trail
    answer = play.traffic.wait(
        lambda answer: not answer.failed and answer.release == play.live, after=mark, timeout=BACK
    )
    if answer is None:
        return [Finding(False, f"{play.live or 'production'} did not answer")], {}
    asked = other(answer.request) if play.breaks(6) else answer.request
    play.screen.line(f"an answer of now carries X-Request-Id {answer.request}")
    play.screen.command(f"ciranda show {asked}")
    said = play.stage.ciranda("show", asked, timeout=BACK, show=play.screen.line)
    told = play.stage.told("show", asked)
    author = play.stage.git("log", "-1", "--format=%an", play.main).text.strip()
    findings = [
        Finding(said.code == 0, f"ciranda show ended with {said.code}"),
        judge.answered(told, answer, play.main, author),
        judge.learnt(told, play.story.changed, trail.learnt),
        judge.made_of(told, play.story.unchanged, trail.rows),
    ]
    if not all(finding.ok for finding in findings):
        return findings, {"request": answer.request}
    where = f"{play.story.unchanged}@{answer.release}"
    play.screen.command(f'ciranda show {where} --where "{trail.where}"')
    row = play.stage.told("show", where, "--where", trail.where)
    kept = play.stage.git("show", f"{play.main}:{trail.file}").text
    answers = play.watched(mark)
    findings += [judge.came_from(row, trail.file, kept, trail.line), judge.steady(answers)]
    return findings, {"request": answer.request, "release": answer.release} | judge.pace(answers)


def other(request: str) -> str:
    """The id as if another release had answered: what breaks the act on purpose."""
    text, _, release = request.rpartition("-r")
    return f"{text}-r{int(release) + 1}"
