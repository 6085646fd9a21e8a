"""The set of known ids in front of the exact look-up: it may save questions, and never changes an answer."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from loader.model import Batch, Totals
from loader.warehouse import known, split
from loader.warehouse.attach import connect
from loader.warehouse.fingerprints import Fingerprints
from loader.warehouse.known import KnownIds
from loader.warehouse.store import DuckWarehouse
from tests.contract.test_warehouse import IDENTITY, commit
from tests.making import KINDS, batch, begin, make_config, order

FIRSTS = "SELECT id, first_partition, first_offset FROM lake.loader.duplicates ORDER BY id"


@pytest.fixture(params=KINDS)
def config(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """A configuration of each kind of warehouse."""
    return make_config(tmp_path, request.param, limits={"quarantine": 1.0})


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, list[int] | None]]:
    """What each look-up asked the table: how many records were in doubt, and in which batches to look."""
    seen: list[tuple[int, list[int] | None]] = []
    doubt = KnownIds.doubt

    def watched(self: KnownIds, *arguments: Any) -> Any:
        found = doubt(self, *arguments)
        seen.append((int(found.rows.sum()), found.batches))
        return found

    monkeypatch.setattr(KnownIds, "doubt", watched)
    return seen


def opened(config: Any) -> DuckWarehouse:
    """A worker; the first one finds an empty table."""
    if not config.warehouse.file.exists():
        begin(config, IDENTITY, {0: 0, 1: 0})
    return DuckWarehouse(config)


class Stream:
    """Random batches with repeats of every kind, and what must become of them by a dictionary in Python."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self._contents: dict[int, float] = {}
        self._at = 0

    def next(self, records: int = 12, ids: int = 60) -> tuple[Batch, Totals]:
        """A batch of one partition, and its totals."""
        drawn = [(self._chance.randrange(ids), self._chance.choice([1.5, 1.5, 2.5])) for _ in range(records)]
        loaded = twins = 0
        for number, amount in drawn:
            is_new = number not in self._contents
            content = self._contents.setdefault(number, amount)
            loaded += is_new
            twins += not is_new and content == amount
        begin, self._at = self._at, self._at + records
        made = batch((0, begin, [order(number, amount=amount) for number, amount in drawn]))
        return made, Totals(records, loaded, twins, records - loaded - twins)


@pytest.fixture(params=[1, 2])
def stream(request: pytest.FixtureRequest) -> Stream:
    """Two different ones."""
    return Stream(request.param)


def feed(warehouse: DuckWarehouse, stream: Stream, batches: int) -> None:
    """Load them; each must come out as the dictionary says."""
    for _ in range(batches):
        made, totals = stream.next()
        assert commit(warehouse, made).totals == totals


def test_a_new_table_has_a_set_from_the_beginning(config: Any, stream: Stream, asked: list[Any]) -> None:
    """Twins, conflicts and new ids come out as a dictionary says; new ids ask the table nothing."""
    warehouse = opened(config)
    feed(warehouse, stream, 8)
    doubtful, _ = asked[0]
    assert doubtful < 12
    assert commit(warehouse, batch((1, 0, [order(1000 + n) for n in range(5)]))).totals.loaded == 5
    assert asked[-1] == (0, [])
    warehouse.close()


def test_the_set_begins_when_it_pays(
    config: Any, stream: Stream, asked: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker on a table with rows asks the table first, then reads the ids; the answers stay the same."""
    monkeypatch.setattr(known, "PAYS", 3)
    warehouse = opened(config)
    feed(warehouse, stream, 3)
    warehouse.close()
    asked.clear()
    warehouse = opened(config)
    feed(warehouse, stream, 6)
    warehouse.close()
    whole_table = [batches is None for _, batches in asked]
    assert whole_table[:2] == [True, True]
    assert whole_table == sorted(whole_table, reverse=True)
    assert whole_table[-1] is False


def test_other_workers_are_learnt_before_each_look(tmp_path: Path, stream: Stream) -> None:
    """Two workers with a set each, in turn on one lake: an id of the other's newest batch is known."""
    config = make_config(tmp_path, "ducklake", limits={"quarantine": 1.0})
    workers = [opened(config), opened(config)]
    for turn in range(6):
        feed(workers[turn % 2], stream, 1)
    for each in workers:
        each.close()


def test_a_batch_without_ids_does_not_hide_what_others_committed(
    tmp_path: Path, stream: Stream, asked: list[Any]
) -> None:
    """It is not looked up, so the set has not learnt the other worker's batch: it stays where it is."""
    config = make_config(tmp_path, "ducklake", limits={"quarantine": 1.0})
    worker, other = opened(config), opened(config)
    feed(worker, stream, 2)
    feed(other, stream, 1)
    commit(worker, batch((1, 0, [b"{", b"not json"])))
    feed(worker, stream, 1)
    assert asked[-1][1] is not None, "the set was given up"
    worker.close()
    other.close()


BY_HAND = {
    "insert": "INSERT INTO {0} SELECT * REPLACE ('ORD000998' AS order_id, NULL AS _batch) FROM {0}"
    " WHERE order_id = 'ORD000999'",
    "delete": "DELETE FROM {0} WHERE order_id = 'ORD000999'",
}


@pytest.mark.parametrize(("change", "loaded"), [("insert", 0), ("delete", 2)])
def test_a_change_by_hand_is_noticed(tmp_path: Path, stream: Stream, change: str, loaded: int) -> None:
    """An INSERT past the loader is known at the next look, though it took no head; so is a DELETE."""
    config = make_config(tmp_path, "ducklake", limits={"quarantine": 1.0})
    warehouse, other = opened(config), opened(config)
    feed(warehouse, stream, 2)
    assert commit(warehouse, batch((1, 0, [order(999)]))).totals.loaded == 1
    other._commits.execute(BY_HAND[change].format("lake.main.orders"))
    records = [order(998), order(999)] if change == "insert" else [order(999), order(997)]
    assert commit(warehouse, batch((1, 1, records))).totals.loaded == loaded
    feed(warehouse, stream, 3)
    warehouse.close()
    other.close()


def test_a_false_present_costs_a_question_only(
    config: Any, stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A set that takes every id for one of the first batch's still gives the right answers."""
    monkeypatch.setattr(Fingerprints, "find", lambda _, hashes: np.ones(len(hashes), np.int32))
    warehouse = opened(config)
    feed(warehouse, stream, 5)
    warehouse.close()


@pytest.mark.parametrize("misled", [False, True])
def test_a_topic_that_is_read_again_is_judged_in_one_join(
    config: Any, monkeypatch: pytest.MonkeyPatch, *, misled: bool
) -> None:
    """Ids that are known, none of them twice: no other question, and twins and conflicts are told apart.

    Where the set is misled about the batch that brought an id, the other questions find it.
    """
    asked: list[str] = []
    statement = split.statement

    def noted(name: str, /, **parameters: object) -> str:
        asked.append(name)
        return statement(name, **parameters)

    warehouse = opened(config)
    commit(warehouse, batch((0, 0, [order(0)])))
    commit(warehouse, batch((0, 1, [order(n) for n in range(1, 20)])))
    if misled:
        monkeypatch.setattr(Fingerprints, "find", lambda _, hashes: np.ones(len(hashes), np.int32))
    monkeypatch.setattr(split, "statement", noted)
    again = [order(n, amount=99 if n == 7 else n + 0.25) for n in range(1, 20)]
    assert commit(warehouse, batch((1, 0, again))).totals == Totals(19, 0, 18, 1)
    assert ("load/known_ids" in asked) is misled
    warehouse.close()
    with connect(config.warehouse, read_only=True) as home:
        firsts = home.execute(FIRSTS).fetchall()
    assert firsts == [(f"ORD{n:06d}", 0, n) for n in range(1, 20) if n != 7]


def test_equal_hashes_in_a_batch_are_told_apart(
    config: Any, stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where all ids look repeated, only those that are count as duplicates."""
    monkeypatch.setattr(known, "_repeated", lambda hashes: np.ones(len(hashes), np.bool_))
    warehouse = opened(config)
    feed(warehouse, stream, 5)
    warehouse.close()


def test_without_room_the_table_is_asked(
    config: Any, stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk where the set should grow is no fault of the load."""
    added = Fingerprints.add

    def full(self: Fingerprints, *arguments: Any, **more: Any) -> None:
        added(self, *arguments, **more)
        if len(self) > 30:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(Fingerprints, "add", full)
    warehouse = opened(config)
    feed(warehouse, stream, 5)
    warehouse.close()
