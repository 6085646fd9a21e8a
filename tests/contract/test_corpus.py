"""The corpus through both warehouses: every record ends as its file says, also when it is sent again."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from loader.model import CHUNK_SCHEMA, Batch, Identity, Span, new_batch_id
from loader.warehouse.reading import Reader
from loader.warehouse.store import DuckWarehouse
from loader.warehouse.verify import checks
from tests.corpus import FILES, Case, found, read
from tests.making import KINDS, begin, make_config
from tests.oracle import Store, database, lake


def as_batch(case: Case, first: int, last: int) -> Batch:
    """The records of a case from `first` to before `last`, as the reader hands them over."""
    rows = [_row(offset, case.messages[offset]) for offset in range(first, last)]
    return Batch(new_batch_id(), (Span(0, first, last),), pa.Table.from_pylist(rows, CHUNK_SCHEMA))


def _row(offset: int, message: Any) -> dict[str, Any]:
    return {
        "partition": 0,
        "offset": offset,
        "kafka_time": message.timestamp,
        "key": message.key,
        "value": message.value,
        "text": _text(message.value),
        "headers": [{"key": key, "value": value} for key, value in message.headers] or None,
    }


def _text(value: bytes | None) -> str | None:
    """The reader's part: valid UTF-8 that is not framed."""
    try:
        return None if value is None or (len(value) >= 5 and value[0] == 0) else value.decode()
    except UnicodeDecodeError:
        return None


def opened(folder: Path, kind: str) -> Store:
    """The warehouse by plain DuckDB."""
    return lake(folder / "catalog.sqlite") if kind == "ducklake" else database(folder / "warehouse.duckdb")


def test_the_corpus_is_large_enough() -> None:
    """At least 150 records, and none without an outcome."""
    assert sum(len(read(name).outcomes) for name in FILES) >= 150


@pytest.mark.parametrize("batches", [1, 3])
@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.fault(41)
def test_every_record_ends_as_the_corpus_says(kind: str, name: str, batches: int, tmp_path: Path) -> None:
    """Loaded with this value, refused for these reasons, duplicate or skipped; and the balance holds."""
    case = read(name)
    config = make_config(
        tmp_path, kind, table={"id": [], "event_time": None, **case.table}, kafka={"topic": "corpus"}
    )
    begin(config, Identity("cluster", "corpus", "topic-id", 1), {0: 0})
    warehouse = DuckWarehouse(config, accept_quarantine=True)
    bounds = [len(case.messages) * n // batches for n in range(batches + 1)]
    for first, last in pairwise(bounds):
        warehouse.commit(warehouse.split(warehouse.stage(as_batch(case, first, last))))
    warehouse.close()
    with opened(tmp_path, kind) as store:
        assert found(store, case) == case.outcomes
    with Reader(config) as reader:
        verdicts = {check.name: check.status for check in checks(reader)}
    assert set(verdicts.values()) <= {"ok", "skipped"}
    assert (verdicts["ids"] == "skipped") == (case.table.get("duplicates") == "off")
