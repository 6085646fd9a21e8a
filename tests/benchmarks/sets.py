"""The data sets of the benchmark: one to begin with, and others that differ from it in one thing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

SMALL, LARGE = 234, 1_024  # bytes of an order, about
TWICE = 1.0  # share of duplicates with which everything is sent a second time


@dataclass(frozen=True, slots=True)
class DataSet:
    """What a topic holds. Shares are of the records that are loaded while the clock runs."""

    size: int = SMALL  # bytes of a value
    partitions: int = 4
    compression: str = "lz4"
    poison: float = 0.0  # share of malformed records
    duplicates: float = 0.0  # share of records that were sent before; TWICE: all of them are in the table

    @property
    def name(self) -> str:
        """What it has of its own, as the tables call it."""
        values = ((each.name, getattr(self, each.name)) for each in fields(self))
        own = [WORDS[name](value) for name, value in values if value != getattr(BASE, name)]
        return ", ".join(own) or "base"

    def expected(self, records: int) -> dict[str, int]:
        """Where the records must end, of so many."""
        refused, repeated = round(self.poison * records), round(self.duplicates * records)
        return {"loaded": records - refused - repeated, "duplicates": repeated, "quarantined": refused}


WORDS: dict[str, Callable[[Any], str]] = {
    "size": lambda size: f"{size / 1_024:.0f} KB",
    "partitions": lambda count: f"{count} partitions",
    "compression": lambda kind: "not compressed" if kind == "none" else kind,
    "poison": lambda share: f"{share:.3%} poison".replace(".000", ""),
    "duplicates": lambda share: f"{share:.0%} duplicates",
}

BASE = DataSet()
POISON = (DataSet(poison=0.000_01), DataSet(poison=0.1))
REPLAY = DataSet(duplicates=TWICE)
DEFAULT = (BASE, DataSet(size=LARGE), *POISON, DataSet(duplicates=0.05), REPLAY)
ALL = (
    *DEFAULT,
    DataSet(partitions=12),
    *(DataSet(compression=kind) for kind in ("zstd", "gzip", "none")),
)
