"""A server that serves is broken by hand; the doctor names it, and what it says to do puts it right."""

import json
import os
import signal
from pathlib import Path
from typing import Any

from support import project as projects
from support import server


def unwell(toy: projects.Project, **variables: str) -> dict[str, str]:
    """What is wrong, with what mends it; without warnings."""
    told: dict[str, Any] = json.loads(toy.ciranda("doctor", "--json", **variables).out)
    return {one["what"]: one["mend"] for part in told["parts"] for one in part["findings"] if one["level"] == "wrong"}


def mended(toy: projects.Project, said: str) -> None:
    """Do what the doctor says of the one thing that is wrong, and look again."""
    ((what, mend),) = unwell(toy).items()
    assert said in what
    toy.run(
        "sh", "-c", f"PATH={projects.CIRANDA.parent}:$PATH; {mend.partition('   ')[0].removeprefix('take them up: ')}"
    ).succeeds()
    assert unwell(toy) == {}


def test_what_the_doctor_says_mends_what_is_broken(tmp_path: Path, short_path: Path) -> None:
    with server.up(tmp_path) as started:
        toy = started.project("toy")
        started.push(toy).succeeds()
        assert unwell(toy) == {}
        assert toy.ciranda("doctor", "--deep").succeeds()

        (started.home / "token").chmod(0o640)
        mended(toy, "others may read token (mode 0640)")

        repository = started.home / "repositories" / "toy.git"
        (repository / "refs" / "heads" / "main").unlink()
        mended(toy, "main of toy is not there")

        wrong = unwell(toy, XDG_RUNTIME_DIR=str(short_path))
        (mend,) = (mend for what, mend in wrong.items() if "keeps its sockets in" in what)
        name, _, value = mend.partition("   ")[0].removeprefix("export ").partition("=")
        assert unwell(toy, **{name: value}) == {}, "with the variable that it names all is well"

        keeper = int(started.said["pid"])
        os.kill(keeper, signal.SIGKILL)
        server.eventually(lambda: any("the keeper is gone" in what for what in unwell(toy)), "it is seen")
        assert toy.ciranda("doctor").code == 1
        assert started.ask("/toy/prod/mean/", {"x": 1.0}).status == 200, "requests are answered meanwhile"
        toy.ciranda("up", "--detach", "--port", "0", "--gateway-port", "0").succeeds()
        server.eventually(lambda: not unwell(toy), "all is well again")
    said = unwell(toy)
    assert [mend for what, mend in said.items() if "nothing is served" in what] == ["ciranda up --detach"]
