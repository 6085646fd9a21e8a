"""Positions of two topics in one warehouse: all that goes by them keeps them apart."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from loader.config import Config
from loader.errors import OffsetsMoved
from loader.model import Identity
from loader.warehouse.attach import connect
from loader.warehouse.change import changes
from loader.warehouse.maintenance import Maintenance
from loader.warehouse.quarantine import Quarantine
from loader.warehouse.reading import Reader
from loader.warehouse.retry import drop, edit, opened, retry
from loader.warehouse.rewind import Undo
from loader.warehouse.store import DuckWarehouse
from loader.warehouse.verify import checks
from loader.warehouse.verify_derived import derived_checks
from loader.warehouse.wanted import Place, Wanted
from tests.making import KINDS, batch, copied, make_config, order

HERE = Identity("cluster", "orders", "first-id", 1)
THERE = Identity("cluster", "orders", "second-id", 1)
BAD = b'{"order_id": "X"}'
DAY = 86_400 * 10**9  # nanoseconds
IDS = {"table": "ids", "sql": "ids.sql", "key": "order_id", "keep": "first"}


def never(seconds: float) -> None:
    """There is no one to wait for."""
    raise AssertionError(seconds)


@dataclass
class Two:
    """A warehouse of two topics, one after the other; both have a refused record at [0]@1."""

    config: Config

    def load(self, begin: int, values: list[bytes | None]) -> None:
        """Commit a batch of the topic in force."""
        with self.opened() as warehouse:
            staged = warehouse.stage(batch((0, begin, values)))
            warehouse.commit(warehouse.split(staged))
            warehouse.discard(staged)

    @contextmanager
    def opened(self) -> Iterator[DuckWarehouse]:
        """The warehouse, which has looked at its topic."""
        with closing(DuckWarehouse(self.config, accept_quarantine=True)) as warehouse:
            warehouse.recorded()
            yield warehouse

    def change(self, change: Callable[[Quarantine], Any]) -> Any:
        """Change the quarantine."""
        with opened(self.config, never) as quarantine:
            return change(quarantine)

    def findings(self) -> list[str]:
        """The names of the checks of `verify` that fail."""
        with Reader(self.config) as reader:
            found = [*checks(reader), *derived_checks(reader, anew=True)]
            return [check.name for check in found if check.status == "failed"]

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        """The result of a query."""
        with connect(self.config.warehouse, read_only=True) as home:
            return home.execute(sql).fetchall()

    def tamper(self, sql: str) -> None:
        """Change something behind the loader's back."""
        with connect(self.config.warehouse) as home:
            home.execute(sql)


def made_of(config: Config) -> Two:
    """Topic 0: ORD1, refused, twin of ORD1. Topic 1: ORD2, refused, twin of ORD1 of topic 0."""
    made = Two(config)
    with made.opened() as warehouse:
        warehouse.record(HERE, {0: 0})
    made.load(0, [order(1), BAD, order(1)])
    with made.opened() as warehouse:
        warehouse.take_over(THERE, {0: 0}, "anew")
    made.load(0, [order(2), BAD, order(1)])
    return made


@pytest.fixture(scope="module", params=KINDS)
def both(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Two:
    """A warehouse of either kind; all ids are in a derived table too."""
    folder = tmp_path_factory.mktemp("both")
    (folder / "ids.sql").write_text("SELECT order_id, min(_offset) AS at FROM new GROUP BY order_id")
    return made_of(make_config(folder, request.param, derive=[IDS]))


@pytest.fixture
def two(both: Two, tmp_path: Path) -> Two:
    """A copy of it."""
    return Two(copied(both.config, tmp_path))


def test_the_balance_holds_over_both(two: Two) -> None:
    """No check takes a position of one topic for that of the other; sums are of the one in force."""
    assert two.findings() == []
    with Reader(two.config) as reader:
        (now,) = reader.of_pipeline("read/partitions")
        (totals,) = reader.of_pipeline("read/totals")
        first, second = reader.of_pipeline("read/topics")
        chain = checks(reader)[0].detail
    assert (now["end"], now["loaded"], now["duplicates"], now["quarantined"]) == (3, 1, 1, 1)
    assert (totals["consumed"], totals["loaded"], totals["quarantined"]) == (6, 2, 2)
    assert (first["topic_id"], first["batch"], first["consumed"]) == ("first-id", None, 3)
    assert (second["topic_id"], second["note"], second["offsets"]) == ("second-id", "anew", [3])
    assert "2 topics, one after the other" in chain


@pytest.mark.parametrize(
    ("check", "sql"),
    [
        ("chain", "UPDATE lake.loader.offsets SET next_offset = 2 WHERE generation = 0"),
        ("chain", "DELETE FROM lake.loader.batches WHERE kind = 'topic'"),
        ("chain", "UPDATE lake.loader.topics SET generation = 2 WHERE generation = 1"),
        ("balance", "UPDATE lake.loader.spans SET generation = 1 WHERE generation = 0"),
        ("positions", "UPDATE lake.orders SET _offset = 1"),
        ("positions", "UPDATE lake.loader.batches SET generation = 0 WHERE kind = 'load'"),
        ("positions", "UPDATE lake.loader.quarantine SET generation = 1"),
        ("positions", "UPDATE lake.loader.duplicates SET generation = 1 - generation"),
    ],
)
def test_what_is_wrong_in_one_of_them_is_found(two: Two, check: str, sql: str) -> None:
    """Also in the topic that is not loaded any more."""
    two.tamper(sql)
    assert check in two.findings()


def test_refused_records_at_one_position_are_two_entries(two: Two) -> None:
    """A position means the topic in force; `#0` the first one. Each is edited and retried for itself."""
    two.change(lambda q: edit(q, Place(0, 1, 0), order(10), never))
    two.change(lambda q: edit(q, Place(0, 1), order(11), never))
    done = two.change(lambda q: retry(q, Wanted(places=(Place(0, 1, 0),)), never))
    assert (done.totals.loaded, len(done.batches)) == (1, 1)
    assert two.ask("SELECT generation, state FROM lake.loader.quarantine ORDER BY ALL") == [
        (0, "loaded"), (1, "open"),
    ]  # fmt: skip
    assert two.findings() == []
    assert two.change(lambda q: retry(q, Wanted(places=(Place(0, 1),)), never)).totals.loaded == 1
    rows = "SELECT order_id, b.generation FROM lake.orders JOIN lake.loader.batches AS b ON batch = _batch"
    assert two.ask(f"{rows} WHERE _offset = 1 ORDER BY ALL") == [("ORD000010", 0), ("ORD000011", 1)]
    assert two.findings() == []


def test_a_retry_of_both_makes_a_batch_for_each_topic(two: Two) -> None:
    """Entries of two topics are never in one batch: there a position would stand twice."""
    done = two.change(lambda q: retry(q, Wanted(), never))
    assert (done.totals.quarantined, len(done.batches)) == (2, 2)
    assert two.change(lambda q: drop(q, Wanted(), "junk", never)) == 2
    drops = "SELECT generation, quarantined FROM lake.loader.batches WHERE kind = 'drop' ORDER BY ALL"
    assert two.ask(drops) == [(0, 1), (1, 1)]
    assert two.findings() == []


def test_a_rewind_undoes_the_topic_in_force_only(two: Two) -> None:
    """Rows, entries and duplicates of the first topic stay, also those that a retry brought later."""
    two.change(lambda q: edit(q, Place(0, 1, 0), order(10), never))
    two.change(lambda q: retry(q, Wanted(places=(Place(0, 1, 0),)), never))
    with closing(Undo(two.config)) as undo:
        undo.recorded()
        assert undo.standing() == {0: (0, 3)}
        undoing, _ = undo.rewind({0: 0}, lambda *_: None)
    assert [(r["rows"], r["quarantined"], r["duplicates"]) for r in undoing.removed] == [(1, 1, 1)]
    assert two.findings() == []
    assert two.ask("SELECT order_id FROM lake.orders ORDER BY ALL") == [("ORD000001",), ("ORD000010",)]
    assert two.ask("SELECT generation FROM lake.loader.duplicates") == [(0,)]
    ids = "SELECT * EXCLUDE (_batch) FROM lake.ids ORDER BY ALL"
    assert two.ask(ids) == [("ORD000001", 0), ("ORD000010", 1)]
    two.load(0, [order(2), BAD, order(1)])
    assert two.findings() == []


def test_a_conflict_names_the_place_in_the_former_topic(two: Two) -> None:
    """The position alone would be another record."""
    two.load(3, [order(1, amount=7)])
    last = 'SELECT reasons FROM lake.loader.quarantine WHERE "offset" = 3'
    assert "same id as orders[0]@0#0, other content" in two.ask(last)[0][0]


def test_a_batch_of_the_former_topic_is_refused(two: Two) -> None:
    """Though the former topic's offset is still where the batch begins, and the head is the one it saw."""
    with two.opened() as warehouse:
        warehouse._topics.generation = 0
        staged = warehouse.stage(batch((0, 3, [order(3)])))
        with pytest.raises(OffsetsMoved):
            warehouse.commit(warehouse.split(staged))
        warehouse.discard(staged)
    assert two.findings() == []


@pytest.mark.parametrize("kind", KINDS)
def test_retention_keeps_the_counts_of_each_topic(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is removed and folded is proved topic by topic; a rewind is bounded by what went of its own."""
    real = time.time_ns
    monkeypatch.setattr("loader.model.time.time_ns", lambda: real() - 60 * DAY)
    ages = {"quarantine": "20d", "duplicates": "20d", "spans": "20d"}
    two = made_of(make_config(tmp_path, kind, retention=ages))
    two.load(3, [order(4), order(2)])
    two.change(lambda q: drop(q, Wanted(), "junk", never))
    monkeypatch.undo()
    two.load(5, [order(5)])
    with changes(two.config) as warehouse:
        work = Maintenance(warehouse, two.config)
        list(work.steps())
    assert (work.done["removed_quarantine"], work.done["removed_duplicates"]) == (2, 3)
    assert two.findings() == []
    ours = "WHERE pipeline = 'orders' ORDER BY ALL"
    assert two.ask(f"SELECT generation, end_offset, loaded FROM lake.loader.folded {ours}") == [
        (0, 3, 1), (1, 5, 2),
    ]  # fmt: skip
    assert two.ask(f"SELECT place, generation, batch, end_offset FROM lake.loader.removed {ours}") == [
        ("duplicates", 0, 0, 3), ("duplicates", 1, 0, 5), ("quarantined", 0, 0, 2), ("quarantined", 1, 0, 2),
    ]  # fmt: skip
    with Reader(two.config) as reader:
        (now,) = reader.of_pipeline("read/partitions")
    assert (now["end"], now["loaded"], now["duplicates"], now["quarantined"]) == (6, 3, 2, 1)
    with closing(Undo(two.config)) as undo:
        assert undo.floors() == {0: 5}
    two.tamper("UPDATE lake.loader.removed SET generation = 1 - generation WHERE pipeline = 'orders'")
    assert two.findings() == ["rows"]
