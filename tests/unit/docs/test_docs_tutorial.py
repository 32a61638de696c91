"""How a page is typed and compared: what varies may, everything else may not."""

import subprocess
from pathlib import Path

import pytest

from support import tutorial

PAGE = """
```csv data/rides.csv
ride,km
```

```python >>data/rides.csv
1,2.5
```

```sh
wc -l data/rides.csv
echo "made in 0.31 s by run-7 at 9b03cc2"
```

```text
2 data/rides.csv
made in 1.2 s by run-1 at 84a903c
```
"""


def printed(page: str, folder: Path) -> str:
    done = subprocess.run(
        ["bash", "-c", tutorial.script(page)], cwd=folder, capture_output=True, text=True, check=True, timeout=20
    )
    return done.stdout


def test_a_page_is_typed_and_its_files_are_saved(tmp_path: Path) -> None:
    assert tutorial.differences(PAGE, printed(PAGE, tmp_path)) == []
    assert (tmp_path / "data" / "rides.csv").read_text() == "ride,km\n1,2.5\n"


@pytest.mark.parametrize(
    ("said", "wrong"),
    [
        ("2 data/rides.csv", "3 data/rides.csv"),
        ("by run-1", "by job-1"),
        ("2 data/rides.csv\n", ""),
        ("made in 1.2 s by run-1 at 84a903c\n", ""),
        ("84a903c\n", "84a903c\nand more\n"),
        ("1.2 s", "1.2 MB"),
    ],
)
def test_what_is_printed_otherwise_is_seen(said: str, wrong: str, tmp_path: Path) -> None:
    page = PAGE.replace(said, wrong)
    assert page != PAGE
    (found,) = tutorial.differences(page, printed(page, tmp_path))
    assert found.startswith("the page ")


def test_lines_may_be_left_out_only_where_the_page_says_so(tmp_path: Path) -> None:
    page = PAGE.replace("2 data/rides.csv\nmade", "…\nmade")
    assert tutorial.differences(page, printed(page, tmp_path)) == []
    assert tutorial.differences(page.replace("…\nmade", "…\nlost"), printed(page, tmp_path))


def test_a_page_that_was_typed_in_part_is_seen() -> None:
    assert tutorial.differences(PAGE, "")
