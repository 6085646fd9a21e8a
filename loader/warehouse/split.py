"""Split a staged batch into new, twin and refused, by what is committed now, and write the rows.

The look-up and the head it belongs to are read on one snapshot. Rows go to a Parquet file that no
one knows yet; the warehouse is only read.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from loader.contract import Contract
from loader.errors import QuarantineLimit, Restart
from loader.failpoints import fail_point
from loader.model import Batch, Receipt, Totals, size
from loader.statements import quote_identifier, statement
from loader.warehouse.attach import INLINE_ROWS
from loader.warehouse.deriver import Derived, Deriver
from loader.warehouse.files import make_folder, remove_file, seal_new_file
from loader.warehouse.follow import Follower
from loader.warehouse.known import KnownIds, Run
from loader.warehouse.limit import Breaker, recent_share
from loader.warehouse.relations import registered
from loader.warehouse.stage import Staged, at_positions, names, phase
from loader.warehouse.topics import Topics
from loader.warehouse.transaction import one, transaction

CONTROL_ROWS = 1_000  # quarantine and duplicates above so many rows get a file; below INLINE_CONTROL_ROWS
UNITS_AT_ONCE = 16  # files that a batch makes at most where files are parted, and one more of the rest
CONTROL_BYTES = 1 << 20  # so do refused records above this size: they would swell the catalogue


@dataclass(frozen=True, slots=True)
class Part:
    """Rows for one table of the warehouse: a SELECT, and the file that holds them already, if any.

    With `replaces`, the quoted columns of a key, they take the place of the rows with their keys.
    """

    schema: str
    table: str
    rows: str
    count: int
    replaces: tuple[str, ...] = ()
    file: Path | None = None
    folder: str = ""  # of the file below the table's, where the table's files are parted
    bytes: int = 0  # of the file


@dataclass(frozen=True, slots=True)
class Split:
    """What a batch adds, if the head is still `seen`."""

    staged: Staged
    seen: int
    parts: tuple[Part, ...]
    counts: pa.Table  # by partition, as sql/load/counts.sql
    totals: Totals
    reasons: Mapping[str, int] = field(default_factory=dict)  # of what a load refused, and how often
    derived: tuple[Part, ...] = ()
    data: Path | None = None  # the folder in which DuckLake may write files of its own for this batch

    @property
    def batch(self) -> Batch:
        """The batch that was split."""
        return self.staged.batch

    @property
    def file(self) -> Path | None:
        """The first Parquet file of the target rows, where there is one: that with most rows."""
        return next(iter(self.files), None)

    @property
    def files(self) -> list[Path]:
        """All Parquet files of the target rows."""
        return [part.file for part in self.parts if part.schema == "main" and part.file]

    def receipt(self, seq: int) -> Receipt:
        """What is durable once the batch is committed as change `seq`."""
        batch, newest = self.batch, pc.max(self.counts["max_event_time"]).as_py()
        return Receipt(
            batch.id,
            seq,
            batch.spans,
            self.totals,
            self.staged.seconds,
            batch.kind,
            self.reasons,
            newest.timestamp() if newest else None,
            bytes=self._bytes,
        )

    @property
    def _bytes(self) -> dict[str, int]:
        """What was read, as it stands in memory; the texts among it; and the files that were written."""
        records, parts = self.batch.records, (*self.parts, *self.derived)
        written = sum(part.bytes for part in parts)
        return {"read": size(records), "parse": records["text"].nbytes, "write": written}


@dataclass(frozen=True, slots=True)
class Splitter:
    """Splits the batches of one pipeline on one cursor. `folder` takes the files; None: no files."""

    cursor: duckdb.DuckDBPyConnection
    contract: Contract
    pipeline: str
    topic: str
    table: str
    folder: Path | None
    breaker: Breaker
    follower: Follower
    known: KnownIds
    deriver: Deriver | None = None  # neither where nothing is going to be committed
    topics: Topics | None = None

    def split(self, staged: Staged, before: Split | None = None) -> Split:
        """Look up, sort and write; what is right of the split before is kept.

        Its file stays in any case: a COMMIT that failed may have named it.
        Raises QuarantineLimit, OffsetsMoved (another worker has taken a new topic over), duckdb.Error and
        OSError (disk full, folder gone).
        """
        with phase(staged.seconds, "split"):
            seen, counts, derived = self._look_up(staged, derives=True)
        if before and counts.equals(before.counts) and self._same_rows(before):
            return self._with_derived(replace(before, seen=seen), derived)
        totals = _totals(staged.batch, counts)
        if self._trips(totals):
            raise self._limit(staged.batch, totals)
        with phase(staged.seconds, "write"):
            parts = tuple(self._parts(staged.batch, totals))
            reasons = self._reasons(staged.batch, totals)
            split = self._with_derived(Split(staged, seen, parts, counts, totals, reasons), derived)
        fail_point("after_write")
        return split

    def foresee(self, staged: Staged) -> Totals:
        """What the batch would add by what is committed now; nothing is written."""
        return _totals(staged.batch, self._look_up(staged, derives=False)[1])

    def discard(self, batch: Batch) -> None:
        """Drop the staging tables of a batch."""
        for name in names(batch).values():
            self.cursor.execute(statement("load/drop_staging", name=name))
        if self.deriver:
            self.deriver.discard(batch.id)

    def _look_up(self, staged: Staged, *, derives: bool) -> tuple[int, pa.Table, list[Derived]]:
        batch, parameters = staged.batch, self._parameters(staged.batch)

        def run(name: str, /, **more: object) -> duckdb.DuckDBPyConnection:
            return self.cursor.execute(statement(f"load/{name}", **parameters, **more))

        with transaction(self.cursor):  # one snapshot for the head and for what is known at it
            seen = one(run("head"))
            if self.topics and batch.kind != "retry":  # entries say themselves of which topic they are
                self.topics.at(seen)
            parameters |= self.follower.at(seen)
            self._judge(staged, seen, run)
            derived = self.deriver.derive(batch.id, seen, parameters) if derives and self.deriver else []
        positions = run("refused_positions").to_arrow_table()
        if positions.num_rows or batch.kind == "retry":
            with registered(self.cursor, chunk=at_positions(batch.records, positions)):
                run("refused")
        if batch.kind == "retry":
            run("outcomes")
        return seen, run("counts").to_arrow_table(), derived

    def _judge(self, staged: Staged, seen: int, run: Run) -> None:
        """Make the table of verdicts: on each record whose id was there before."""
        if not staged.ids.num_rows:  # none was accepted, or every event is a row
            run("no_verdicts")
            return
        doubt = self.known.doubt(staged.ids["hash"].to_numpy(), seen, run)
        batches = doubt.batches
        if doubt.only_stored and _verdicts(run, straight=True, batches=batches) == doubt.rows.sum():
            return
        if doubt.rows.any():
            doubtful = staged.ids.select(["row"]).append_column("present", pa.array(doubt.present))
            with registered(self.cursor, doubtful=doubtful.filter(pa.array(doubt.rows))):
                run("suspects")
            run("known_ids", batches=batches)
            if batches is not None and one(run("count_missing")):
                batches = None
                run("known_ids", batches=batches)
        if doubt.rows.any() and one(run("count_repeats")):
            _verdicts(run, straight=False, batches=batches)
        else:
            run("no_verdicts")

    def _same_rows(self, before: Split) -> bool:
        """Whether its files still hold the right rows: counts are equal, so ask for the positions."""
        if not before.files:
            return True
        files = [str(file) for file in before.files]
        sql = statement("load/rows_changed", files=files, **self._parameters(before.batch))
        return one(self.cursor.execute(sql)) == 0

    def _parts(self, batch: Batch, totals: Totals) -> Iterator[Part]:
        tables = names(batch)
        rows = statement("load/rows", **self._parameters(batch))
        for part in self._units(Part("main", self.table, rows, totals.loaded)):
            yield self.filed(batch.id, part, large=part.count > self.inlined)
        refused = totals.quarantined if batch.kind == "load" else 0  # a retry's have their entries
        rows, found = statement("load/all_rows", name=tables["refused"]), refused
        part = Part("loader", "quarantine", rows, found)
        large = is_large(part) or (found > 0 and self._refused_bytes(batch) > CONTROL_BYTES)
        yield self.filed(batch.id, part, large=large)
        rows, found = statement("load/repeats", **self._parameters(batch)), totals.duplicates
        part = Part("loader", "duplicates", rows, found)
        yield self.filed(batch.id, part, large=is_large(part))

    def _with_derived(self, split: Split, derived: list[Derived]) -> Split:
        """The split with the rows that its batch derives from this state of the warehouse."""
        parts = tuple(
            self.filed(split.batch.id, part, large=is_large(part))
            for each in derived
            for part in parts_of(each)
        )
        own_files = any(part.replaces and part.file for part in parts)
        return replace(split, derived=parts, data=self.folder if own_files else None)

    @property
    def inlined(self) -> int:
        """Up to so many rows of the target stand in a lake's catalogue."""
        return 0 if self.contract.is_nested else INLINE_ROWS

    def _units(self, whole: Part) -> Iterator[Part]:
        """The target's rows as the table's files are parted: the largest units, and one part of all others.

        So a batch of rows of many days makes no more files than that; upkeep sorts the others.
        """
        layout = self.contract.layout
        if not (self.folder and layout and whole.count > self.inlined):
            yield whole
            return
        facts = {"rows": whole.rows, "keys": layout.keys, "column": layout.column}
        found = self.units(whole.rows, self.inlined)
        for *unit, count in found:
            rows = statement("load/rows_of_unit", **facts, units=[unit], others=False)
            yield replace(whole, rows=rows, count=count, folder=layout.folder(unit))
        if others := whole.count - sum(row[-1] for row in found):
            units = [row[:-1] for row in found]
            rows = statement("load/rows_of_unit", **facts, units=units, others=True) if units else whole.rows
            yield replace(whole, rows=rows, count=others, folder=layout.folder(None))

    def units(self, rows: str, least: float) -> list[tuple[int, ...]]:
        """The units that get a file of their own where files are parted, and how many of the rows each has.

        `rows` is a SELECT, `least` how many rows are too few for a file.
        """
        if (layout := self.contract.layout) is None:
            return []
        facts = {"rows": rows, "keys": layout.keys, "column": layout.column}
        sql = statement("load/units", **facts, least=least, most=UNITS_AT_ONCE)
        return self.cursor.execute(sql).fetchall()

    def filed(self, batch: int, part: Part, *, large: bool) -> Part:
        """The part of a batch, in a file of our own where that is better than inside the catalogue."""
        if not (self.folder and large):
            return part
        name = f"loader-{batch}-{time.time_ns() % 10**9:09d}.parquet"
        file = self.folder / part.schema / part.table / part.folder / name
        try:
            make_folder(file.parent, self.folder.parent)
            self.cursor.execute(statement("load/write_parquet", rows=part.rows, file=str(file)))
            seal_new_file(file)
        except (duckdb.Error, OSError):
            remove_file(file)  # a part of it would keep a full disk full
            raise
        return replace(part, file=file, bytes=file.stat().st_size)

    def _reasons(self, batch: Batch, totals: Totals) -> dict[str, int]:
        if batch.kind != "load" or not totals.quarantined:
            return {}
        sql = statement("load/reasons", refused=names(batch)["refused"])
        return dict(self.cursor.execute(sql).fetchall())

    def _refused_bytes(self, batch: Batch) -> int:
        return one(self.cursor.execute(statement("load/refused_bytes", refused=names(batch)["refused"])))

    def _trips(self, totals: Totals) -> bool:
        """Whether too many would be refused: by what is remembered, then by what the ledger says now."""
        if not totals.quarantined or not (self.breaker.is_new or self.breaker.trips(totals)):
            return False
        self.breaker.recall(recent_share(self.cursor, self.pipeline))
        return self.breaker.trips(totals)

    def _limit(self, batch: Batch, totals: Totals) -> QuarantineLimit:
        sql = statement("load/top_reasons", refused=names(batch)["refused"])
        reasons = [
            f"{records:,} x {reason} (as {self.topic}[{partition}]@{offset}: {message})"
            for reason, records, partition, offset, message in self.cursor.execute(sql).fetchall()
        ]
        return self.breaker.error(self.topic, totals, reasons)

    def _parameters(self, batch: Batch) -> dict[str, Any]:
        contract = self.contract
        ids = [quote_identifier(name) for name in contract.id]
        return {
            **names(batch),
            "chunk": "chunk",
            "batch": batch.id,
            "generation": batch.generation,
            "pipeline": self.pipeline,
            "topic": self.topic,
            "conflict": "conflict" if contract.on_conflict == "quarantine" else "kept_first",
            "table": self.table,
            "ids": ids,
            "id_text": f"nullif(concat_ws('|', {', '.join(f's.{id_}' for id_ in ids) or 'NULL'}), '')",
            "id_names": ", ".join(contract.id),
            "content": [quote_identifier(n) for n in contract.content_columns if n not in contract.id],
            "columns": [name for name, _ in contract.ddl()],
            "event_time": quote_identifier(contract.event_time) if contract.event_time else "",
        }


def _verdicts(run: Run, *, straight: bool, batches: list[int] | None) -> int:
    """Make the table of verdicts, one for each record; how many there are."""
    run("verdicts", straight=straight, batches=batches)
    verdicts, records = run("count_judged").fetchone() or (0, 0)
    if verdicts > records:  # rows of another hand, or of a time with duplicates = "off", have one id
        run("first_verdicts")
    return int(records)


def is_large(part: Part) -> bool:
    """Whether so many rows would swell the catalogue."""
    return part.count > CONTROL_ROWS


def parts_of(derived: Derived) -> Iterator[Part]:
    """The rows of a derived table, and what of them is to be sent."""
    derivation = derived.derivation
    replaces = () if derivation.keeps_first else derivation.key
    rows = statement("load/all_rows", name=derived.rows)
    yield Part("main", derivation.table, rows, derived.count, replaces)
    if derived.outgoing_count:
        rows = statement("load/all_rows", name=derived.outgoing)
        yield Part("loader", "outbox", rows, derived.outgoing_count)


def _totals(batch: Batch, counts: pa.Table) -> Totals:
    columns = ("consumed", "loaded", "duplicates", "quarantined", "skipped")
    sums = {name: sum(counts[name].to_pylist()) for name in columns}
    covered = sum(span.end - span.begin for span in batch.spans)
    holes = covered - sums["consumed"] if batch.kind != "retry" else 0
    if holes < 0:
        message = "more records than offsets: the client gave some of them twice"
        raise Restart(message)
    return Totals(**sums, holes=holes)
