"""The same folder on another machine, at another time, and values that look like paths."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from loader import model
from loader.config import Config
from loader.model import Identity
from loader.warehouse.reading import Reader
from loader.warehouse.store import DuckWarehouse
from loader.warehouse.verify import checks
from tests.making import KINDS, batch, make_config, order, prepared

HOUR = 3_600 * 10**9  # nanoseconds
IDENTITY = Identity("cluster", "orders", "topic-id", 1)


def load(config: Config, begin: int, count: int) -> None:
    """One process's work: open, commit one batch, close."""
    warehouse = DuckWarehouse(config)
    if not warehouse.recorded():
        warehouse.record(IDENTITY, {0: 0})
    values = [order(number) for number in range(begin, begin + count)]
    warehouse.commit(warehouse.split(warehouse.stage(batch((0, begin, values)))))
    warehouse.close()


def sound(config: Config, rows: int) -> list[tuple[int, str]]:
    """`verify` is true, every row is there; sequence and worker of each batch, in the order of their ids."""
    with Reader(config) as reader:
        assert [check for check in checks(reader) if check.status != "ok"] == []
        assert reader.home.execute("SELECT count(*) FROM lake.orders").fetchone() == (rows,)
        return reader.home.execute("SELECT seq, worker FROM lake.loader.batches ORDER BY batch").fetchall()


@pytest.mark.fault(10)
@pytest.mark.parametrize("kind", KINDS)
def test_another_host_and_process_go_on(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who committed stands in the ledger and decides nothing: the same process id elsewhere is nobody."""
    config = make_config(tmp_path, kind)
    prepared(config, load, 0, 100)
    monkeypatch.setattr(socket, "gethostname", lambda: "elsewhere")
    load(config, 100, 100)
    assert [worker for _, worker in sound(config, 200)] == [
        f"{name}:{os.getpid()}" for name in (os.uname().nodename, "elsewhere")
    ]


@pytest.mark.fault(10, 53)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("jump", [-HOUR, HOUR, -10_000 * HOUR])
def test_a_clock_that_jumps_changes_nothing(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch, jump: int
) -> None:
    """Ids of batches follow the clock, what counts is the head: no batch is lost, doubled or out of turn."""
    config, now = make_config(tmp_path, kind), time.time_ns

    def jumped() -> int:
        return now() + jump

    prepared(config, load, 0, 100)
    clock: Callable[[], int] = jumped
    monkeypatch.setattr(model.time, "time_ns", clock)
    load(config, 100, 100)
    monkeypatch.undo()
    load(config, 200, 100)
    seqs = [seq for seq, _ in sound(config, 300)]
    first, second, third = sorted(seqs)
    assert seqs == ([second, first, third] if jump < 0 else [first, third, second])


@pytest.mark.fault(61)
@pytest.mark.parametrize("kind", KINDS)
def test_values_are_never_parts_of_a_path(tmp_path: Path, kind: str) -> None:
    """Ids that look like paths are loaded and found; every file is where files of the warehouse are."""
    hostile = [
        "../../../tmp/x",
        "/etc/passwd",
        "a/../b",
        "order_id=1/x.parquet",
        ".",
        "..",
        "%2e%2e%2f",
        "'; --",
    ]
    ids = [*hostile, *(f"../{number}" for number in range(100))]  # enough for a file of their own
    home = tmp_path / "home"
    config = make_config(home, kind)
    warehouse = DuckWarehouse(config)
    warehouse.record(IDENTITY, {0: 0})
    values: list[bytes | None] = [order(0, order_id=id_) for id_ in ids]
    warehouse.commit(warehouse.split(warehouse.stage(batch((0, 0, values)))))
    warehouse.close()
    with Reader(config) as reader:
        found = {row[0] for row in reader.home.execute("SELECT order_id FROM lake.orders").fetchall()}
    assert found == set(ids)
    assert [path.name for path in tmp_path.iterdir()] == ["home"]
    files = {path.relative_to(home).as_posix() for path in home.rglob("*.parquet")}
    assert all(file.startswith("data/main/orders/loader-") for file in files)
    assert bool(files) == (kind == "ducklake")
