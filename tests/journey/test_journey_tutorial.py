"""The first ten minutes, typed as the page shows them; only the ports are ones that are free."""

import os
import subprocess
import sys
from pathlib import Path

from ciranda.demo import processes, stage
from support import tutorial
from support.docs import ROOT

CONFINED_AND_NOT = True


def test_the_first_ten_minutes_work_as_they_are_written_and_print_what_they_say(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "first-ten-minutes.md").read_text()
    home, (port, gateway) = tmp_path / "home", stage.free_ports(2)
    up = f"ciranda up --detach --port {port} --gateway-port {gateway}\n"
    up += f"sed -i s/127.0.0.1:7700/127.0.0.1:{port}/ .git/config\n"
    script = tutorial.script(page).replace("ciranda up --detach\n", up).replace(":7780/", f":{gateway}/")
    variables = stage.environment(os.environ, home) | {"GIT_AUTHOR_NAME": "Ada"}
    variables["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{variables['PATH']}"
    try:
        typed = subprocess.run(
            ["bash", "-c", script],
            cwd=tmp_path,
            env=variables,
            capture_output=True,
            text=True,
            check=False,
            timeout=200,
        )
    finally:
        processes.end(home)
    printed = typed.stdout.replace(f":{port}/", ":7700/").replace(f":{gateway}/", ":7780/")
    assert typed.returncode == 0, printed
    assert typed.stderr == ""
    assert "\n".join(tutorial.differences(page, printed)) == ""
    assert processes.of_home(home) == []
