"""Arrow tables as relations of DuckDB's statements."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.dataset as arrow_dataset


@contextmanager
def registered(cursor: duckdb.DuckDBPyConnection, **relations: pa.Table) -> Iterator[None]:
    """Let the cursor's statements see Arrow tables by these names."""
    for name, relation in relations.items():
        cursor.register(name, _Relation(relation))
    try:
        yield
    finally:
        for name in relations:
            cursor.unregister(name)


class _Relation(arrow_dataset.InMemoryDataset):  # type: ignore[misc]  # pyarrow comes without types
    """A table that is scanned by the thread that asks for its rows.

    DuckDB scans a table through Arrow's pool of threads: more CPU for nothing, and where the system
    starts no more threads (memory, a limit of processes) the scan waits for ever instead of failing.
    """

    def scanner(self, **options: Any) -> arrow_dataset.Scanner:
        """What DuckDB asks for, with the columns and the filter it needs."""
        return super().scanner(use_threads=False, **options)
