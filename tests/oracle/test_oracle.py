"""The judge is judged: a sound warehouse passes, and each single fault is found under its own name."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING

import duckdb
import pytest

from tests.oracle import Counts, Record, check_exact, database, lake
from tests.oracle.equal import same
from tests.oracle.store import extension_file

if TYPE_CHECKING:
    from pathlib import Path

    from tests.oracle import Store

SOUND = """
CREATE SCHEMA loader;
CREATE TABLE orders (order_id VARCHAR, amount DECIMAL(18,2), "timestamp" TIMESTAMPTZ,
                     _partition INTEGER, _offset BIGINT, _batch BIGINT);
INSERT INTO orders VALUES ('A', 1.50, '2026-03-03T10:30:00Z', 0, 0, 1), ('B', 2, NULL, 0, 4, 1);
CREATE TABLE loader.offsets (partition INTEGER, next_offset BIGINT, baseline BIGINT);
INSERT INTO loader.offsets VALUES (0, 5, 0), (1, 7, 7);
CREATE TABLE loader.spans (partition INTEGER, begin_offset BIGINT, end_offset BIGINT,
                           consumed BIGINT, loaded BIGINT, duplicates BIGINT, quarantined BIGINT,
                           skipped BIGINT, holes BIGINT);
INSERT INTO loader.spans VALUES (0, 0, 2, 2, 1, 0, 1, 0, 0), (0, 2, 5, 2, 1, 1, 0, 0, 1);
CREATE TABLE loader.quarantine (partition INTEGER, "offset" BIGINT, value BLOB, state VARCHAR);
INSERT INTO loader.quarantine VALUES (0, 1, 'not json'::BLOB, 'open');
CREATE TABLE loader.duplicates (partition INTEGER, "offset" BIGINT, id VARCHAR);
INSERT INTO loader.duplicates VALUES (0, 2, 'A');
"""
"""Offset 3 is a hole (the marker of a transaction); partition 1 is empty and begins at 7."""

A = {"order_id": "A", "amount": 1.5, "timestamp": "2026-03-03T10:30:00", "more": True}
TOPIC = [
    Record(0, 0, b"A", json.dumps(A).encode(), 0),
    Record(0, 1, None, b"not json", 0),
    Record(0, 2, b"A", json.dumps(A).encode(), 0),
    Record(0, 4, b"B", b'{"order_id": "B", "amount": 2.00}', 0),
]

FAULTS = {
    "a lost row": ("DELETE FROM orders WHERE order_id = 'B'", "O1: lost"),
    "a lost refusal": ("DELETE FROM loader.quarantine", "O1: lost"),
    "a position that stands behind": ("UPDATE loader.offsets SET next_offset = 4 WHERE partition = 0", "O1"),
    "a duplicate of nothing": ("UPDATE loader.duplicates SET id = 'Z'", "O1: duplicates"),
    "an id twice": ("UPDATE orders SET order_id = 'A'", "O2: order_id"),
    "a place twice": ("UPDATE orders SET _offset = 0", r"O2: \(partition, offset\)"),
    "a row that is also refused": (
        "INSERT INTO loader.quarantine VALUES (0, 4, 'x'::BLOB, 'open')",
        "O2: both",
    ),
    "a row that is also a duplicate": ("INSERT INTO loader.duplicates VALUES (0, 4, 'B')", "O2: in two"),
    "a ghost": ("INSERT INTO orders VALUES ('C', 1, NULL, 0, 3, 1)", "O3"),
    "rounded money": ("UPDATE orders SET amount = 1.51 WHERE order_id = 'A'", "O4: at"),
    "a shifted time": (
        "UPDATE orders SET timestamp = timestamp + INTERVAL 1 hour WHERE order_id = 'A'",
        "O4: at",
    ),
    "a changed letter": ("UPDATE loader.quarantine SET value = 'not JSON'::BLOB", "O4: bytes"),
    "an overlap": ("UPDATE loader.spans SET begin_offset = 1 WHERE begin_offset = 2", "O5: partition"),
    "a baseline elsewhere": (
        "UPDATE loader.spans SET begin_offset = 1 WHERE begin_offset = 0",
        "O5: partition",
    ),
    "a wrong sum": ("UPDATE loader.spans SET loaded = 2 WHERE begin_offset = 2", "O5: the ledger"),
    "a hole not counted": ("UPDATE loader.spans SET holes = 0", "O5: consumed and holes"),
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A sound warehouse in a DuckDB file."""
    path = tmp_path / "w.duckdb"
    _execute(path, SOUND)
    return path


def test_a_sound_warehouse_passes(file: Path) -> None:
    """Rows, a duplicate, a refusal and a hole that agree with the topic are accepted and counted."""
    with database(file) as store:
        assert check_exact(TOPIC, store) == Counts(loaded=2, duplicates=1, quarantined=1, skipped=0)


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_found(file: Path, fault: str) -> None:
    """One change to a sound warehouse is refused, under the name of the fact that it breaks."""
    change, name = FAULTS[fault]
    _execute(file, change)
    with database(file) as store, pytest.raises(AssertionError, match=name):
        check_exact(TOPIC, store)


def test_records_behind_the_position_are_lost_only_when_caught_up(file: Path) -> None:
    """A record that nobody has read yet is a fault only where the test says that all was read."""
    topic = [*TOPIC, Record(0, 5, None, b"{}", 0)]
    with database(file) as store:
        assert check_exact(topic, store, caught_up=False).loaded == 2
        with pytest.raises(AssertionError, match="O1: records beyond"):
            check_exact(topic, store)


def test_a_lake_is_read_without_downloading(tmp_path: Path) -> None:
    """A DuckLake on SQLite opens read-only with the extensions of the wheels alone."""
    with duckdb.connect() as connection:
        for name in ("sqlite_scanner", "ducklake"):
            connection.execute(f"LOAD '{extension_file(name)}'")
        options = f"DATA_PATH '{tmp_path}/data/', META_JOURNAL_MODE 'WAL'"
        connection.execute(f"ATTACH 'ducklake:sqlite:{tmp_path}/c.sqlite' AS w ({options})")
        connection.execute("CREATE TABLE w.orders AS SELECT 1 AS n")
        with lake(tmp_path / "c.sqlite") as store:
            _holds_one_row(store)
    with lake(tmp_path / "c.sqlite", tmp_path / "data") as store:
        _holds_one_row(store)
        with pytest.raises(duckdb.Error, match="read-only"):
            store.rows("INSERT INTO orders VALUES (2)")


@pytest.mark.parametrize(
    ("stored", "sent", "equal"),
    [
        (Decimal("250.00"), 250, True),
        (Decimal("0.10"), Decimal("0.1"), True),
        (Decimal("0.10"), Decimal("0.1000000000000000055"), False),
        (None, 0, False),
        (0, None, False),
        (True, 1, False),
        ({"sku": "x", "price": Decimal(1)}, {"sku": "x", "price": 1, "more": 2}, True),
        ([{"sku": "x"}], [], False),
        ("7", 7, True),
    ],
)
def test_values_are_compared_as_numbers_and_times(stored: object, sent: object, equal: bool) -> None:
    """Equal means the same number or moment, whatever its notation; nothing missing equals a zero."""
    assert same(stored, sent) is equal


def _holds_one_row(store: Store) -> None:
    assert store.table("orders") == [{"n": 1}]
    assert store.has_table("orders")
    assert not store.has_table("loader.offsets")


def _execute(path: Path, sql: str) -> None:
    with duckdb.connect(str(path)) as connection:
        connection.execute(sql)
