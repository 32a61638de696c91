"""`ciranda.toml`: what is read, and how every mistake is told."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ciranda.kernel import errors
from ciranda.project import positions, problems, read

MINIMAL = '[project]\nname = "toy"\n'


def refused(text: str) -> tuple[problems.Problem, ...]:
    with pytest.raises(errors.Refused) as caught:
        read.read_text(text, "ciranda.toml")
    assert isinstance(caught.value, problems.Declined | problems.Later)
    return caught.value.problems


def test_a_whole_declaration() -> None:
    project = read.read_text(
        """
[project]
name = "flights"
owner = "@data"
pipeline = "pipeline.py"
[sources]
raw = { files = "data/*.csv" }
[checks]
code = ["ruff check .", "pytest -q tests/unit"]
when_unsure = { odd = "warn", even = "ask" }
[services.delays]
predict = "service:predict"
uses = ["delay"]
instances = 2
drain = 5
[config.LEVEL]
type = "float"
default = 1
[environments.prod]
after = "test"
config = { LEVEL = 2 }
[environments.test]
verify = "pytest -q tests/smoke"
[data]
private = ["name"]
""",
        "ciranda.toml",
    )
    assert [e.name for e in project.environments] == ["test", "prod"]  # in promotion order, not in that of the text
    assert project.environments[0].verify == ("pytest -q tests/smoke",)
    assert project.environments[1].config == {"LEVEL": 2.0}
    assert project.settings[0].default == 1.0
    assert isinstance(project.settings[0].default, float)
    assert (project.services[0].form, project.services[0].run, project.services[0].drain) == (
        "predict",
        "service:predict",
        5.0,
    )
    assert project.checks.code == ("ruff check .", "pytest -q tests/unit")
    assert (project.sources[0].files, project.sources[0].line) == ("data/*.csv", 7)


@pytest.mark.parametrize(
    ("text", "line", "what", "hint"),
    [
        ("name = 1\n[project\n", 2, "this is not TOML", ""),
        ("[projet]\nname='a'\n", 1, "[projet] is not a section", 'did you mean "project"?'),
        ("[project]\nname = 7\n", 2, "project.name is the number 7, not text", ""),
        ("[project]\nowner = 'x'\n", 1, "project has no name", "write name"),
        ('[project]\nname = "Flights"\n', 2, '"Flights" is not a name', ""),
        ('[project]\nname = "api"\n', 2, '"api" is a reserved name', ""),
        (MINIMAL + 'pipelin = "a.py"\n', 3, "project.pipelin is not a key", 'did you mean "pipeline"?'),
        (MINIMAL + 'pipeline = "../a.py"\n', 3, "not a path inside the project", ""),
        (MINIMAL + "[sources.raw]\nfile = 'a'\n", 3, "sources.raw says neither files nor url", "write files"),
        (MINIMAL + "[sources]\nraw = 'a'\n", 4, 'sources.raw is the text "a", not a table', ""),
        (MINIMAL + '[sources]\nraw-x = { files = "a" }\n', 4, "not a name that a function can take", ""),
        (MINIMAL + '[sources]\nraw = { files = "../a" }\n', 4, "not a path inside the project", ""),
        (MINIMAL + "[checks]\ncode = 'pytest \"x'\n", 4, "checks.code is not a command: no closing quotation", ""),
        (MINIMAL + "[checks]\ncode = ['a', '']\n", 4, "checks.code is an empty command", ""),
        (MINIMAL + "[checks]\ntimeout = true\n", 4, "checks.timeout is true, not a number of seconds", ""),
        (MINIMAL + "[services.a]\n", 3, "services.a says neither predict nor app nor command", ""),
        (MINIMAL + "[services.a]\npredict='m:f'\ncommand='x'\n", 5, "says both predict and command", ""),
        (MINIMAL + "[services.a]\napp='m'\n", 4, 'services.a.app names "m", which is not module:application', "app ="),
        (MINIMAL + "[services.a]\npredict='f'\n", 4, "not module:function", ""),
        (MINIMAL + "[services.a]\ncommand='x'\ninstances = 0\n", 5, "not a whole number from 1", ""),
        (MINIMAL + "[services.a]\ncommand='x'\nhealth = 'up'\n", 5, 'not a path such as "/health"', ""),
        (MINIMAL + "[services.A]\ncommand='x'\n", 3, "services.A has a wrong name", ""),
        (MINIMAL + "[config.PORT]\ndefault='x'\n", 3, "config.PORT is a variable that Ciranda sets itself", ""),
        (MINIMAL + "[config.A]\ntype='strn'\ndefault='x'\n", 4, "not a type", 'did you mean "str"?'),
        (MINIMAL + '[config.A]\ndefault="a\\u0000"\n', 4, "config.A.default holds a NUL", ""),
        (MINIMAL + "[config.A]\ndefault='" + "x" * 65_537 + "'\n", 4, "65,537 bytes long, more than 65,536", ""),
        (MINIMAL + "[config.A]\ntype='int'\ndefault=1.5\n", 5, "config.A.default is 1.5, not a whole number", ""),
        (MINIMAL + "[environments.prod]\nafter='tst'\n[environments.test]\n", 4, 'names "tst"', 'did you mean "test"?'),
        (
            MINIMAL + "[environments.prod]\nconfig = { LVL = 1 }\n[config.LVLS]\ndefault=''\n",
            4,
            'sets "LVL"',
            'did you mean "LVLS"?',
        ),
        (
            MINIMAL + "[environments.a]\ninfra = '../x'\n",
            4,
            "is not a folder inside the project",
            'write infra = "infra/"',
        ),
        (
            MINIMAL + "[environments.a]\ninfra = '.'\n",
            4,
            "is not a folder inside the project",
            'write infra = "infra/"',
        ),
        (MINIMAL + "[environments.a]\ninfra = 'x'\ninfra_check = 5\n", 5, "at least 60", ""),
        (MINIMAL + "[environments.a]\ninfra_check = 60\n", 4, "no infra is declared", ""),
        (MINIMAL + "[environments.a]\n[environments.b]\n", 4, '"a" and "b" both come first', 'write after = "a"'),
        (MINIMAL + "[environments.a]\nafter='b'\n[environments.b]\nafter='a'\n", 4, "in a circle: a → b → a", ""),
        ("x = [1]\n", 1, "[x] is not a section", "known: project"),
    ],
)
def test_a_mistake_is_told_with_its_line(text: str, line: int, what: str, hint: str) -> None:
    with pytest.raises(errors.Invalid) as caught:
        read.read_text(text, "ciranda.toml")
    told = getattr(caught.value, "problems", None) or [
        problems.Problem(str(caught.value), caught.value.where, caught.value.hint)
    ]
    assert any(what in p.what and p.where == f"ciranda.toml:{line}" and hint in p.hint for p in told), told


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("[gate]\nset = {}\n", 3, "[gate]"),
        ("[environments.a]\nrollout = { quiet = 'replay' }\n", 4, "replay"),
        ("[environments.a]\nschedule = '0 5 * * *'\n", 4, "environments.a.schedule"),
        ("[environments.preview-x]\n", 3, "previews"),
        ("[config.A]\ndefault = 'secret:A'\n", 4, "secret"),
    ],
)
def test_what_is_not_built_yet_is_refused_as_such(text: str, line: int, what: str) -> None:
    with pytest.raises(errors.NotYet) as caught:
        read.read_text(MINIMAL + text, "ciranda.toml")
    assert what in str(caught.value)
    assert caught.value.where == f"ciranda.toml:{line}"


def test_mistakes_are_told_together_in_the_order_of_lines_and_before_what_is_not_built_yet() -> None:
    told = refused(
        '[gate]\n[project]\nname = "toy"\npipelin = "a.py"\n[services.a]\n[config.B]\ntype = "x"\ndefault = 1\n'
    )
    assert [p.where.rpartition(":")[2] for p in told] == ["4", "5", "7", "1"]
    assert [p.not_yet for p in told] == [False, False, False, True]


def test_a_name_in_a_list_of_many_lines_is_found() -> None:
    lines = positions.Positions('a = [\n  "x",\n  "delays", # no ]\n]\n[s."q r"]\nb = """\nc = 1\n"""\nc = 2\n')
    assert lines.line(("a",), "delays") == 3
    assert lines.line(("s", "q r", "c")) == 9
    assert lines.line(("s", "q r", "missing")) == 5


def test_no_file_and_no_text(tmp_path) -> None:
    with pytest.raises(errors.NotFound, match="there is no"):
        read.read(tmp_path)
    (tmp_path / "ciranda.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(errors.Invalid, match="not UTF-8"):
        read.read(tmp_path)


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    with pytest.raises(errors.Refused):
        read.read_text(text + '\n[projectx]\nname = "a"', "ciranda.toml")


_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=4,
)


@given(
    st.sampled_from(["name", "pipeline", "owner"]), st.integers() | st.booleans() | st.lists(st.integers(), max_size=2)
)
def test_a_wrong_type_is_never_taken(key: str, value: object) -> None:
    other = "" if key == "name" else 'name = "toy"\n'
    text = f"[project]\n{other}{key} = {str(value).lower()}\n"
    assert any(f"project.{key} is" in p.what for p in refused(text))
