"""Stage a batch: parse and check its records into a table of the private in-memory database.

Nothing here looks at the warehouse, so it may run in a thread of its own while another batch
commits. The staging tables of a batch have names of their own.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from loader.contract import Contract
from loader.contract.digits import candidates, quote_long_numbers
from loader.errors import Restart
from loader.failpoints import fail_point
from loader.model import Batch
from loader.statements import statement


@dataclass(frozen=True, slots=True)
class Staged:
    """A batch in the staging table of `stager`; `seconds` by phase."""

    batch: Batch
    stager: Stager
    seconds: dict[str, float] = field(default_factory=dict)


class Stager:
    """Parses the batches of one pipeline, on a cursor of its own. One thread uses it at a time."""

    def __init__(self, cursor: duckdb.DuckDBPyConnection, contract: Contract) -> None:
        self._cursor: duckdb.DuckDBPyConnection | None = cursor
        self._contract = contract
        self._busy = threading.Lock()

    def stage(self, batch: Batch) -> Staged:
        """Parse and check. Raises Restart when closed meanwhile, duckdb.Error when memory ran out."""
        seconds: dict[str, float] = {}
        with self._busy, phase(seconds, "parse"):
            if self._cursor is None:
                message = "the warehouse was opened anew"
                raise Restart(message)
            self._parse(self._cursor, batch)
        fail_point("after_parse")
        return Staged(batch, self, seconds)

    def _parse(self, cursor: duckdb.DuckDBPyConnection, batch: Batch) -> None:
        records, staging = _exact_numbers(batch.records), names(batch)["staging"]
        with registered(cursor, chunk=records):
            cursor.execute(statement("load/parse", **self._contract.parse_parameters("chunk", staging)))
        found = cursor.execute(statement("load/unexplained_offsets", staging=staging))
        if len(offsets := found.to_arrow_table()["_offset"]):
            with registered(cursor, chunk=at_offsets(records, offsets)):
                cursor.execute(statement("load/parse", **self._contract.explain_parameters("chunk", staging)))

    def close(self) -> None:
        """Close the cursor, once a batch that is being parsed is done with."""
        with self._busy:
            if self._cursor is not None:
                self._cursor.close()
                self._cursor = None


def names(batch: Batch) -> dict[str, str]:
    """The staging tables of a batch; unique, so that two batches can be alive."""
    kinds = ("staging", "hits", "repeated", "verdicts", "refused", "repeats")
    return {kind: f"{kind}_{batch.id}" for kind in kinds}


def at_offsets(records: pa.Table, offsets: pa.ChunkedArray) -> pa.Table:
    """The records at these offsets, of any partition: few, so that no join scans the whole batch."""
    if not len(offsets):
        return records.slice(0, 0)
    return records.filter(pc.is_in(records["offset"], value_set=offsets.combine_chunks()))


def _exact_numbers(records: pa.Table) -> pa.Table:
    """The records, with number literals too long for a double turned into texts (see digits.py)."""
    chunks = [_exact_chunk(chunk) for chunk in records["text"].chunks]
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


@contextmanager
def phase(seconds: dict[str, float], name: str) -> Iterator[None]:
    """Add the seconds that the block takes to the phase's."""
    begun = time.perf_counter()
    yield
    seconds[name] = seconds.get(name, 0.0) + time.perf_counter() - begun


@contextmanager
def registered(cursor: duckdb.DuckDBPyConnection, **relations: pa.Table) -> Iterator[None]:
    """Let the cursor's statements see Arrow tables by these names."""
    for name, relation in relations.items():
        cursor.register(name, relation)
    try:
        yield
    finally:
        for name in relations:
            cursor.unregister(name)
