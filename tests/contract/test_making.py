"""A copied warehouse is as good as one that was made: tests that share a scene are made of copies."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from loader.model import Identity, Totals
from loader.warehouse.attach import connect
from loader.warehouse.owners import other_owners
from loader.warehouse.reading import Reader
from loader.warehouse.store import DuckWarehouse
from loader.warehouse.verify import checks
from tests.making import KINDS, ORDER_COLUMNS, batch, begin, copied, make_config, order


@pytest.mark.parametrize("kind", KINDS)
def test_a_copy_stands_by_itself(tmp_path: Path, kind: str) -> None:
    """It names nothing of the first, is proved and loaded on when that is gone; the first has not changed."""
    first, folder = tmp_path / "first", tmp_path / "copy"
    first.mkdir()
    config = make_config(first, kind, limits={"quarantine": 1.0})
    with closing(DuckWarehouse(config)) as warehouse:
        warehouse.record(Identity("cluster", "orders", "topic-id", 1), {0: 0})
        for made in (batch((0, 0, [order(n) for n in range(100)])), batch((0, 100, [order(1), b"{"]))):
            warehouse.commit(warehouse.split(warehouse.stage(made)))
    before = {path: path.read_bytes() for path in first.rglob("*") if path.is_file()}
    copy = copied(config, folder)
    assert {path: path.read_bytes() for path in first.rglob("*") if path.is_file()} == before
    assert copy.warehouse.file.parent == folder
    assert other_owners(copy.warehouse.data_path, copy.warehouse.file) == []
    if kind == "ducklake":
        with closing(sqlite3.connect(copy.warehouse.file)) as catalogue:
            told = "\n".join(catalogue.iterdump())
        assert f"{folder}/data/main/orders/loader-" in told
        assert str(first) not in told
    shutil.rmtree(first)
    with closing(DuckWarehouse(copy)) as warehouse:
        sent = batch((0, 102, [order(7), order(8, amount=1), order(500)]))
        receipt = warehouse.commit(warehouse.split(warehouse.stage(sent)))
        assert receipt.totals == Totals(consumed=3, loaded=1, duplicates=1, quarantined=1)
    with Reader(copy) as reader:
        assert {check.status for check in checks(reader)} == {"ok"}
    with connect(copy.warehouse, read_only=True) as home:
        assert home.execute("SELECT count(*), max(_offset) FROM lake.orders").fetchone() == (101, 104)


def test_what_is_prepared_is_of_this_table(tmp_path: Path) -> None:
    """Of two pipelines that differ in a column only, each gets a warehouse of its own; both have begun."""
    for name, column in (("one", "VARCHAR"), ("two", "BIGINT"), ("three", "VARCHAR")):
        (tmp_path / name).mkdir()
        table = {"columns": {**ORDER_COLUMNS, "note": {"type": column, "required": False}}}
        config = make_config(tmp_path / name, "duckdb", table=table)
        begin(config, Identity("cluster", "orders", "topic-id", 1), {0: 7})
        with closing(DuckWarehouse(config)) as warehouse:
            assert warehouse.offsets()[0].offset == 7
        with connect(config.warehouse, read_only=True) as home:
            types = dict(row[:2] for row in home.execute("DESCRIBE lake.main.orders").fetchall())
        assert types["note"] == column
