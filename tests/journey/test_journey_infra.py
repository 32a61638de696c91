"""A release changes infrastructure: its output reaches the service, drift is found, and all of it goes."""

import json
import os
from pathlib import Path

from ciranda.environment.infra import program
from support import server
from support.terraform import program_or_skip, provide

PIPELINE = """
    from ciranda import dataset

    @dataset
    def lines(numbers: str) -> list:
        return numbers.split()
"""
WEB = """
    import http.server
    import os


    class Answers(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            body = os.environ["HOST_NAME"].encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET

        def log_message(self, *_):
            pass


    http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Answers).serve_forever()
"""
MORE = """
    [services.web]
    command = "python web.py"
    [config.HOST_NAME]
    default = "nowhere"
    [environments.prod]
    infra = "infra/"
"""
PLAIN = """
    resource "terraform_data" "host" { input = "one" }
    output "host_name" { value = terraform_data.host.output }
"""
FILE = """
    terraform {
      required_providers {
        toy = { source = "example.com/toy/toy" }
      }
    }
    resource "toy_file" "host" {
      path    = "WORLD/host"
      content = "two"
    }
    output "host_name" { value = toy_file.host.content }
"""


def test_infrastructure_goes_with_the_release(tmp_path: Path) -> None:
    path = f"{program_or_skip().parent}{os.pathsep}{os.environ['PATH']}"
    with server.up(tmp_path, PATH=path) as up:
        provide(up.home)
        world = up.home / program.FOLDER / "plugins" / "world"
        world.mkdir(parents=True)

        files = {"web.py": WEB, "infra/main.tf": PLAIN}
        toy = up.project("toy", pipeline=PIPELINE, more=MORE, files=files)
        told = up.push(toy).succeeds().err
        assert "infra: 1 to add, 0 to change, 0 to destroy" in told
        assert up.ask("/toy/prod/web/", {}).body == b"one"

        toy.write(
            {"infra/more.tf": FILE.replace("WORLD", str(world)), "infra/main.tf": PLAIN.partition("    output")[0]}
        )
        toy.commit("Another host")
        assert "infra: 1 to add, 0 to change, 0 to destroy" in up.push(toy).succeeds().err
        assert up.ask("/toy/prod/web/", {}).body == b"two"
        assert (world / "host").read_text() == "two"

        (world / "host").write_text("by hand")
        drift = toy.ciranda("infra", "drift", "-e", "prod")
        assert drift.code == 2
        assert "~ toy_file.host  content two → by hand" in drift.out

        gone = toy.ciranda("destroy", "-e", "prod", "--yes").succeeds().out
        assert "- infra" in gone
        assert "prod: its infrastructure is gone" in gone
        assert not (world / "host").exists()
        state = json.loads(toy.ciranda("infra", "state", "-e", "prod", "--json").succeeds().out)
        assert state["resources"] == []
        assert state["lock"] is None
