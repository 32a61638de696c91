"""A service that names what is not there is told before anything starts."""

import pytest

from ciranda.project import programs, read

DECLARED = '[project]\nname = "toy"\n\n[services.web]\n{}\n'


def told(line: str, files: dict[str, str], *installed: str) -> list[tuple[str, str, str]]:
    text = DECLARED.format(line)
    found = programs.missing(
        read.read_text(text, "ciranda.toml"), files.keys(), files.__getitem__, lambda name: name in installed, text
    )
    return [(one.what, one.where, one.hint) for one in found]


@pytest.mark.parametrize(
    "code",
    [
        "def app(): ...",
        "async def app(scope, receive, send): ...",
        "class app: ...",
        "app = 1",
        "app: int = 1",
        "a, (b, app) = 1, (2, 3)",
        "from elsewhere import app",
        "from elsewhere import thing as app",
        "import app",
        "try:\n    import fast\nexcept ImportError:\n    app = None",
        "if True:\n    app = 1",
        "for app in (1,): ...",
        "with open('x') as app: ...",
        "print(app := 3)",
        "from elsewhere import *",
        "def __getattr__(name): return 1",
        "globals()['app'] = 1",
        "exec('app = 1')",
        "this is another Python",
    ],
)
def test_what_is_bound_or_cannot_be_told_passes(code: str) -> None:
    assert told('app = "service:app"', {"service.py": code}) == []


@pytest.mark.parametrize(
    "code", ["", "def make():\n    app = 1", "class A:\n    app = 1", "x = lambda app: app", "print('app')"]
)
def test_a_name_that_no_top_level_binds_is_missing(code: str) -> None:
    what = 'services.web.app names "service:app", and service.py has no app'
    assert told('app = "service:app"', {"service.py": code}) == [(what, "ciranda.toml:5", "")]


def test_a_name_or_a_module_that_is_near_is_offered() -> None:
    ((what, _, hint),) = told('predict = "service:predict"', {"service.py": "def predicts(rows): ..."})
    assert (what, hint) == (
        'services.web.predict names "service:predict", and service.py has no predict',
        'did you mean "predicts"?',
    )
    ((what, where, hint),) = told('predict = "servce:predict"', {"service.py": "", "src/other.py": ""})
    assert what == 'services.web.predict names "servce:predict", and there is no module servce'
    assert (where, hint) == ("ciranda.toml:5", 'did you mean "service"?')
    ((_, _, hint),) = told('predict = "zzz:predict"', {"service.py": ""})
    assert hint == "does Git track it?"


def test_modules_are_found_where_the_runtime_imports_them_from() -> None:
    line = 'app = "shop.web:app"'
    assert told(line, {"shop/web.py": "app = 1"}) == []
    assert told(line, {"src/shop/web.py": "app = 1"}) == []
    assert told(line, {"src/shop/web/__init__.py": "app = 1"}) == []
    assert told(line, {"lib/shop/web.py": "app = 1"})
    assert told(line, {"src/__init__.py": "", "src/shop/web.py": "app = 1"})


def test_an_installed_module_passes_unless_the_tree_has_one_of_its_name() -> None:
    assert told('app = "served.web:app"', {"service.py": ""}, "served") == []
    assert told('app = "served.web:app"', {"served/__init__.py": ""}, "served")


def test_a_command_names_no_module() -> None:
    assert told('command = "node server.js"', {}) == []
