"""How the rows of a lake's table are laid out in files: by a unit of a time (`table.partition_by`). Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

UNITS = ("year", "month", "day", "hour")
NONE = "__HIVE_DEFAULT_PARTITION__"
"""Stands in a folder's name for no value; DuckLake reads such a file whatever a query looks for."""

_TEXT = re.compile(r'\s*(\w+)\s*\(\s*(?:"((?:[^"]|"")+)"|([^\W\d]\w*))\s*\)\s*')


@dataclass(frozen=True, slots=True)
class Layout:
    """A folder for each `unit` of the time in `column`."""

    unit: str
    column: str

    @property
    def keys(self) -> tuple[str, ...]:
        """DuckLake's transformations, largest first: `day` alone would put all firsts of a month together."""
        return UNITS[: UNITS.index(self.unit) + 1]

    def folder(self, values: Sequence[int] | None) -> str:
        """The folder of one unit below the table's, as DuckLake names it; None: that of all others."""
        given: Sequence[object] = values or [NONE] * len(self.keys)
        return "/".join(f"{key}={value}" for key, value in zip(self.keys, given, strict=True))

    def __str__(self) -> str:
        """As the configuration says it."""
        return f"{self.unit}({self.column})"


def parse_layout(text: str) -> Layout:
    """Read `day(timestamp)`. Raises ValueError."""
    found = _TEXT.fullmatch(text)
    if not found or found[1].lower() not in UNITS:
        raise ValueError('must be year, month, day or hour of a column, such as "day(timestamp)"')
    return Layout(found[1].lower(), found[2].replace('""', '"') if found[2] else found[3])
