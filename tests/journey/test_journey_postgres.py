"""The same loop with its ledger in a real PostgreSQL."""

from pathlib import Path

from support import kernel, server

CONFINED_AND_NOT = True


def test_a_push_goes_to_production_and_back_on_postgresql(tmp_path: Path, postgres_server: kernel.Server) -> None:
    with server.up(tmp_path, "--ledger", postgres_server.fresh()) as started:
        assert not (started.home / "ledger.db").exists()
        toy = started.project("toy")
        started.push(toy).succeeds()
        toy.edit("pipeline.py", "2 * int", "3 * int")
        toy.commit("triple")
        started.push(toy).succeeds()
        assert started.ask("/toy/prod/mean/", {"x": 1}).json == 7.0
        started.kill("control")
        server.eventually(lambda: started.head(toy), "control is back")
        toy.ciranda("rollback", "prod").succeeds()
        assert started.ask("/toy/prod/mean/", {"x": 1}).headers["x-ciranda-release"] == "r1"
        assert toy.ciranda("run").succeeds().out.startswith("3 steps unchanged")

        def live() -> dict[str, str]:
            status = toy.ciranda("status", "--json").succeeds().json
            return {place["name"]: place["live"]["release"] for place in status["projects"][0]["environments"]}

        server.eventually(lambda: live() == {"test": "r2", "prod": "r1"}, "the rollback is reached")
