"""The first ten minutes, typed as the page shows them; only the ports are ones that are free."""

import os
import re
import subprocess
import sys
from pathlib import Path

from ciranda.demo import processes, stage
from support.docs import ROOT, shell_blocks

CONFINED_AND_NOT = True


def test_the_first_ten_minutes_work_as_they_are_written(tmp_path: Path) -> None:
    home, (port, gateway) = tmp_path / "home", stage.free_ports(2)
    script = "set -e\n" + "".join(shell_blocks((ROOT / "docs" / "first-ten-minutes.md").read_text()))
    up = f"ciranda up --detach --port {port} --gateway-port {gateway}\n"
    up += f"sed -i s/127.0.0.1:7700/127.0.0.1:{port}/ .git/config\n"
    script = script.replace("ciranda up --detach\n", up).replace(":7780/", f":{gateway}/")
    variables = stage.environment(os.environ, home)
    variables["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{variables['PATH']}"
    typed = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, env=variables, capture_output=True, text=True, check=False, timeout=200
    )
    said = typed.stdout + typed.stderr
    processes.end(home)
    assert typed.returncode == 0, said
    assert "refused, and main did not move" in said
    assert "sold_for_something: 1 of" in said
    assert re.search(r"^\d+\.\d+", said, re.MULTILINE), "the service answers a price"
    assert "prod is held at r1" in said
    assert processes.of_home(home) == []
