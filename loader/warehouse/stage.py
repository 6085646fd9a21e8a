"""Stage a batch: parse and check, split into new, twin and refused, write the rows to a file.

Everything here happens in tables of the private in-memory database and in a Parquet file that no
one knows yet; the warehouse is only read.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from loader.contract import Contract
from loader.digits import candidates, quote_long_numbers
from loader.errors import QuarantineLimit, WarehouseAway
from loader.failpoints import fail_point
from loader.model import Batch, Totals
from loader.statements import quote_identifier, statement
from loader.warehouse.attach import INLINE_ROWS, translated
from loader.warehouse.files import make_folder, sync_new_file
from loader.warehouse.limit import Breaker
from loader.warehouse.transaction import one, transaction

CONTROL_ROWS = 1_000  # quarantine and duplicates above so many rows get a file; below INLINE_CONTROL_ROWS
CONTROL_BYTES = 1 << 20  # so do refused records above this size: they would swell the catalogue


@dataclass(frozen=True, slots=True)
class Part:
    """Rows for one table of the warehouse: a SELECT, and the file that holds them already, if any."""

    schema: str
    table: str
    rows: str
    count: int
    file: Path | None = None


@dataclass(frozen=True, slots=True)
class Staged:
    """A batch ready to be committed if the head is still `seen`."""

    batch: Batch
    seen: int
    parts: tuple[Part, ...]
    counts: pa.Table  # by partition, as sql/load/counts.sql
    totals: Totals
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def file(self) -> Path | None:
        """The Parquet file of the target rows, where there is one."""
        return next((part.file for part in self.parts if part.schema == "main"), None)


@dataclass(frozen=True, slots=True)
class Stager:
    """Stages batches of one pipeline on one cursor. `folder` takes the files; None: no files."""

    cursor: duckdb.DuckDBPyConnection
    contract: Contract
    pipeline: str
    topic: str
    table: str
    folder: Path | None
    breaker: Breaker

    def stage(self, batch: Batch) -> Staged:
        """Parse, split and write. Raises QuarantineLimit, WarehouseAway (disk full, folder gone)."""
        seconds: dict[str, float] = {}
        with _phase(seconds, "parse"):
            self._parse(batch)
        fail_point("after_parse")
        return self._split_and_write(batch, seconds)

    def restage(self, staged: Staged) -> Staged:
        """Learn what others committed and split again; written anew only if rows changed.

        The file of the first try stays: a COMMIT that failed may have named it.
        """
        seconds = dict(staged.seconds)
        with _phase(seconds, "split"):
            seen, counts = self._split(staged.batch)
        if counts.equals(staged.counts) and self._same_rows(staged):
            return replace(staged, seen=seen, seconds=seconds)
        return self._write(staged.batch, seen, counts, seconds)

    def discard(self, staged: Staged) -> None:
        """Drop the staging tables; files stay, because a COMMIT may have named them."""
        for name in _names(staged.batch).values():
            self.cursor.execute(statement("load/drop_staging", name=name))

    def _split_and_write(self, batch: Batch, seconds: dict[str, float]) -> Staged:
        with _phase(seconds, "split"):
            seen, counts = self._split(batch)
        return self._write(batch, seen, counts, seconds)

    def _parse(self, batch: Batch) -> None:
        records = _exact_numbers(batch.records)
        staging = _names(batch)["staging"]
        with _registered(self.cursor, chunk=records):
            self.cursor.execute(statement("load/parse", **self.contract.parse_parameters("chunk", staging)))
        found = self.cursor.execute(statement("load/unexplained_offsets", staging=staging))
        if len(offsets := found.to_arrow_table()["_offset"]):
            with _registered(self.cursor, chunk=_at(records, offsets)):
                sql = statement("load/parse", **self.contract.explain_parameters("chunk", staging))
                self.cursor.execute(sql)

    def _split(self, batch: Batch) -> tuple[int, pa.Table]:
        parameters = self._parameters(batch)

        def run(name: str) -> duckdb.DuckDBPyConnection:
            return self.cursor.execute(statement(f"load/{name}", **parameters))

        with transaction(self.cursor):  # one snapshot for the head and for what is known at it
            seen = one(run("head"))
            run("known_ids")
            run("repeated_ids")
            run("verdicts" if one(run("count_suspects")) else "no_verdicts")
        positions = run("refused_offsets").to_arrow_table()["_offset"]
        with _registered(self.cursor, chunk=_at(batch.records, positions)):
            run("refused")
        run("repeats")
        return seen, run("counts").to_arrow_table()

    def _write(self, batch: Batch, seen: int, counts: pa.Table, seconds: dict[str, float]) -> Staged:
        totals = _totals(batch, counts)
        if self.breaker.trips(totals):
            raise self._limit(batch, totals)
        with _phase(seconds, "write"):
            parts = tuple(self._parts(batch, totals))
        fail_point("after_write")
        return Staged(batch, seen, parts, counts, totals, seconds)

    def _parts(self, batch: Batch, totals: Totals) -> Iterator[Part]:
        parameters = self._parameters(batch)
        tables = _names(batch)
        rows = statement("load/rows", **parameters)
        yield self._part(batch, "main", self.table, rows, totals.loaded, totals.loaded > INLINE_ROWS)
        for table, source, found in (
            ("quarantine", "refused", totals.quarantined),
            ("duplicates", "repeats", totals.duplicates),
        ):
            rows = statement("load/all_rows", name=tables[source])
            large = found > CONTROL_ROWS or (
                source == "refused" and self._refused_bytes(batch) > CONTROL_BYTES
            )
            yield self._part(batch, "loader", table, rows, found, large)

    def _part(self, batch: Batch, schema: str, table: str, rows: str, count: int, large: bool) -> Part:  # noqa: PLR0913, PLR0917, FBT001 - what a Part is made of
        if not (self.folder and large):
            return Part(schema, table, rows, count)
        file = self.folder / schema / table / f"loader-{batch.id}-{time.time_ns() % 10**9:09d}.parquet"
        self._write_file(rows, file)
        return Part(schema, table, rows, count, file)

    def _write_file(self, rows: str, file: Path) -> None:
        try:
            make_folder(file.parent)
            self.cursor.execute(statement("load/write_parquet", rows=rows, file=str(file)))
            sync_new_file(file)
        except (duckdb.IOException, OSError) as error:
            file.unlink(missing_ok=True)
            raise _unwritten(error, file) from error

    def _same_rows(self, staged: Staged) -> bool:
        """Whether the file still holds the right rows: counts are equal, so ask for the positions."""
        if staged.file is None:
            return True
        parameters = self._parameters(staged.batch)
        sql = statement("load/rows_changed", file=str(staged.file), **parameters)
        return one(self.cursor.execute(sql)) == 0

    def _refused_bytes(self, batch: Batch) -> int:
        sql = statement("load/refused_bytes", refused=_names(batch)["refused"])
        return one(self.cursor.execute(sql))

    def _limit(self, batch: Batch, totals: Totals) -> QuarantineLimit:
        sql = statement("load/top_reasons", refused=_names(batch)["refused"])
        reasons = [
            f"{reason} ({records}, e.g. {self.topic}[{partition}]@{offset} {message})"
            for reason, records, partition, offset, message in self.cursor.execute(sql).fetchall()
        ]
        return self.breaker.error(self.topic, totals, reasons)

    def _parameters(self, batch: Batch) -> dict[str, Any]:
        contract = self.contract
        ids = [quote_identifier(name) for name in contract.id]
        return {
            **_names(batch),
            "chunk": "chunk",
            "batch": batch.id,
            "pipeline": self.pipeline,
            "topic": self.topic,
            "table": self.table,
            "ids": ids,
            "id_text": f"concat_ws('|', {', '.join(ids)})",
            "id_names": ", ".join(contract.id),
            "content": [quote_identifier(n) for n in contract.content_columns if n not in contract.id],
            "columns": [name for name, _ in contract.ddl()],
            "event_time": quote_identifier(contract.event_time) if contract.event_time else "",
        }


def _names(batch: Batch) -> dict[str, str]:
    """The staging tables of a batch; unique, so that two batches can be alive."""
    kinds = ("staging", "hits", "repeated", "verdicts", "refused", "repeats")
    return {kind: f"{kind}_{batch.id}" for kind in kinds}


def _exact_numbers(records: pa.Table) -> pa.Table:
    """The records, with number literals too long for a double turned into texts (see digits.py)."""
    column = records["text"]
    chunks = [_exact_chunk(chunk) for chunk in column.chunks]
    index = records.schema.get_field_index("text")
    return records.set_column(index, "text", pa.chunked_array(chunks, type=pa.string()))


def _exact_chunk(chunk: pa.Array) -> pa.Array:
    rows = candidates(chunk)
    if not len(rows):
        return chunk
    texts = chunk.to_pylist()
    for row in rows:
        if texts[row] is not None:
            texts[row] = quote_long_numbers(texts[row])
    return pa.array(texts, pa.string())


def _at(records: pa.Table, offsets: pa.ChunkedArray) -> pa.Table:
    """The records at these offsets, of any partition: few, so that no join scans the whole batch."""
    if not len(offsets):
        return records.slice(0, 0)
    return records.filter(pc.is_in(records["offset"], value_set=offsets.combine_chunks()))


def _totals(batch: Batch, counts: pa.Table) -> Totals:
    names = ("consumed", "loaded", "duplicates", "quarantined", "skipped")
    sums = {name: sum(counts[name].to_pylist()) for name in names}
    covered = sum(span.end - span.begin for span in batch.spans)
    return Totals(**sums, holes=covered - sums["consumed"])


def _unwritten(error: Exception, file: Path) -> WarehouseAway:
    if isinstance(error, duckdb.Error):
        found = translated(error, str(file.parent))
        return found if isinstance(found, WarehouseAway) else WarehouseAway(str(error), address=str(file))
    return WarehouseAway(str(error), address=str(file.parent))


@contextmanager
def _phase(seconds: dict[str, float], name: str) -> Iterator[None]:
    begun = time.perf_counter()
    yield
    seconds[name] = seconds.get(name, 0.0) + time.perf_counter() - begun


@contextmanager
def _registered(cursor: duckdb.DuckDBPyConnection, **relations: pa.Table) -> Iterator[None]:
    for name, relation in relations.items():
        cursor.register(name, relation)
    try:
        yield
    finally:
        for name in relations:
            cursor.unregister(name)
