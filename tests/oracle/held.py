"""What a warehouse holds, by place. Nothing is judged here; what stands twice is only noted."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Collection, Hashable, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from tests.oracle.store import Row, Store
    from tests.oracle.topic import Record

Place = tuple[int, int]
"""(partition, offset)"""

SHOWN = 5  # examples in a message
APART = 1_000_000  # is added to the partition for each generation of the topic


class Counts(NamedTuple):
    """How many records ended where."""

    loaded: int
    duplicates: int
    quarantined: int
    skipped: int


class Holdings(NamedTuple):
    """The tables by place; `twice` says in words what stands there twice (of those the last is kept)."""

    rows: dict[Place, Row]
    duplicates: dict[Place, Row]
    quarantine: dict[Place, Row]
    offsets: dict[int, Row]
    spans: list[Row]
    twice: list[str]

    @property
    def open_quarantine(self) -> set[Place]:
        """Refused records of which no retry has made a row or a duplicate."""
        return {place for place in self.quarantine if not self.became_something(place)}

    def became_something(self, place: Place) -> bool:
        """Whether a retry made a row or a duplicate of a quarantined record."""
        became_twin = place in self.duplicates and self.quarantine[place]["state"] == "duplicate"
        return place in self.rows or became_twin

    def is_due(self, place: Place) -> bool:
        """Whether the pipeline says that it has dealt with this place."""
        partition, offset = place
        position = self.offsets.get(partition)
        return position is not None and position["baseline"] <= offset < position["next_offset"]

    def counts(self, skipped: int) -> Counts:
        """How many records ended where."""
        return Counts(len(self.rows), len(self.duplicates), len(self.open_quarantine), skipped)


def holdings(store: Store, table: str, key: str, pipeline: str | None = None) -> Holdings:
    """Read all tables of a pipeline (of the warehouse, where none is named)."""
    where = f" WHERE pipeline = '{pipeline}'" if pipeline else ""
    tables = {
        table: store.table(table),
        "duplicates": _told_apart(store.rows(f"SELECT * FROM loader.duplicates{where}")),
        "quarantine": _told_apart(store.rows(f"SELECT * FROM loader.quarantine{where}")),
    }
    _set_apart(store, tables[table], "_partition", "_batch")
    _set_apart(store, tables["duplicates"], "first_partition", "first_batch")
    twice = [*_repeated((row[key] for row in tables[table]), f"{key} twice in {table}")]
    by_place: dict[str, dict[Place, Row]] = {}
    for name, rows in tables.items():
        partition, offset = ("_partition", "_offset") if name == table else ("partition", "offset")
        by_place[name] = {(row[partition], row[offset]): row for row in rows}
        twice += _repeated(
            ((row[partition], row[offset]) for row in rows), f"(partition, offset) twice in {name}"
        )
    spans = _told_apart(store.rows(f"SELECT * FROM loader.spans{where}"))
    offsets = _told_apart(store.rows(f"SELECT * FROM loader.offsets{where}"))
    return Holdings(
        rows=by_place[table],
        duplicates=by_place["duplicates"],
        quarantine=by_place["quarantine"],
        offsets={row["partition"]: row for row in offsets},
        spans=[span for span in spans if not span.get("voided_by")],
        twice=twice,
    )


def of_generation(records: Iterable[Record], generation: int) -> list[Record]:
    """The records of a topic that was taken over: their partitions are others than those of the first one."""
    return [record._replace(partition=record.partition + generation * APART) for record in records]


def _set_apart(store: Store, rows: list[Row], partition: str, batch: str) -> None:
    """Give what batches of a topic that was taken over have written its own partitions, by the ledger."""
    if not store.has_table("loader.batches"):
        return
    later = store.rows("SELECT batch, generation FROM loader.batches WHERE generation > 0")
    shift = {row["batch"]: row["generation"] * APART for row in later}
    for row in rows:
        if row.get(batch) in shift:
            row[partition] += shift[row[batch]]


def _told_apart(rows: list[Row]) -> list[Row]:
    return [row | {"partition": row["partition"] + row.get("generation", 0) * APART} for row in rows]


class Index:
    """Counts places within a span without looking at all of them."""

    def __init__(self, places: Iterable[Place]) -> None:
        self._offsets: dict[int, list[int]] = {}
        for partition, offset in sorted(places):
            self._offsets.setdefault(partition, []).append(offset)

    def inside(self, span: Row) -> int:
        """How many places lie in the half-open range of the span."""
        offsets = self._offsets.get(span["partition"], [])
        return bisect_left(offsets, span["end_offset"]) - bisect_left(offsets, span["begin_offset"])


def nothing(found: Collection[Any], message: str) -> None:
    """Assert that nothing was found; the message shows a few."""
    assert not found, examples(found, message)


def examples(found: Collection[Any], message: str) -> str:
    """How many there are, and a few of them."""
    return f"{message}: {len(found)}, such as {sorted(found)[:SHOWN]}"


def _repeated(values: Iterable[Hashable], message: str) -> Iterable[str]:
    if found := {value for value, times in Counter(values).items() if times > 1}:
        yield examples(found, message)
