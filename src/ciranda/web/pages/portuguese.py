"""What the pages say in Portuguese (of Brazil), by what they say in English. `{}` stands for what varies."""

from collections.abc import Mapping

TABLE: Mapping[str, str] = {"x": "x"}
