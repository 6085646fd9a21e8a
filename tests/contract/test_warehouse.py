"""One suite for every warehouse: DuckLake, DuckDB file, and the shipped fake."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from loader import failpoints
from loader.errors import HeadMoved, OffsetsMoved, Restart
from loader.model import CHUNK_SCHEMA, Batch, Identity, Position, Receipt, Span, Totals, new_batch_id
from loader.testing.warehouse import MemoryWarehouse, Shared
from loader.warehouse import store
from loader.warehouse.attach import connect
from loader.warehouse.reading import Reader
from loader.warehouse.store import DuckWarehouse
from loader.warehouse.transaction import CommitFailed
from loader.warehouse.verify import checks
from tests.making import KINDS, batch, begin, make_config, order
from tests.oracle import database, lake

TABLES = ("main.orders", "loader.quarantine", "loader.duplicates", "loader.batches")
IDENTITY = Identity("cluster", "orders", "topic-id", 2)


@dataclass
class Bench:
    """A warehouse under test, how to open another worker on it, and its rows by plain DuckDB."""

    warehouse: Any
    open_again: Callable[[], Any]
    ids: Callable[[], list[str]]
    shares: bool  # whether two workers can be open at once


@pytest.fixture(params=["memory", "ducklake", "duckdb"])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    """A new warehouse with offsets recorded for two partitions: 0 from 0, 1 from 5."""
    opened: list[Any] = []
    if request.param == "memory":
        shared = Shared()

        def open_again() -> Any:
            return MemoryWarehouse(shared)

        def ids() -> list[str]:
            return sorted(shared.rows)
    else:
        config = make_config(tmp_path, request.param)
        begin(config, IDENTITY, {0: 0, 1: 5})

        def open_again() -> Any:
            opened.append(DuckWarehouse(config))
            return opened[-1]

        def ids() -> list[str]:
            for warehouse in opened:
                warehouse.close()
            store = (
                lake(tmp_path / "catalog.sqlite")
                if request.param == "ducklake"
                else database(tmp_path / "warehouse.duckdb")
            )
            with store:
                return sorted(row["order_id"] for row in store.table("orders"))

    warehouse = open_again()
    if request.param == "memory":
        warehouse.record(IDENTITY, {0: 0, 1: 5})
    assert warehouse.recorded() == IDENTITY  # a worker looks before it does anything
    yield Bench(warehouse, open_again, ids, shares=request.param != "duckdb")
    for each in opened:
        each.close()


def commit(warehouse: Any, made: Batch) -> Receipt:
    """Take a batch all the way."""
    staged = warehouse.stage(made)
    receipt: Receipt = warehouse.commit(warehouse.split(staged))
    warehouse.discard(staged)
    return receipt


def test_identity_and_offsets_are_recorded_once(bench: Bench) -> None:
    """The first offsets are durable before any batch, and a second worker cannot record them again."""
    assert bench.warehouse.recorded() == IDENTITY
    assert bench.warehouse.offsets() == {0: Position(0), 1: Position(5)}
    with pytest.raises(HeadMoved):
        bench.warehouse.record(IDENTITY, {0: 7})
    assert bench.warehouse.offsets()[0] == Position(0)


def test_a_batch_moves_rows_and_offsets_together(bench: Bench) -> None:
    """After commit the rows are there, and the offsets are the ends of the spans, holes included."""
    staged = bench.warehouse.stage(batch((0, 0, [order(1), order(2)]), (1, 5, [order(3)]), holes=2))
    assert bench.warehouse.offsets() == {0: Position(0), 1: Position(5)}
    receipt = bench.warehouse.commit(bench.warehouse.split(staged))
    assert receipt.totals == Totals(consumed=3, loaded=3, holes=4)
    assert bench.warehouse.offsets() == {0: Position(4, 0), 1: Position(8, 0)}
    assert bench.ids() == ["ORD000001", "ORD000002", "ORD000003"]


@pytest.mark.fault(44)
def test_twins_are_counted_and_conflicts_refused(bench: Bench) -> None:
    """Same id, same content: duplicate. Same id, other content: quarantined. In one batch and across."""
    first = [order(1), order(1), order(1, amount=9.99)]
    receipt = commit(bench.warehouse, batch((0, 0, first)))
    assert receipt.totals == Totals(consumed=3, loaded=1, duplicates=1, quarantined=1)
    second = [order(1), order(1, amount=9.99), order(2)]
    receipt = commit(bench.warehouse, batch((1, 5, second)))
    assert receipt.totals == Totals(consumed=3, loaded=1, duplicates=1, quarantined=1)
    assert bench.ids() == ["ORD000001", "ORD000002"]


def test_an_unreadable_record_is_quarantined(bench: Bench) -> None:
    """A record that is no JSON object, and a null value, do not fail the batch."""
    receipt = commit(bench.warehouse, batch((0, 0, [b"{", None, order(1)])))
    assert receipt.totals == Totals(consumed=3, loaded=1, quarantined=2)


def test_a_batch_without_records_moves_the_offsets(bench: Bench) -> None:
    """Only holes (control records) is progress too."""
    receipt = commit(bench.warehouse, batch((0, 0, []), holes=3))
    assert receipt.totals == Totals(holes=3)
    assert bench.warehouse.offsets()[0] == Position(3, 0)


@pytest.mark.fault(44)
def test_the_head_refuses_what_was_split_before_another_commit(bench: Bench) -> None:
    """A batch that was split before another commit is refused, and passes after a new split."""
    staged = bench.warehouse.stage(batch((0, 0, [order(1), order(2)])))
    stale = bench.warehouse.split(staged)
    commit(bench.warehouse, batch((1, 5, [order(1)])))
    with pytest.raises(HeadMoved):
        bench.warehouse.commit(stale)
    receipt = bench.warehouse.commit(bench.warehouse.split(staged, stale))
    assert receipt.totals == Totals(consumed=2, loaded=1, duplicates=1)
    assert bench.ids() == ["ORD000001", "ORD000002"]


@pytest.mark.fault(14)
def test_a_zombie_cannot_commit(bench: Bench) -> None:
    """Who comes late with spans that were committed already is refused, and nothing changes."""
    zombie = bench.open_again() if bench.shares else bench.warehouse
    staged = zombie.stage(batch((0, 0, [order(1)])))
    late = zombie.split(staged)
    commit(bench.warehouse, batch((0, 0, [order(1)])))
    with pytest.raises(HeadMoved):
        zombie.commit(late)
    with pytest.raises(OffsetsMoved):
        zombie.commit(zombie.split(staged, late))
    zombie.discard(staged)
    assert bench.ids() == ["ORD000001"]


@pytest.mark.fault(44)
def test_what_was_committed_is_there_after_a_restart(bench: Bench) -> None:
    """A new worker goes on where the last one committed, and knows its ids."""
    commit(bench.warehouse, batch((0, 0, [order(1)])))
    bench.warehouse.close()
    again = bench.open_again()
    assert again.recorded() == IDENTITY
    assert again.offsets() == {0: Position(1, 0), 1: Position(5)}
    receipt = commit(again, batch((0, 1, [order(1)])))
    assert receipt.totals == Totals(consumed=1, duplicates=1)


@pytest.mark.fault(44)
def test_the_next_batch_is_staged_while_one_commits(bench: Bench) -> None:
    """Two batches can be alive: the later one, staged before the first commits, still sees its ids."""
    first, second = batch((0, 0, [order(1)])), batch((0, 1, [order(1), order(2)]))
    staged = [bench.warehouse.stage(first), bench.warehouse.stage(second)]
    bench.warehouse.commit(bench.warehouse.split(staged[0]))
    receipt = bench.warehouse.commit(bench.warehouse.split(staged[1]))
    assert receipt.totals == Totals(consumed=2, loaded=1, duplicates=1)


def test_an_accepted_loss_moves_the_offset_and_loads_nothing(bench: Bench) -> None:
    """A gap is a batch of holes: fenced and compared like any other; loading goes on behind it."""
    nothing = pa.Table.from_batches([], schema=CHUNK_SCHEMA)
    gap = Batch(new_batch_id(), (Span(0, 0, 40), Span(1, 5, 6)), nothing, "accept")
    receipt = commit(bench.warehouse, gap)
    assert (receipt.kind, receipt.totals) == ("accept", Totals(holes=41))
    assert bench.warehouse.offsets() == {0: Position(40), 1: Position(6)}
    with pytest.raises(OffsetsMoved):
        commit(bench.warehouse, Batch(new_batch_id(), gap.spans, nothing, "accept"))
    assert commit(bench.warehouse, batch((0, 40, [order(1)]))).totals == Totals(consumed=1, loaded=1)
    assert bench.ids() == ["ORD000001"]


@pytest.mark.fault(47)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("is_in", [True, False])
def test_an_unknown_outcome_is_settled_by_a_write(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch, *, is_in: bool
) -> None:
    """COMMIT fails, with effect or without: the answer is right, and no commit from before can come later."""
    committing = store.commit

    def failing(*words: Any, **facts: Any) -> Receipt:
        if is_in:
            committing(*words, **facts)
        raise CommitFailed("the disk was gone for a moment")

    config = make_config(tmp_path, kind)
    begin(config, IDENTITY, {0: 0, 1: 5})
    warehouse = DuckWarehouse(config)
    split = warehouse.split(warehouse.stage(batch((0, 0, [order(1)]))))
    monkeypatch.setattr(store, "commit", failing)
    if is_in:
        assert warehouse.commit(split).totals == Totals(consumed=1, loaded=1)
    else:
        with pytest.raises(Restart, match="not in the warehouse"):
            warehouse.commit(split)
    monkeypatch.undo()
    assert warehouse.offsets()[0].offset == int(is_in)
    late = replace(warehouse.split(warehouse.stage(batch((1, 5, [order(2)])))), seen=split.seen + is_in)
    with pytest.raises(HeadMoved):  # as the failed COMMIT would meet it
        warehouse.commit(late)
    warehouse.close()


@pytest.mark.fault(5)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("place", "is_in"), [("before_commit", False), ("after_commit", True)])
def test_a_batch_is_there_whole_or_not_at_all(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch, place: str, *, is_in: bool
) -> None:
    """Ended just before COMMIT or just after it: rows, refused records and offsets are all there, or none."""
    config = make_config(tmp_path, kind)
    begin(config, IDENTITY, {0: 0, 1: 5})
    warehouse = DuckWarehouse(config)
    monkeypatch.setattr(failpoints, "_armed", f"{place}:raise")
    monkeypatch.setattr(failpoints, "_hits", 0)
    with pytest.raises(RuntimeError, match=place):
        commit(warehouse, batch((0, 0, [order(1), b"{", order(1)])))
    warehouse.close()
    with Reader(config) as reader:
        assert [check for check in checks(reader) if check.status != "ok"] == []
        home = reader.home
        found = [home.execute(f"SELECT count(*) FROM lake.{table}").fetchone() for table in TABLES]
        at = home.execute("SELECT next_offset FROM lake.loader.offsets WHERE partition = 0").fetchone()
    assert found == [(int(is_in),)] * len(TABLES)
    assert at == (3 if is_in else 0,)


def test_a_topic_that_was_taken_over_begins_anew(bench: Bench) -> None:
    """The same positions are loaded once more; ids of the old topic are known still."""
    commit(bench.warehouse, batch((0, 0, [order(1), order(2)])))
    receipt = bench.warehouse.take_over(replace(IDENTITY, topic_id="another"), {0: 0}, "anew")
    assert (receipt.kind, receipt.totals, receipt.note) == ("topic", Totals(), "anew")
    recorded = bench.warehouse.recorded()
    assert (recorded.topic_id, recorded.generation) == ("another", 1)
    assert bench.warehouse.offsets() == {0: Position(0)}
    receipt = commit(bench.warehouse, batch((0, 0, [order(1), order(3), b"{"])))
    assert receipt.totals == Totals(consumed=3, loaded=1, duplicates=1, quarantined=1)
    assert bench.warehouse.offsets() == {0: Position(3, 0)}
    assert bench.ids() == ["ORD000001", "ORD000002", "ORD000003"]


def test_records_of_a_topic_that_was_replaced_are_refused(bench: Bench) -> None:
    """A worker with the old topic is the zombie, though its batch begins where the new one stands."""
    if not bench.shares:
        pytest.skip("a DuckDB file has one writer")
    other = bench.open_again()
    assert other.recorded() == IDENTITY
    staged = other.stage(batch((0, 0, [order(1)])))
    bench.warehouse.recorded()
    bench.warehouse.take_over(replace(IDENTITY, topic_id="another"), {0: 0, 1: 0}, "anew")
    with pytest.raises(OffsetsMoved):
        other.commit(other.split(staged))
    other.discard(staged)
    for ask in (other.recorded, other.offsets):
        with pytest.raises(OffsetsMoved):
            ask()
    again = bench.open_again()
    assert again.recorded().generation == 1
    assert bench.ids() == []


@pytest.mark.parametrize("kind", KINDS)
def test_no_other_extension_comes_without_a_signature(tmp_path: Path, kind: str) -> None:
    """Ours are loaded without one; then that is forbidden, and cannot be allowed again."""
    config = make_config(tmp_path, kind)
    begin(config, IDENTITY, {0: 0})
    ours = files("duckdb_extension_sqlite_scanner") / "extensions" / f"v{duckdb.__version__}"
    forged = tmp_path / "forged.duckdb_extension"
    content = (ours / "sqlite_scanner.duckdb_extension").read_bytes()
    forged.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with connect(config.warehouse) as home:
        with pytest.raises(duckdb.Error, match="signature"):
            home.load_extension(str(forged))
        with pytest.raises(duckdb.Error, match="Cannot change"):
            home.execute("SET allow_unsigned_extensions = true")
