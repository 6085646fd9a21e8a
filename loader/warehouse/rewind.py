"""Undo partitions from an offset on: the rows, entries and duplicates from there go, the position moves back.

Everything happens in one transaction that takes the head, so it may run beside loads: a worker with
records of an undone partition finds the offset moved, drops them and reads again from the warehouse.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from loader.errors import ActionNeeded, HeadMoved
from loader.failpoints import fail_point
from loader.guards import range_text
from loader.model import Span, new_batch_id
from loader.statements import statement
from loader.warehouse.commit import COUNTS, take_head
from loader.warehouse.durable import kept_files
from loader.warehouse.opening import nothing_there
from loader.warehouse.reading import fetched
from loader.warehouse.relations import registered
from loader.warehouse.remake import Remaker
from loader.warehouse.store import DuckWarehouse
from loader.warehouse.transaction import CommitFailed, one, transaction

if TYPE_CHECKING:
    from loader.config import Config

Row = dict[str, Any]
Recount = Callable[[int, int, int], int | None]
"""How many records the topic holds in `[begin, end)` of a partition; None where it cannot be asked."""

CUT = pa.schema(
    [
        ("batch", pa.int64()),
        ("partition", pa.int32()),
        *((name, pa.int64()) for name in ("begin_offset", "end_offset", *COUNTS, "holes")),
    ]
)


@dataclass(frozen=True, slots=True)
class Undoing:
    """What a rewind does, if the head is still `seen`.

    `places` are rows of partition, place (where it goes on) and committed (where it stood); `removed` says by
    partition what goes; `orphaned`, where duplicates stay whose first record goes.
    """

    seen: int
    places: tuple[Row, ...]
    spans: tuple[Row, ...]
    cuts: tuple[Row, ...]
    removed: tuple[Row, ...]
    orphaned: tuple[Row, ...]

    def from_places(self) -> tuple[tuple[int, int], ...]:
        """Partition and offset of each place."""
        return tuple((row["partition"], row["place"]) for row in self.places)

    def undone(self) -> Row:
        """The counts of the voided spans, without what is left of them."""
        names = (*COUNTS, "holes")
        return {n: sum(s[n] for s in self.spans) - sum(c[n] for c in self.cuts) for n in names}


class Undo(DuckWarehouse):
    """A warehouse of which partitions can be rewound."""

    def __init__(self, config: Config) -> None:
        """Open. Raises ActionNeeded where nothing has been loaded yet, and what DuckWarehouse raises."""
        if not config.warehouse.file.exists():
            raise nothing_there(config.warehouse.file)
        super().__init__(config)

    def standing(self) -> dict[int, tuple[int, int]]:
        """Where each partition began, and where it stands now."""
        with self._own_errors():
            return self._topics.standing()

    def floors(self) -> dict[int, int]:
        """How far back a partition can be rewound; none where retention has removed nothing."""
        with self._own_errors():
            sql = statement("retention/floors")
            rows = self._commits.execute(sql, {"pipeline": self._pipeline}).fetchall()
        return dict(rows)

    def foresee(self, places: Mapping[int, int], recount: Recount) -> Undoing:
        """What rewinding these partitions would undo; those that stand before their place are left out.

        Raises ActionNeeded where retention has removed something behind a place.
        """
        with self._own_errors(), transaction(self._commits):
            seen, standing = self._head(), self.standing()
            self._refuse_removed(places)
            rows = [
                {"partition": partition, "place": place, "committed": standing[partition][1]}
                for partition, place in sorted(places.items())
                if place < standing[partition][1]
            ]
            with registered(self._commits, places=_places(rows)):
                spans, removed, orphaned = (self._found(name) for name in ("spans", "removed", "orphaned"))
        cuts = tuple(_cut(span, recount) for span in spans if span["begin_offset"] < span["place"])
        return Undoing(seen, tuple(rows), spans, cuts, removed, orphaned)

    def rewind(self, places: Mapping[int, int], recount: Recount) -> tuple[Undoing, int]:
        """Foresee and undo, in one turn among the writers; the batch is 0 where there was nothing to undo.

        Raises as `undo`: then nothing was changed, and it may be tried again.
        """
        with self._own_errors(), self._turn():
            undoing = self.foresee(places, recount)
            return undoing, self.undo(undoing) if undoing.places else 0

    def undo(self, undoing: Undoing) -> int:
        """Do it; the batch in the ledger. Raises HeadMoved when somebody committed since it was foreseen.

        Restart when COMMIT failed; nothing was changed then either.
        """
        batch, seq = new_batch_id(), undoing.seen + 1
        data = self._config.warehouse.data_path if self._is_lake else None
        with self._own_errors():
            maker = Remaker(self._commits, self._splitter, self._deriver, self._names()["former"])
            remade = maker.prepare(undoing.seen, batch, self._deriver.wanted, undoing.from_places())
        fail_point("before_begin")
        try:
            with (
                self._own_errors(),
                self._turn(),
                kept_files(data) as keep,
                transaction(self._commits),
            ):
                take_head(self._commits, undoing.seen)
                self._remove(undoing, batch)
                self._record(undoing, batch)
                maker.put(remade, seq)
                keep()
                fail_point("before_commit")
        except CommitFailed as unknown:
            seq = self._settled(batch, unknown)
        fail_point("after_commit")
        maker.discard(remade)
        self._keep_up(seq)
        return batch

    def _refuse_removed(self, places: Mapping[int, int]) -> None:
        for partition, floor in sorted(self.floors().items()):
            if (place := places.get(partition, floor)) < floor:
                message = f"retention has removed what stood before offset {floor}: it cannot be undone"
                address = f"{self._config.kafka.topic}[{partition}]@{place}"
                hint = f"loader rewind --to-offset {partition}:{floor} --yes"
                raise ActionNeeded(message, address=address, hint=hint)

    def _names(self) -> Row:
        """What statements about a rewind need to know; `former` are the batches that it leaves alone."""
        facts: Row = {"pipeline": self._pipeline, "generation": self._topics.in_force()}
        former = statement("rewind/former", **facts) if facts["generation"] else ""
        return {"table": self._table, "former": former, **facts}

    def _found(self, name: str) -> tuple[Row, ...]:
        sql = statement(f"rewind/{name}", **self._names())
        return tuple(fetched(self._commits.execute(sql)))

    def _remove(self, undoing: Undoing, batch: int) -> None:
        names = {**self._names(), "places": undoing.from_places(), "batch": batch}
        run = self._commits.execute
        run(statement("rewind/keep_settled", **names))
        run(statement("rewind/delete_rows", **names))
        fail_point("mid_change")
        for table in ("quarantine", "duplicates"):
            run(statement("rewind/delete_control", **names, control=table))
        voided = one(run(statement("rewind/void_spans", **names)))
        with registered(self._commits, places=_places(undoing.places)):
            moved = one(run(statement("rewind/move_offsets", **names)))
        if (voided, moved) != (len(undoing.spans), len(undoing.places)):
            message = "the spans are not those that were found at this head"
            raise HeadMoved(message)

    def _record(self, undoing: Undoing, batch: int) -> None:
        spans = [Span(row["partition"], row["place"], row["committed"]) for row in undoing.places]
        note = ", ".join(range_text(self._config.kafka.topic, span) for span in spans)
        cuts = pa.Table.from_pylist(list(undoing.cuts), CUT)
        with registered(self._commits, cuts=cuts):
            self._commits.execute(statement("rewind/insert_cuts", **self._names(), rewind=batch))
        self._note(batch, undoing.seen + 1, "rewind", note, self._topics.in_force(), **undoing.undone())


def _places(rows: list[Row] | tuple[Row, ...]) -> pa.Table:
    schema = pa.schema([("partition", pa.int32()), ("place", pa.int64()), ("committed", pa.int64())])
    return pa.Table.from_pylist(list(rows), schema)


def _cut(span: Row, recount: Recount) -> Row:
    """What is left of a span that is cut at its place: the same batch, up to there, counted anew.

    The tables tell all but skipped records and holes. Where the span has both, the topic is asked.
    """
    begin, place, end = span["begin_offset"], span["place"], span["end_offset"]
    kept = {name: span[f"kept_{name}"] for name in ("loaded", "duplicates", "quarantined")}
    left = place - begin - sum(kept.values())  # skipped or holes
    least, most = max(0, left - span["holes"]), min(span["skipped"], left)
    skipped = least
    if least < most:
        behind = recount(span["partition"], place, end)
        at_first = recount(span["partition"], begin, place) if behind is None else None
        before = at_first if behind is None else span["consumed"] - behind
        skipped = least if before is None else min(most, max(least, before - sum(kept.values())))
    return {
        "batch": span["batch"],
        "partition": span["partition"],
        "begin_offset": begin,
        "end_offset": place,
        **kept,
        "skipped": skipped,
        "consumed": sum(kept.values()) + skipped,
        "holes": left - skipped,
    }
