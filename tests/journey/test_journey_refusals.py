"""Bad input, as a person meets it: one clear message with place and way on, nothing half-done, and the next good command works."""

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from support import project as projects
from support import server
from support.project import Project, Ran
from support.server import Server, eventually

LOCAL = """
    from ciranda import check, dataset

    @dataset
    def doubled(numbers: str) -> list:
        return [2 * int(line) for line in numbers.split()]

    @dataset
    def summed(doubled: list) -> dict:
        return {"sum": sum(doubled)}

    @check(summed)
    def positive(summed):
        return summed["sum"] > 0
"""
RULED = (
    server.PIPELINE
    + """
    @check(average, severity="fail")
    def has_a_mean(average):
        return "mean" in average
"""
)
ALONE = server.MORE.partition("[environments.test]")[0] + "[environments.prod]\n"
RULES = server.MORE.replace("[environments.test]", '[environments.test]\n    verify = "python tests/unit.py"')


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with server.up(tmp_path_factory.mktemp("server")) as started:
        yield started


@pytest.fixture(scope="module")
def ruled(up: Server) -> Project:
    """A project that is live, and stays as it is."""
    toy = up.project("ruled", pipeline=RULED, more=RULES)
    up.push(toy).succeeds()
    return toy


@pytest.fixture
def pushed(ruled: Project) -> Iterator[Project]:
    """The project that is live, its tree as it was pushed, before and after."""
    yield ruled
    ruled.git("reset", "--quiet", "--hard", "ciranda/main").succeeds()


@pytest.fixture
def toy(tmp_path: Path) -> Project:
    """A project of a home without a server."""
    return projects.make(tmp_path, LOCAL, sources={"numbers": "numbers.txt"}, files={"numbers.txt": "1\n2\n"})


def refused(up: Server, toy: Project, *options: str) -> str:
    """What the push says of the change in the working tree; the branch and production stay, and the tree is put back."""
    head = up.head(toy)
    toy.commit("bad")
    told = up.push(toy, *options).fails().err
    toy.git("reset", "--quiet", "--hard", head).succeeds()
    assert up.head(toy) == head
    assert up.ask(f"/{toy.root.name}/prod/mean/", {"x": 1}).headers["x-ciranda-release"] == "r1"
    assert f"{os.sep}ciranda{os.sep}" not in told
    return told


def reason(told: str) -> str:
    """What Git prints in the reject line."""
    line = next(line for line in told.splitlines() if "[remote rejected]" in line)
    return line.partition("(")[2].removesuffix(")")


# ── a declaration ──────────────────────────────────────────────────────────────────────────────────────────────────

DECLARATIONS = {
    "malformed": (lambda text: text.replace("[project]", "[project"), "ciranda.toml:1", "this is not TOML"),
    "unknown": (lambda text: text.replace("uses =", "use ="), "ciranda.toml:12", 'did you mean "uses"?'),
    "after": (lambda text: text.replace('"test"', '"tst"'), "ciranda.toml:19", 'did you mean "test"?'),
    "uses": (lambda text: text.replace('["average"]', '["averag"]'), "ciranda.toml:12", 'did you mean "average"?'),
    "later": (lambda text: text + "\n[previews]\n", "ciranda.toml:21", "not built yet"),
}


@pytest.mark.parametrize("mistake", DECLARATIONS)
def test_a_bad_declaration_names_file_and_line_here_and_in_a_push(up: Server, pushed: Project, mistake: str) -> None:
    change, where, hint = DECLARATIONS[mistake]
    pushed.write({"ciranda.toml": change((pushed.root / "ciranda.toml").read_text())})
    here = pushed.ciranda("run").fails().err
    told = refused(up, pushed)
    assert where in reason(told)
    for said in (here, told):
        assert where in said
        assert hint in said
    pushed.ciranda("run").succeeds()


def test_a_declaration_that_is_gone_or_renamed(up: Server, pushed: Project) -> None:
    (pushed.root / "ciranda.toml").unlink()
    assert "make a project: ciranda init" in pushed.ciranda("run").fails().err
    assert "there is no ciranda.toml" in reason(refused(up, pushed))
    pushed.edit("ciranda.toml", 'name = "ruled"', 'name = "other"')
    assert "cannot be renamed to other" in reason(refused(up, pushed))


# ── a pipeline ─────────────────────────────────────────────────────────────────────────────────────────────────────

PIPELINES = {
    "import": ("import nothere\n", "pipeline.py:1  ModuleNotFoundError: No module named 'nothere'"),
    "syntax": ("def x(:\n", "pipeline.py:1  SyntaxError"),
    "two": (
        "from ciranda import dataset\n@dataset\ndef doubled(numbers: str) -> int: return 1\nfirst = doubled\n",
        "pipeline.py:2 and pipeline.py:",
    ),
    "cycle": (
        "from ciranda import dataset\n@dataset\ndef a(b): return 1\n@dataset\ndef b(a): return 1\n",
        "in a circle: a ← b ← a",
    ),
    "dangling": ("from ciranda import dataset\n@dataset\ndef a(number): return 1\n", 'a takes "number"'),
}


@pytest.mark.parametrize("mistake", PIPELINES)
def test_a_pipeline_without_a_graph_is_told_by_the_users_own_lines(up: Server, pushed: Project, mistake: str) -> None:
    text, said = PIPELINES[mistake]
    pushed.write({"pipeline.py": text + (pushed.root / "pipeline.py").read_text()})
    here = pushed.ciranda("run").fails()
    assert said.partition("  ")[2] in here.err or said in here.err
    told = refused(up, pushed)
    assert said in reason(told)
    assert "Traceback" not in told or 'File "pipeline.py", line 1' in told
    pushed.ciranda("run").succeeds()


def test_what_cannot_be_stored_and_what_raises_fail_their_step_with_its_place(up: Server, pushed: Project) -> None:
    pushed.edit("pipeline.py", 'return {"mean": mean}', "import threading; return threading.Lock()")
    assert "pipeline.py:11  step average returned a _thread.lock" in pushed.ciranda("run").fails().out
    told = refused(up, pushed)
    assert "pipeline.py:11  step average returned a _thread.lock, which cannot be pickled" in told
    assert reason(told) == "average failed"
    pushed.edit("pipeline.py", 'return {"mean": mean}', "return 1 / 0")
    shown = pushed.ciranda("run").fails().out
    assert "ZeroDivisionError" in shown
    assert "ZeroDivisionError" in pushed.ciranda("show").succeeds().out
    assert "pipeline.py:15  ZeroDivisionError: division by zero" in refused(up, pushed)


# ── the gate ───────────────────────────────────────────────────────────────────────────────────────────────────────

LOOSER = {
    "a command": ("ciranda.toml", '["python tests/unit.py"]', "[]", "checks.code no longer runs"),
    "a check": ("pipeline.py", "@check(doubled)", "# no check", "check positive is gone"),
    "a bound": ("pipeline.py", "at_most=100.0", "at_most=1000.0", "at_most 100 → 1000"),
    "no bound": ("pipeline.py", ", at_most=100.0", "", "has no at_most any more (was 100)"),
    "a severity": ("pipeline.py", 'severity="fail"', 'severity="warn"', "check has_a_mean only warns"),
    "unsure": ("ciranda.toml", "code =", 'when_unsure = { positive = "warn" }\n    code =', "positive block → warn"),
    "a verification": ("ciranda.toml", 'verify = "python tests/unit.py"', "", "verify no longer runs"),
    "an environment": ("ciranda.toml", 'after = "test"', "", "prod no longer comes after test"),
}


@pytest.mark.parametrize("kind", LOOSER)
def test_a_push_that_loosens_its_own_gate_is_refused_and_says_how_it_may_enter(
    up: Server, pushed: Project, kind: str
) -> None:
    path, old, new, said = LOOSER[kind]
    pushed.edit(path, old, new)
    if kind == "an environment":
        pushed.edit("ciranda.toml", "[environments.test]\nverify", '[environments.test]\nafter = "prod"\nverify')
    told = refused(up, pushed)
    assert said in reason(told)
    assert "an admin may let it in: git push -o accept-policy" in told


def test_what_the_bases_body_found_is_shown_where_the_push_says(up: Server, pushed: Project) -> None:
    pushed.edit("pipeline.py", "if value <= 0", "if value <= -100")
    pushed.write({"data/numbers.txt": "1\n-2\n-3\n9\n"})
    told = refused(up, pushed)
    command = told.partition("all of them: ciranda ")[2].splitlines()[0].split()
    shown = pushed.ciranda(*command).succeeds().out
    assert "positive (the base's body): 2 of 4 rows" in shown
    assert "-6" in shown
    asked = pushed.ciranda(*command, "--json").succeeds().json
    assert asked["passed"] is True
    assert asked["gate"]["verdicts"][0]["found"]["count"] == 2


# ── Git ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_names_of_branches_that_would_harm(up: Server, pushed: Project) -> None:
    refs = subprocess.run(
        ["git", "ls-remote", str(up.home / "repositories" / "ruled.git")], capture_output=True, check=True
    )
    before = refs.stdout
    for name in (
        "refs/heads/-x",
        "refs/heads/\u202etxt",
        "refs/heads/main/below",
        "refs/heads/" + "x" * 240,
        "refs/notes/x",
    ):
        assert "[remote rejected]" in pushed.git("push", "ciranda", f"HEAD:{name}").fails().err
    assert "there is main already" in pushed.git("push", "ciranda", "HEAD:refs/heads/main/below").fails().err
    for name in ("a..b", "a b", "a\x1b[31m", ".lock"):
        assert "invalid refspec" in pushed.git("push", "ciranda", f"HEAD:refs/heads/{name}").fails(128).err
    refs = subprocess.run(
        ["git", "ls-remote", str(up.home / "repositories" / "ruled.git")], capture_output=True, check=True
    )
    assert refs.stdout == before


def test_a_name_that_another_repository_has(up: Server, pushed: Project, tmp_path: Path) -> None:
    other = projects.make(
        tmp_path, server.PIPELINE, name="ruled", sources={"numbers": "data/*.txt"}, files=server.FILES
    )
    url = up.said["url"]
    for name, said in (("mine", "lives in the repository ruled already"), ("api", "are reserved")):
        told = _push_to(other, f"{url}/git/{name}.git", up).err
        assert said in told
    assert "only moves forward" in _push_to(other, f"{url}/git/ruled.git", up, "--force").err
    assert "not found" in _push_to(other, f"{url}/nowhere", up).err


def _push_to(toy: Project, url: str, up: Server, *options: str) -> Ran:
    helper = f'!f() {{ echo username=ada; echo "password=$(cat {up.home}/token)"; }}; f'
    pushed = toy.git("-c", f"credential.helper={helper}", "push", *options, url, "main")
    assert pushed.code
    return pushed


# ── the command line ───────────────────────────────────────────────────────────────────────────────────────────────

NAMES = [
    (["rollback", "prod", "--to", "r99"], "ruled has no release r99"),
    (["rollback", "prod"], "no release before r1"),
    (["rollback", "nowhere"], "ruled has no environment nowhere"),
    (["hold", "nowhere"], "ruled has no environment nowhere"),
    (["scale", "mean", "2", "-e", "nowhere"], "ruled has no environment nowhere"),
    (["scale", "men", "2", "-e", "prod"], "prod runs no service men"),
    (["plan", "-e", "nowhere"], "ruled has no environment nowhere"),
    (["wait", "r1", "-e", "nowhere"], "r1 does not go to nowhere"),
    (["wait", "r99", "-e", "prod"], "ruled has no release r99"),
    (["show", "averag"], 'no asset "averag"'),
    (["show", "average@run-999"], "ruled has no run-999"),
    (["show", "average", "--check", "god"], 'average has no check "god"'),
    (["logs", "--step", "averag"], 'has no step or check "averag"'),
    (["explain", "averag"], 'no step is called "averag"'),
    (["run", "--set", "average.depth=1"], 'average has no parameter "depth"'),
    (["status", "--project", "nobody"], "there is no project nobody"),
]


@pytest.mark.parametrize(("given", "said"), NAMES, ids=lambda value: " ".join(value) if isinstance(value, list) else "")
def test_names_that_are_not_there_are_refused_at_once_with_those_that_are(
    pushed: Project, given: list[str], said: str
) -> None:
    began = time.monotonic()
    told = pushed.ciranda(*given).fails()
    assert said in told.err
    assert len(told.err.splitlines()) == 2, told.err  # what, and the way on
    again = pushed.ciranda(*given, "--json").fails()
    assert (again.out, again.err) == ("", told.err)
    assert time.monotonic() - began < 20


def test_every_verb_speaks_json(pushed: Project) -> None:
    for verb in (
        ["run"], ["show"], ["show", "average"], ["explain", "average"], ["status"], ["plan", "-e", "prod"],
        ["wait", "r1", "-e", "prod"], ["hold", "prod"], ["hold", "prod", "--release"], ["up", "--detach"], ["init"],
    ):  # fmt: skip
        ran = pushed.ciranda(*verb, "--json")
        assert ran.code == 0, ran.err
        assert isinstance(ran.json, dict), verb
    logs = pushed.ciranda("logs", "--json").succeeds().out
    assert all(isinstance(json.loads(line), dict) for line in logs.splitlines())


def test_before_anything_is_there_each_verb_says_what_to_do(tmp_path: Path) -> None:
    nobody = Project(tmp_path / "nowhere", tmp_path / "home")
    nobody.root.mkdir()
    for verb in (["run"], ["show"], ["logs"], ["explain", "a"]):
        assert "ciranda init" in nobody.ciranda(*verb).fails().err
    for verb in (["status"], ["plan", "-e", "prod"], ["wait", "r1", "-e", "prod"], ["rollback", "prod"]):
        assert "ciranda up" in nobody.ciranda(*verb).fails().err
    assert not nobody.home.exists()
    toy = projects.make(tmp_path, LOCAL, sources={"numbers": "numbers.txt"}, files={"numbers.txt": "1\n"})
    toy.ciranda("run").succeeds()
    assert "ciranda up" in toy.ciranda("status").succeeds().out
    assert "git push ciranda main" in toy.ciranda("plan", "-e", "prod").fails().err
    assert (
        "no server has run here yet" in toy.run(str(projects.CIRANDA), "down").out
        or "was not up" in toy.ciranda("down").out
    )


def test_folders_and_files_with_spaces_and_accents(tmp_path: Path) -> None:
    place = tmp_path / "São João & cia"
    place.mkdir()
    somebody = Project(place, place / "a home")
    told = somebody.ciranda("init", "my house").succeeds().out
    assert "cd 'my house' && ciranda run" in told
    toy = Project(place / "my house", somebody.home)
    toy.write({"data/preço novo.csv": (toy.root / "data" / "sales.csv").read_bytes()})
    toy.commit("begin")
    assert "240 rows" in toy.ciranda("run").succeeds().out
    assert "data/preço novo.csv" in toy.ciranda("show", "raw_sales").succeeds().out


def test_a_terminal_that_is_narrow_plain_or_of_another_alphabet(toy: Project) -> None:
    for number, variables in enumerate(
        ({"COLUMNS": "60"}, {"CI": "true"}, {"NO_COLOR": "1"}, {"PYTHONIOENCODING": "ascii"})
    ):
        toy.write({"numbers.txt": f"1\n{number}\n"})
        told = toy.ciranda("run", **variables).succeeds().out
        assert "summed" in told
        assert "\x1b" not in told


@pytest.mark.parametrize("after", [0.0, 0.3, 1.4])
def test_ctrl_c_ends_a_run_with_a_line_and_the_next_goes_on(toy: Project, after: float) -> None:
    toy.edit("pipeline.py", "return {", "import time; time.sleep(0 if len(doubled) == 3 else 600)\n    return {")
    running = _started(toy, "run")
    eventually(lambda: _has_open(running.pid, toy.home / "ledger.db"), "the run has begun")
    time.sleep(after)
    code, _, err = _interrupted(running)
    assert (code, err) == (130, "\nstopped; what was recorded is kept\n")
    assert "Traceback" not in err
    toy.write({"numbers.txt": "1\n2\n3\n"})
    toy.ciranda("run").succeeds()
    assert all(run["state"] != "running" for run in toy.ciranda("show", "--json").json["runs"])
    assert list((toy.home / "runs").glob("*/out")) == []


def test_ctrl_c_ends_logs_and_wait_and_nothing_else(up: Server, pushed: Project) -> None:
    pushed.edit("pipeline.py", "mean = sum", "import time; print('begun', flush=True); time.sleep(600)\n    mean = sum")
    running = _started(pushed, "run")
    server.eventually(lambda: "running" in pushed.ciranda("show").out, "it runs")
    following = _started(pushed, "logs", "-f")
    assert following.stdout is not None
    assert "begun" in following.stdout.readline()
    assert _interrupted(following)[0] == 130
    assert running.poll() is None
    assert _interrupted(running)[0] == 130
    pushed.git("checkout", "--quiet", ".").succeeds()
    pushed.ciranda("hold", "prod").succeeds()
    waiting = _started(pushed, "wait", "r1", "-e", "test")
    assert waiting.communicate(timeout=30)[1] == ""
    pushed.ciranda("hold", "prod", "--release").succeeds()
    assert up.ask("/ruled/prod/mean/", {"x": 1}).status == 200


def _started(toy: Project, *arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [str(projects.CIRANDA), *arguments], cwd=toy.root, env=toy.environment, text=True, start_new_session=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def _has_open(pid: int, path: Path) -> bool:
    with suppress(OSError):  # a descriptor that is closed meanwhile
        return any(os.readlink(each) == str(path) for each in Path(f"/proc/{pid}/fd").iterdir())
    return False


def _interrupted(process: "subprocess.Popen[str]") -> tuple[int, str, str]:
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=30)
    return process.returncode, out, err


# ── a server ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_port_in_use_and_a_place_that_cannot_be_a_home(up: Server, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    somebody = Project(tmp_path, tmp_path / "home")
    port = up.said["url"].rpartition(":")[2]
    taken = somebody.ciranda("up", "--detach", "--port", port).fails().err
    assert f"port {port} is taken by ciranda (process {up.said['pid']}, home {up.home}" in taken
    assert f"use it: ciranda status --home {up.home}" in taken
    assert not somebody.home.exists()
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        for option, rest in (("--port", "--gateway-port"), ("--gateway-port", "--port")):
            told = somebody.ciranda("up", "--detach", option, port, rest, "0").fails().err
            assert told.startswith(f"port {port} is taken by ")
            assert f"another port: ciranda up {option} " in told
    assert (
        "cannot be used as a home" in somebody.ciranda("up", "--detach", "--home", str(tmp_path / "file")).fails().err
    )
    assert "was not up" in somebody.ciranda("down").succeeds().out


def test_a_service_that_does_not_come_up_leaves_the_old_release_and_says_where_it_wrote(up: Server) -> None:
    toy = up.project("sickly", more=ALONE)
    up.push(toy).succeeds()
    toy.edit("ciranda.toml", "service:predict", "servis:predict")
    toy.commit("a module that is not there")
    assert "there is no module servis" in up.push(toy).fails().err
    toy.edit("ciranda.toml", "servis:predict", "service:predict")
    toy.edit("service.py", "def predict", "import servis\n\ndef predict")
    toy.commit("a module that cannot be imported")
    told = up.push(toy).succeeds().err
    assert "No module named 'servis'" in told
    assert "what ran there goes on" in told
    folder = Path(told.partition("what its instances wrote: ")[2].splitlines()[0].strip())
    assert any("servis" in log.read_text() for log in folder.glob("*.log"))
    answer = up.ask("/sickly/prod/mean/", {"x": 1})
    assert (answer.status, answer.headers["x-ciranda-release"]) == (200, "r1")
    toy.edit("service.py", "import servis\n\n", "")
    toy.commit("back")
    assert "live in" in up.push(toy).succeeds().err


# ── a store that lost something, and a disk that is full ───────────────────────────────────────────────────────────


def _lose(packs: Path) -> None:
    for pack in packs.iterdir():
        pack.unlink()


def _flip(packs: Path) -> None:
    for pack in packs.iterdir():
        data = bytearray(pack.read_bytes())
        for place in range(0, len(data), 37):
            data[place] ^= 0x55
        pack.chmod(0o644)
        pack.write_bytes(data)


@pytest.mark.parametrize("harm", [_lose, _flip])
def test_a_run_makes_anew_what_the_store_lost(toy: Project, harm: Callable[[Path], None]) -> None:
    toy.ciranda("run").succeeds()
    harm(toy.home / "store" / "packs")
    told = toy.ciranda("show", "summed").fails().err
    assert "ciranda run" in told
    toy.write({"README.md": "so that a file was touched\n"})
    assert "made anew" in toy.ciranda("run").succeeds().out
    assert '"sum":6' in toy.ciranda("show", "summed").succeeds().out


def test_a_release_whose_objects_are_lost_goes_on_and_is_made_whole_by_the_commands_that_are_said(
    tmp_path: Path,
) -> None:
    with server.up(tmp_path) as up:
        toy = up.project("robbed", more=ALONE)
        up.push(toy).succeeds()
        toy.edit("pipeline.py", "2 * int", "3 * int")
        head = toy.commit("triple")
        up.push(toy).succeeds()
        _lose(up.home / "store" / "packs")
        assert "the manifest of r1 is not in the store any more" in toy.ciranda("plan", "r1", "-e", "prod").fails().err
        toy.ciranda("rollback", "prod").succeeds()
        assert up.ask("/robbed/prod/mean/", {"x": 1}).headers["x-ciranda-release"] == "r1"
        server.eventually(lambda: "being watched" not in toy.ciranda("status").out, "r1 is live")
        toy.ciranda("hold", "prod", "--release").succeeds()
        toy.edit("pipeline.py", "3 * int", "4 * int")
        toy.commit("four times")
        told = reason(up.push(toy).fails().err)
        assert "average of r1, which is live, is not in the store any more" in told
        toy.git("checkout", "--quiet", told.partition("git checkout ")[2].split()[0]).succeeds()
        toy.ciranda("run").succeeds()
        toy.git("checkout", "--quiet", "main").succeeds()
        assert up.head(toy) == head
        landed = up.push(toy).succeeds().err
        assert "live in" in landed, landed
        assert up.ask("/robbed/prod/mean/", {"x": 1}).json == 9.0
        up.kill("control")  # the next one looks at what is lost as it begins
        server.eventually(lambda: toy.ciranda("plan", "r2", "-e", "prod").code == 2, "the manifests are back")


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Callable[[str], None]]:
    """A file system of this size at a folder, and what makes it larger."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("only root can mount a small file system")
    folder.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "tmpfs", str(folder)], check=False)
    if made.returncode:
        pytest.skip("nothing can be mounted here")
    try:
        yield lambda more: subprocess.run(["mount", "-o", f"remount,size={more}", str(folder)], check=True) and None
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("size", ["4k", "64k", "600k", "2m"])
def test_a_run_on_a_full_disk_says_so_and_goes_on_when_there_is_room(toy: Project, size: str) -> None:
    toy.edit("pipeline.py", 'return {"sum": sum(doubled)}', 'return {"sum": sum(doubled), "rest": "x" * 3_000_000}')
    with small_disk(toy.home, size) as enlarge:
        told = toy.ciranda("run").fails().err
        assert told.splitlines()[0] == f"{toy.home}  there is no room left on the disk"
        assert "df -h" in told
        enlarge("60m")
        assert "1 check passed" in toy.ciranda("run").succeeds().out
        assert "unchanged" in toy.ciranda("run").succeeds().out


def test_a_push_on_a_full_disk_loses_nothing_and_goes_on_when_there_is_room(tmp_path: Path) -> None:
    with small_disk(tmp_path / "home", "60m") as enlarge, server.up(tmp_path) as up:
        toy = up.project("full", more=ALONE)
        up.push(toy).succeeds()
        head = up.head(toy)
        toy.edit("pipeline.py", "2 * int", "3 * int")
        toy.commit("triple")
        _fill(up.home)
        assert "[remote rejected]" in up.push(toy).fails().err
        assert "no room left" in toy.ciranda("hold", "prod").fails().err
        assert "nothing is waiting" in toy.ciranda("status").succeeds().out
        assert up.head(toy) == head
        assert up.ask("/full/prod/mean/", {"x": 1}).json == 5.0
        _fill(up.home, 80_000)  # enough to record the change, too little to judge it
        said = ""
        with toy.start("git", "push", "ciranda", "main") as client:
            assert client.stdout is not None
            for line in client.stdout:
                said += line
                if "the disk of the server is full" in line:
                    assert up.ask("/full/prod/mean/", {"x": 1}).json == 5.0
                    enlarge("120m")
        assert client.returncode == 0 or "no room left" in said, said
        enlarge("120m")
        up.push(toy).succeeds()
        toy.ciranda("wait", "r2", "-e", "prod", "--timeout", "60").succeeds()
        assert up.ask("/full/prod/mean/", {"x": 1}).json == 7.0


def _fill(folder: Path, left: int = 0) -> None:
    """Fill the disk but for so many bytes."""
    fill = folder / "fill"
    fill.unlink(missing_ok=True)
    descriptor = os.open(fill, os.O_WRONLY | os.O_CREAT)
    try:
        for _ in range(20):  # somebody else may write between the look and the act
            found = os.statvfs(folder)
            with suppress(OSError):
                os.posix_fallocate(descriptor, 0, max(found.f_bavail * found.f_frsize - left, 4096))
                return
        raise AssertionError(f"{folder} cannot be filled")
    finally:
        os.close(descriptor)
