"""What was observed from outside, and whether an act's outcome follows from it: pure, so that each judgement is tested alone."""

import re
import statistics
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ciranda.demo.story import Night

KEPT = 10  # rows of evidence, at most
SHORT = 9  # characters of a digest
CUT = 40  # of a line of a file
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at, in a person's words, and whether it was as it must be."""

    ok: bool
    text: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an act came to. It was observed when there are findings and each of them holds."""

    act: int
    title: str
    seconds: float
    findings: tuple[Finding, ...]
    figures: dict[str, Any] = field(default_factory=dict)

    @property
    def observed(self) -> bool:
        return bool(self.findings) and all(finding.ok for finding in self.findings)

    @property
    def why(self) -> str:
        """What was not as it must be; "" when the outcome was observed."""
        return "; ".join(finding.text for finding in self.findings if not finding.ok)


@dataclass(frozen=True, slots=True)
class Said:
    """What a command printed and how it ended."""

    code: int
    text: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Answer:
    """What one request came to; times in seconds of the monotonic clock. Status 0: no answer came, `problem` says why."""

    began: float
    ended: float
    status: int
    release: str = ""  # X-Ciranda-Release
    request: str = ""  # X-Request-Id
    body: bytes = b""
    problem: str = ""

    @property
    def failed(self) -> bool:
        """Anything but a 200 that says which release answered, and which request it was."""
        return self.status != 200 or not self.release or not self.request


def accepted(push: Said, main: str, head: str) -> list[Finding]:
    """The push ended well, and the branch is where it was pushed to."""
    return [
        Finding(push.code == 0, f"git push ended with {push.code}"),
        Finding(bool(head) and main == head, f"git ls-remote: main is at {main[:7] or 'nothing'}"),
    ]


def refused(push: Said, main: str, before: str, reasons: Sequence[str]) -> list[Finding]:
    """The push was rejected, its output gave the reason, and the branch did not move."""
    given = [reason for reason in reasons if reason in push.text]
    missing = [reason for reason in reasons if reason not in push.text]
    text = f"the push says why: {', '.join(given)}" if not missing else f"the push does not say: {', '.join(missing)}"
    return [
        Finding(
            push.code == 1 and "[remote rejected]" in push.text, f"git push was rejected: it ended with {push.code}"
        ),
        Finding(not missing, text),
        Finding(bool(before) and main == before, f"git ls-remote: main stays at {main[:7] or 'nothing'}"),
    ]


def steady(answers: Sequence[Answer]) -> Finding:
    """None of the requests failed, and there were some."""
    failed = [answer for answer in answers if answer.failed]
    return Finding(
        bool(answers) and not failed, f"{len(failed):,} of {len(answers):,} requests failed{reasons(failed)}"
    )


def only_in_flight(answers: Sequence[Answer], gone: float) -> list[Finding]:
    """Of the requests around a kill, only those that had begun when the process was gone may have failed."""
    failed = [answer for answer in answers if answer.failed]
    later = [answer for answer in failed if answer.began > gone]
    after = [answer for answer in answers if answer.began > gone and not answer.failed]
    return [
        Finding(bool(after), f"{len(after):,} requests answered after the kill"),
        Finding(
            not later,
            f"{len(failed) - len(later):,} of {len(answers):,} requests failed, in flight when it was killed"
            if not later
            else f"{len(later):,} requests failed that began after the kill{reasons(later)}",
        ),
    ]


def took_over(answers: Sequence[Answer], old: str, new: str) -> list[Finding]:
    """The new release answers, and nothing that began after its first answer was answered by the old one."""
    first = first_of(answers, new)
    if first is None:
        return [Finding(False, f"{new or 'a new release'} never answered")]
    stale = [answer for answer in answers if answer.began > first.ended and answer.release == old]
    return [
        Finding(not stale, f"{new} answers; {len(stale):,} requests that began after its first answer went to {old}")
    ]


def told_apart(old: bytes, new: bytes) -> Finding:
    """The same question is answered differently: another model is really there."""
    return Finding(bool(new) and old != new, f"the same question: {shown(old)} before, {shown(new)} now")


def told_alike(first: bytes, back: bytes) -> Finding:
    """The same question is answered as it was before: the old model is really back."""
    return Finding(bool(back) and first == back, f"the same question: {shown(first)} at first, {shown(back)} again")


def became(job: Said, rows: Sequence[Row] | None, table: str, night: Night) -> list[Finding]:
    """The job ended well, and production's table is the one of that night."""
    right = rows is not None and len(rows) == night.rows and days(rows) == night.day
    return [
        Finding(job.code == 0, f"ciranda job run ended with {job.code}"),
        Finding(right, f"production's {table}: {len(rows or ()):,} rows of {days(rows or ())}"),
    ]


def days(rows: Sequence[Row]) -> str:
    """The days that a table is of, for people."""
    return ", ".join(sorted({str(row.get("day")) for row in rows})) or "no day"


def failed_night(job: Said, night: Night) -> list[Finding]:
    """The job failed, and said why."""
    missing = [reason for reason in night.reasons if reason not in job.text]
    text = f"the job says why: {', '.join(night.reasons)}"
    return [
        Finding(job.code == 1, f"ciranda job run ended with {job.code}"),
        Finding(not missing, f"the job does not say: {', '.join(missing)}" if missing else text),
    ]


def rows_shown(found: Mapping[str, Any], wrong: Collection[str]) -> Finding:
    """All wrong rows are counted, at most ten are kept, and each of these is one of them."""
    rows, columns = found.get("rows", []), found.get("columns", [])
    ids = [row[columns.index("id")] for row in rows] if "id" in columns else []
    right = found.get("count") == len(wrong) and 0 < len(rows) == len(ids) <= KEPT and set(ids) <= set(wrong)
    text = f"{found.get('count') or 0:,} rows are wrong, {len(rows)} of them are kept and shown"
    return Finding(right, text if right else f"{text}: not those that are wrong in the file")


def stayed(before: Sequence[Row] | None, after: Sequence[Row] | None, table: str, night: Night) -> Finding:
    """Production's table is, row by row, what it was."""
    same = bool(before) and before == after
    text = f"production stays on the {table} of {night.day}: the same {len(after or ()):,} rows"
    return Finding(same, text if same else f"production's {table} changed: {len(after or ()):,} rows now")


def answered(told: Mapping[str, Any], answer: Answer, main: str, author: str) -> Finding:
    """What is told of a request is what its answer, `git ls-remote` and `git log` said."""
    release, commit, who = told.get("release"), told.get("commit") or "", told.get("author")
    right = release == answer.release and bool(commit) and commit == main and who == author
    text = f"{release or 'no release'} of {commit[:7] or 'no commit'} by {who or 'nobody'}"
    said = "as X-Ciranda-Release, git ls-remote and git log say"
    return Finding(right, f"{text}: {said if right else f'not {said}'}")


def learnt(told: Mapping[str, Any], model: str, rows: int) -> Finding:
    """The model that answered learnt from as many rows as the files have for it."""
    node = asset(told, model)
    found = node.get("figures", {}).get("rows")
    text = f"its {model} {node.get('digest', '-')[:SHORT]} learnt from {found or 0:,} rows"
    return Finding(found == rows, text if found == rows else f"{text}, the files have {rows:,}")


def made_of(told: Mapping[str, Any], table: str, rows: int) -> Finding:
    """The table that it learnt from has as many rows as the files."""
    node = asset(told, table)
    found = node.get("rows")
    text = f"of {table} {node.get('digest', '-')[:SHORT]}: {found or 0:,} rows, counted in the files too"
    return Finding(found == rows, text if found == rows else f"{table} has {found or 0:,} rows, the files {rows:,}")


def came_from(told: Mapping[str, Any], file: str, kept: str, line: str) -> Finding:
    """One row of the table leads to one row of one file, and the commit has that line there."""
    places = [
        (source["file"], number)
        for source in told.get("sources", [])
        if source["file"] == file
        for number in source.get("numbers", [])
    ]
    lines = kept.splitlines()
    there = [lines[number] for _, number in places if number < len(lines)]  # row 1 is the line after the header
    right = told.get("count") == 1 and there == [line]
    if not right:
        return Finding(
            False, f"the row was not found in {file}: {told.get('count', 0)} rows, {len(places)} in the file"
        )
    return Finding(True, f"one row of it is row {places[0][1]:,} of {file}, as git show has it: {line[:CUT]}…")


def asset(told: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """An asset among all that a request was answered with; empty where it is not told."""
    nodes = (node for above in told.get("assets", {}).values() for node in above)
    return next((node for node in nodes if node.get("asset") == name), {})


def tells(what: str, text: str, wanted: Sequence[str]) -> Finding:
    """Every word that is wanted is told, each as a whole word."""
    words = set(re.findall(r"[\w-]+", text))
    missing = [word for word in wanted if word not in words]
    return Finding(
        not missing, f"{what} does not tell: {', '.join(missing)}" if missing else f"{what} tells {', '.join(wanted)}"
    )


def went_back(push: Said, old: str) -> Finding:
    """The push's own lines say that the canary failed, and what answers again."""
    said = " ".join(line.removeprefix("remote:").strip() for line in push.text.splitlines())
    right = "✗" in said and f"back to {old}" in said
    return Finding(
        right, f"the push says that it went back to {old}" if right else f"the push does not say: back to {old}"
    )


def caught(answers: Sequence[Answer], old: str, share: float, most: float, ended: float) -> list[Finding]:
    """Some requests failed, all of the candidate's, far fewer than would have if everybody had got it; then none."""
    failed = [answer for answer in answers if answer.failed]
    strange = [answer for answer in failed if answer.release in ("", old)]
    later = [answer for answer in answers if answer.began > ended]
    late = [answer for answer in later if answer.failed or answer.release != old]
    expected = round(share * len(answers))
    right = 0 < len(failed) <= max(most * len(answers), 1)
    return [
        Finding(right, f"{len(failed):,} of {len(answers):,} requests failed; about {expected:,} had everybody got it"),
        Finding(not strange, f"{len(strange):,} of them were answered by {old}{reasons(strange)}"),
        Finding(
            bool(later) and not late, f"after that {len(later):,} requests went to {old}, {len(late):,} of them failed"
        ),
    ]


def columns(drift: Mapping[str, Any]) -> list[str]:
    """The columns of which it is told that they drift."""
    return [found["column_name"] for subject in drift.get("subjects", ()) for found in subject.get("open", ())]


def drifted(drift: Mapping[str, Any], column: str) -> Finding:
    """It is told that a column drifts."""
    found = columns(drift)
    return Finding(column in found, f"drift is found in {', '.join(found) or 'no column'}")


def reacted(told: Mapping[str, Any], release: str) -> Finding:
    """What is told of a reaction leads from drift to the release that answers now."""
    chain = [f"{link.get('what', '')} {link.get('state', '')}" for link in told.get("chain", ())]
    right = told.get("state") == "done" and bool(release) and any(f"release {release} " in link for link in chain)
    return Finding(right, f"one chain of {len(chain)} links leads from drift to {release or 'no release'}")


def built(push: Said, state: Mapping[str, Any], made: Collection[object]) -> Finding:
    """The push says what infrastructure it brings, Ciranda keeps its state, and the thing is there."""
    resources = len(state.get("resources", ()))
    right = "to add" in push.text and resources == len(made) > 0
    return Finding(right, f"with the release come {resources} of its resources, {len(made)} there to be seen")


def moved(drift: Said) -> Finding:
    """What was changed by hand is found."""
    right = drift.code == 2 and "by hand" in drift.text
    return Finding(right, "what was changed by hand is found" if right else f"nothing is found ({drift.code})")


def timeline(review: str) -> Finding:
    """The draft of the review has what the ledger knows of the failure."""
    right = "did not become live" in review
    text = "its timeline, made from the ledger, has the release that did not become live"
    return Finding(right, text if right else "its timeline lacks the release that did not become live")


def items(found: Sequence[Mapping[str, Any]], title: str) -> Finding:
    """The action of the review became an item that somebody owns."""
    right = [item.get("title") for item in found] == [title] and bool(found[0].get("owner"))
    return Finding(
        right, f"of its actions comes {len(found)} item{'s' * (len(found) != 1)}{', owned' if right else ''}"
    )


def closed(found: Sequence[Mapping[str, Any]], commit: str) -> Finding:
    """The first item was closed by the commit that names it."""
    by = (found[0].get("commit_sha") or "") if found else ""
    return Finding(bool(commit) and by == commit, f"item 1 is closed by {by[:7] or 'nothing'}")


def delivery(figures: Mapping[str, Any]) -> list[Finding]:
    """The four figures are there, and the release that went back counts as a failed change."""
    deployments, rate, lead = figures.get("deployments") or 0, figures.get("rate") or 0.0, figures.get("lead") or {}
    return [
        Finding(deployments >= 3, f"{deployments} deployments"),
        Finding(0 < rate < 1, f"{rate:.0%} of the changes failed: the release that went back is counted"),
        Finding(bool(lead.get("count")) and bool(figures.get("restore")), "lead time and time to restore are measured"),
    ]


def first_of(answers: Sequence[Answer], release: str) -> Answer | None:
    """The first answer, by when it came, that carries the release."""
    carried = [answer for answer in answers if answer.release == release and not answer.failed]
    return min(carried, key=lambda answer: answer.ended, default=None)


def reasons(failed: Sequence[Answer]) -> str:
    """Why requests failed, each reason once with how often: `: 3 × status 502`."""
    counts: dict[str, int] = {}
    for answer in failed:
        reason = answer.problem or (f"status {answer.status}" if answer.status != 200 else "no release or request id")
        counts[reason] = counts.get(reason, 0) + 1
    listed = ", ".join(f"{count} × {reason}" for reason, count in sorted(counts.items(), key=lambda item: -item[1])[:3])
    return f": {listed}" if listed else ""


def pace(answers: Sequence[Answer]) -> dict[str, float]:
    """Requests, failures, requests a second, and the median and 99th percentile of the time to an answer in milliseconds."""
    if len(answers) < 2:
        return {"requests": len(answers), "failed": sum(answer.failed for answer in answers)}
    span = max(answer.ended for answer in answers) - min(answer.began for answer in answers)
    times = sorted((answer.ended - answer.began) * 1000 for answer in answers)
    return {
        "requests": len(answers),
        "failed": sum(answer.failed for answer in answers),
        "per_second": round(len(answers) / span, 1) if span else 0.0,
        "p50_ms": round(statistics.median(times), 1),
        "p99_ms": round(times[min(len(times) - 1, len(times) * 99 // 100)], 1),
    }


def shown(body: bytes) -> str:
    """An answer's body for people: one short line."""
    text = body.decode(errors="replace").strip()
    return text if len(text) <= 24 else f"{text[:23]}…"
