"""A real model server that keeps what it predicted, and takes what was true."""

import json
from pathlib import Path

from ciranda.runtime import spool
from support import runtime
from support.service import until

SERVICE = """
    import msgspec

    class Row(msgspec.Struct):
        area: float
        buyer: str = ""

    def predict(rows: list[Row]) -> list[float]:
        for row in rows:
            row.buyer = "changed"
        return [row.area * 2 for row in rows]
"""


def records(folder: Path) -> list[list[object]]:
    return [one for path in sorted(folder.glob("*.seg")) for one in spool.frames(path.read_bytes())]


def test_predictions_and_feedback_are_in_the_folder_even_after_a_kill(tmp_path: Path) -> None:
    tree = runtime.write_tree(tmp_path / "tree", {"service.py": SERVICE})
    folder = tmp_path / "spool"
    folder.mkdir()
    told = {"folder": str(folder), "sample": 1.0, "redact": ["buyer"], "models": {"price": "b3:0d"}}
    variables = {"CIRANDA_PREDICTIONS": json.dumps(told), "CIRANDA_RELEASE": "r7"}
    with runtime.server(tree, tmp_path / "run", told=variables) as server:
        assert server.ask({"area": 2, "buyer": "Ana", "junk": 1}, x_request_id="first")[:2] == (200, 4.0)
        assert server.ask([{"area": 1}, {"area": 3}], x_request_id="second")[:2] == (200, [2.0, 6.0])
        assert server.ask({"area": "wide"}, x_request_id="third")[0] == 422
        status, said, headers = server.ask({"request_id": "first", "truth": 5}, path="/-/feedback", x_request_id="f")
        assert (status, said, headers["x-request-id"]) == (202, {"taken": 1}, "f")
        assert server.ask({"request_id": "first"}, path="/-/feedback")[0] == 422
        assert server.ask(b"{", path="/-/feedback")[0] == 400
        assert server.ask(path="/-/feedback", method="GET")[0] == 405
        until(lambda: len(records(folder)) >= 4)
    begin, first, second, feedback = records(folder)
    assert begin[1] == {"format": spool.FORMAT, "release": "r7", "models": {"price": "b3:0d"}}
    assert first[1] == "first"
    assert json.loads(str(bytes(first[4]).decode())) == [4.0]
    (row,) = json.loads(bytes(first[3]))  # type: ignore[arg-type]
    assert set(row) == {"area", "buyer"}
    assert row["buyer"].startswith("b2:")
    assert json.loads(bytes(second[4])) == [2.0, 6.0]  # type: ignore[arg-type]
    assert json.loads(bytes(feedback[2])) == [["first", 0, 5, None]]  # type: ignore[arg-type]
    assert "Ana" not in "".join(path.read_bytes().decode("latin-1") for path in folder.iterdir())


def test_without_predictions_there_is_no_feedback(tmp_path: Path) -> None:
    tree = runtime.write_tree(tmp_path / "tree", {"service.py": SERVICE})
    with runtime.server(tree, tmp_path / "run") as server:
        status, said, _ = server.ask({"request_id": "first", "truth": 5}, path="/-/feedback")
        assert status == 404
        assert "predictions = {}" in said["error"]
