"""A page that is typed as it stands: its files are saved, its commands run, and what it says is printed is compared.

A fence says what a block is: `sh` is typed; `text` after it is what that prints; a name after the language (`python pipeline.py`)
is a file to save, `>>` before the name adds to its end.
"""

import re
from dataclasses import dataclass

ANYTHING = "…"
_FENCE = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_MARK = "-- block {} --"
# What differs from one day or machine to another, and what stands for it. The first that fits a place is taken.
_VARIES = (
    (r"\d+(?:\.\d+)? (?:ms|s|min)\b", r"\d+(?:\.\d+)? (?:ms|s|min)"),
    (r"\(in \d+ \w+\)", r"\(in \d+ \w+\)"),
    (r"\((?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day \d\d:\d\d", r"\(\w+day \d\d:\d\d"),
    (r"[0-9a-f]{12,64}", r"[0-9a-f]{12,64}"),
    (r"\bb3:[0-9a-f]{6,}", r"b3:[0-9a-f]{6,}"),
    (r"\b(?=\d*[a-f])(?=[a-f]*\d)[0-9a-f]{7}\b", r"[0-9a-f]{7}"),
    (r"polars \d[\d.]*", r"polars \d[\d.]*"),
    (r"run[- ]\d+", r"run[- ]\d+"),
    (r"\s+", r"\s+"),
)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block of a page: its language, the file that it is (or ""), what is in it."""

    language: str
    file: str
    text: str


def blocks(page: str) -> list[Block]:
    """Every fenced block, in order."""
    return [Block(*found) for found in _FENCE.findall(page)]


def script(page: str) -> str:
    """What somebody who follows the page types, as one script of bash; before each `sh` block it prints a mark."""
    lines = ["set -e", "exec 2>&1"]
    for place, block in enumerate(blocks(page)):
        if block.file:
            way, name = (">>" if block.file.startswith(">>") else ">"), block.file.removeprefix(">>")
            lines += [f"mkdir -p $(dirname {name})", f"cat {way} {name} <<'END OF FILE'", block.text + "END OF FILE"]
        elif block.language == "sh":
            lines += [f"echo '{_MARK.format(place)}'", block.text]
    return "\n".join(lines) + "\n"


def differences(page: str, printed: str) -> list[str]:
    """The first line of each `text` block that was not printed as the page says, with what was printed instead."""
    found, told = [], blocks(page)
    for place, block in enumerate(told):
        if block.language == "text" and place and told[place - 1].language == "sh":
            mark = _MARK.format(place - 1)
            output = printed.partition(f"{mark}\n")[2].partition("-- block ")[0]
            if wrong := _compare(block.text.splitlines(), output.splitlines()):
                found.append(f"{wrong}\n--- printed:\n{output}")
    return found


def _compare(said: list[str], printed: list[str]) -> str:
    """The line that the page says and that did not come, or ""; lines may be left out only where the page says `…`."""
    at, skipping = 0, False
    for line in said:
        if line.strip() == ANYTHING:
            skipping = True
            continue
        fits = re.compile(pattern(line))
        while skipping and at < len(printed) and not fits.fullmatch(printed[at].strip()):
            at += 1
        if at == len(printed) or not fits.fullmatch(printed[at].strip()):
            return f"the page says: {line}"
        at, skipping = at + 1, False
    return "" if skipping or at == len(printed) else f"the page does not say: {printed[at]}"


def pattern(line: str) -> str:
    """A regular expression for a line of output in which what varies may be another."""
    rest, made = line.strip(), ""
    while rest:
        for varies, stands in _VARIES:
            if found := re.match(varies, rest):
                rest, made = rest[found.end() :], made + stands
                break
        else:
            made, rest = made + re.escape(rest[0]), rest[1:]
    return made
