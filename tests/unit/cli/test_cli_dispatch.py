"""The table of verbs: every one has a module, an example and help; everything expected becomes a line."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ciranda.cli import dispatch, main
from ciranda.kernel import errors
from ciranda.project import problems

VERBS = [verb for group in dispatch.VERBS.values() for verb in group]


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_with_an_example_that_is_understood(verb: str) -> None:
    module = dispatch.load(verb)
    parser = dispatch.build(verb, "does it", module)
    text = parser.format_help()
    assert "--home" in text
    assert "--json" in text
    for line in module.EXAMPLE.splitlines():
        for command in line.partition("#")[0].split("&&"):
            words = [word for word in command.split() if word]
            if words[:2] == ["ciranda", verb] and '"' not in command:
                parser.parse_args(words[2:])


def test_no_command_is_a_misunderstanding_and_help_is_not(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main([]) == 64
    assert main.main(["--help"]) == 0
    out = capsys.readouterr().out
    assert all(f"  {verb}" in out for verb in VERBS)


def test_every_mistake_of_a_declaration_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    found = [problems.Problem("one", "ciranda.toml:2", "do this"), problems.Problem("two", "ciranda.toml:5")]
    with pytest.raises(problems.Declined) as caught:
        problems.refuse(found)
    dispatch.report(caught.value)
    assert capsys.readouterr().err == f"ciranda.toml:2  one\n{'':17}do this\nciranda.toml:5  two\n"
    dispatch.report(errors.Refused("no", hint="yes"))
    assert capsys.readouterr().err == f"no\n{'':17}yes\n"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["show", "--rows", "x"], "--rows: 'x' is not a whole number"),
        (["wait", "r1", "-e", "prod", "--timeout", "soon"], "--timeout: 'soon' is not a number"),
        (["stats"], "there is no command 'stats'"),
        (["run", "--frob"], "unrecognized arguments: --frob"),
    ],
)
def test_what_is_misunderstood_is_said_with_a_way_on(
    given: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.main(given) == 64
    what, hint = capsys.readouterr().err.splitlines()
    assert what == said
    assert "ciranda " in hint


@pytest.mark.parametrize(
    ("shell", "code", "said"),
    [
        ("ciranda --help | true; exit ${PIPESTATUS[0]}", (0, 141), ""),
        ("ciranda run --help | true; exit ${PIPESTATUS[0]}", (0, 141), ""),
        ("ciranda --help > /dev/full", (1,), "there is no room left on the disk, so that not everything was written\n"),
        ("ciranda --help >&-", (0,), ""),
        (
            "PYTHONIOENCODING=ascii ciranda shów",
            (64,),
            "there is no command 'sh?w'\n                 did you mean: ciranda show\n",
        ),
    ],
)
def test_an_output_that_nobody_takes_is_no_crash(shell: str, code: tuple[int, ...], said: str) -> None:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", shell], env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False
    )
    assert done.returncode in code
    assert done.stderr == said
