"""Stage a batch: parse and check its records into a table of the private in-memory database.

Nothing here looks at the warehouse, so it may run in a thread of its own while another batch
commits. The staging tables of a batch have names of their own.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from loader.contract import Contract
from loader.contract.digits import candidates, quote_long_numbers
from loader.contract.drift import SAMPLE, Drift, drift
from loader.errors import Restart
from loader.failpoints import fail_point
from loader.model import Batch
from loader.statements import quote_identifier, statement
from loader.warehouse.relations import registered

FEW, MUCH = 50_000, 16 << 20  # records in doubt, or refused, and their bytes, that one statement looks at
AT_ONCE = 2 << 20  # bytes of records whose fields are looked at by themselves, about
NO_IDS = pa.table({"row": pa.array([], pa.int64()), "hash": pa.array([], pa.uint64())})
TRUST = 10_000  # one text among so many that is no JSON does not make the next batch worth a closer look
DOUBT = "?"  # what the marks of records in doubt begin with


@dataclass(frozen=True, slots=True)
class Staged:
    """A batch in the staging table of `stager`; `seconds` by phase."""

    batch: Batch
    stager: Stager
    seconds: dict[str, float]
    drift: Drift
    ids: pa.Table  # `row` in the staging table and `hash` of the id, of each accepted record


class Stager:
    """Parses the batches of one pipeline, on a cursor of its own. One thread uses it at a time."""

    def __init__(self, cursor: duckdb.DuckDBPyConnection, contract: Contract) -> None:
        self._cursor: duckdb.DuckDBPyConnection | None = cursor
        self._contract = contract
        self._busy = threading.Lock()
        self._trusting: bool | None = None  # the last batch had hardly a text that only looks like JSON

    def stage(self, batch: Batch) -> Staged:
        """Parse and check. Raises Restart when closed meanwhile, duckdb.Error when memory ran out."""
        seconds = {"read": batch.seconds}
        with self._busy, phase(seconds, "parse"):
            if self._cursor is None:
                message = "the warehouse was opened anew"
                raise Restart(message)
            found = drift(self._contract.places, batch.records)
            if self._trusting is None:
                self._trusting = found.looked_at == min(SAMPLE, batch.records.num_rows)
            self._parse(self._cursor, batch)
            ids = self._ids(self._cursor, batch)
        fail_point("after_parse")
        return Staged(batch, self, seconds, found, ids)

    def _ids(self, cursor: duckdb.DuckDBPyConnection, batch: Batch) -> pa.Table:
        if self._contract.duplicates == "off":
            return NO_IDS
        ids = [quote_identifier(name) for name in self._contract.id]
        sql = statement("load/staged_ids", staging=names(batch)["staging"], ids=ids)
        return cursor.execute(sql).to_arrow_table()

    def _parse(self, cursor: duckdb.DuckDBPyConnection, batch: Batch) -> None:
        """The quick look, the exact statement for what it left, and the reasons of what was refused."""
        contract = self._contract
        records, staging = _exact_numbers(batch.records, contract), names(batch)["staging"]
        quick = contract.quick_parameters("chunk", staging, trusting=bool(self._trusting))
        if quick is None:
            with registered(cursor, chunk=self._spread(records)):
                cursor.execute(statement("load/parse", **contract.parse_parameters("chunk", staging)))
        else:
            with registered(cursor, chunk=records):
                cursor.execute(statement("load/parse_quick", **quick))
            marks = _marks(cursor, staging)
            self._trusting = marks.get("json", 0) * TRUST <= records.num_rows
            doubts = [mark for mark in marks if mark.startswith(DOUBT)]
            if doubts:
                self._look_closer(cursor, _marked(cursor, records, staging, DOUBT), staging, doubts)
        self._explain(cursor, records, staging)

    def _look_closer(
        self, cursor: duckdb.DuckDBPyConnection, records: pa.Table, staging: str, doubts: list[str]
    ) -> None:
        """Decide about the records that the quick look left in doubt."""
        parameters = self._contract.parse_parameters("chunk", staging, more=True, doubts=doubts)
        cursor.execute(statement("load/drop_doubtful", staging=staging))
        for some in _pieces(records):
            with registered(cursor, chunk=some):
                cursor.execute(statement("load/parse", **parameters))

    def _explain(self, cursor: duckdb.DuckDBPyConnection, records: pa.Table, staging: str) -> None:
        """Give the refused records their reasons."""
        if not (marks := list(_marks(cursor, staging))):
            return
        parameters = self._contract.explain_parameters("chunk", staging, marks)
        much = AT_ONCE if self._contract.unknown_fields == "refuse" else MUCH
        for some in _pieces(_marked(cursor, records, staging), much):
            with registered(cursor, chunk=some):
                cursor.execute(statement("load/explain", **parameters))

    def _spread(self, records: pa.Table) -> pa.Table:
        """The records in chunks of a few MB, where each field of them may be looked at by itself.

        DuckDB takes a chunk at a time, and what it makes of its thousands of fields is many times the text.
        """
        if self._contract.unknown_fields == "ignore" or not records.num_rows:
            return records
        return pa.concat_tables(_pieces(records, AT_ONCE))

    def close(self) -> None:
        """Close the cursor, once a batch that is being parsed is done with."""
        with self._busy:
            if self._cursor is not None:
                self._cursor.close()
                self._cursor = None


def names(batch: Batch) -> dict[str, str]:
    """The staging tables of a batch; unique, so that two batches can be alive."""
    kinds = ("staging", "suspects", "hits", "verdicts", "refused", "outcomes")
    return {kind: f"{kind}_{batch.id}" for kind in kinds}


def _marks(cursor: duckdb.DuckDBPyConnection, staging: str) -> dict[str, int]:
    """How many records each mark has; good records have none."""
    return dict(cursor.execute(statement("load/marks", staging=staging)).fetchall())


def _marked(cursor: duckdb.DuckDBPyConnection, records: pa.Table, staging: str, begin: str = "") -> pa.Table:
    """The records whose mark begins so."""
    sql = statement("load/marked", staging=staging, pattern=f"{begin}%")
    return at_positions(records, cursor.execute(sql).to_arrow_table())


def at_positions(records: pa.Table, positions: pa.Table) -> pa.Table:
    """The records at these positions (partition, offset), all of which are there, in their order.

    Without a join over the whole batch, and without joining its pieces: it costs what these few do.
    """
    partition, offset = (np.asarray(records[name]) for name in ("partition", "offset"))
    wanted, at = (np.asarray(positions[name]) for name in ("partition", "offset"))
    mask = np.zeros(records.num_rows, np.bool_)
    for each in np.unique(wanted):
        here = np.flatnonzero(partition == each)
        here = here[np.argsort(offset[here], kind="stable")]  # as good as sorted
        mask[here[np.searchsorted(offset[here], at[wanted == each])]] = True
    return pa.Table.from_batches(_masked(records, mask), records.schema)


def _masked(records: pa.Table, mask: npt.NDArray[np.bool_]) -> Iterator[pa.RecordBatch]:
    """What the mask leaves of each piece, where that is anything."""
    begin = 0
    for piece in records.to_batches():
        of_piece = mask[begin : begin + piece.num_rows]
        if of_piece.any():
            yield piece.filter(pa.array(of_piece))
        begin += piece.num_rows


def _pieces(records: pa.Table, much: int = MUCH) -> Iterator[pa.Table]:
    """The records, few at a time: what is dear for each of them must fit into DuckDB's memory."""
    bytes_ = np.cumsum(pc.fill_null(pc.binary_length(records["value"]), 0), dtype=np.int64)
    begin, done = 0, 0
    while begin < records.num_rows:
        end = int(np.searchsorted(bytes_, done + much, side="right"))
        end = min(max(end, begin + 1), begin + FEW)
        yield records.slice(begin, end - begin)
        begin, done = end, int(bytes_[end - 1])


def _exact_numbers(records: pa.Table, contract: Contract) -> pa.Table:
    """The records, with number literals that a double would change turned into texts (see digits.py)."""
    chunks = [_exact_chunk(chunk, texts=contract.keeps_texts) for chunk in records["text"].chunks]
    index = records.schema.get_field_index("text")
    return records.set_column(index, "text", pa.chunked_array(chunks, type=pa.string()))


def _exact_chunk(chunk: pa.Array, *, texts: bool) -> pa.Array:
    rows = candidates(chunk, texts=texts)
    if not len(rows):
        return chunk
    found = chunk.take(pa.array(rows)).to_pylist()
    changed = [text if text is None else quote_long_numbers(text, texts=texts) for text in found]
    mask = np.zeros(len(chunk), np.bool_)
    mask[rows] = True
    return pc.replace_with_mask(chunk, mask, pa.array(changed, pa.string()))


@contextmanager
def phase(seconds: dict[str, float], name: str) -> Iterator[None]:
    """Add the seconds that the block takes to the phase's."""
    begun = time.perf_counter()
    yield
    seconds[name] = seconds.get(name, 0.0) + time.perf_counter() - begun
