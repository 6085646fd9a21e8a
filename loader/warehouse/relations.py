"""Arrow tables as relations of DuckDB's statements."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import duckdb
import pyarrow as pa


@contextmanager
def registered(cursor: duckdb.DuckDBPyConnection, **relations: pa.Table) -> Iterator[None]:
    """Let the cursor's statements see Arrow tables by these names."""
    for name, relation in relations.items():
        cursor.register(name, _relations()(relation))
    try:
        yield
    finally:
        for name in relations:
            cursor.unregister(name)


@cache
def _relations() -> type:
    """Tables that are scanned by the thread that asks for their rows.

    DuckDB scans a table through Arrow's pool of threads: more CPU for nothing, and where the system
    starts no more threads (memory, a limit of processes) the scan waits for ever instead of failing.
    """
    import pyarrow.dataset as arrow_dataset  # noqa: PLC0415 - a load with nothing new needs none

    class Relation(arrow_dataset.InMemoryDataset):  # type: ignore[misc]  # pyarrow comes without types
        def scanner(self, **options: Any) -> arrow_dataset.Scanner:
            """What DuckDB asks for, with the columns and the filter it needs."""
            return super().scanner(use_threads=False, **options)

    return Relation
