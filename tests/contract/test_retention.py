"""Retention on both warehouses: old things go, their counts stay, the balance is proved after each step."""

from __future__ import annotations

import random
import shutil
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from loader.config import Config
from loader.errors import ActionNeeded
from loader.warehouse.attach import connect
from loader.warehouse.change import changes
from loader.warehouse.maintenance import Maintenance
from loader.warehouse.quarantine import Quarantine
from loader.warehouse.reading import Reader
from loader.warehouse.retry import drop, retry
from loader.warehouse.rewind import Undo
from loader.warehouse.store import DuckWarehouse
from loader.warehouse.verify import checks
from loader.warehouse.wanted import Wanted
from tests.contract.test_rewind import LENGTH, PARTITIONS, Log, Story, taken, told
from tests.making import KINDS, ORDER_COLUMNS, make_config, order

DAY = 86_400
LOOSE = {**ORDER_COLUMNS, "amount": {"type": "DECIMAL(18,2)"}}
OLD = ("old_quarantine", "old_duplicates", "old_spans")
Clock = Callable[[float], None]


@pytest.fixture
def ago(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Set back the clock that batches are named by, in days."""
    real = time.time_ns

    def set_back(days: float) -> None:
        monkeypatch.setattr("loader.model.time.time_ns", lambda: real() - int(days * DAY * 1e9))

    return set_back


def kept(folder: Path, kind: str, **ages: str) -> Config:
    """A pipeline that skips tombstones, with these ages."""
    return make_config(folder, kind, table={"tombstones": "skip"}, retention=ages)


def maintain(config: Config) -> dict[str, int]:
    """All upkeep; what was done."""
    with changes(config) as warehouse:
        work = Maintenance(warehouse, config)
        list(work.steps())
        return work.done


def plan(config: Config) -> dict[str, int]:
    """What `--dry-run` says of retention."""
    with changes(config) as warehouse:
        return {name: count for name, count in Maintenance(warehouse, config).plan().items() if name in OLD}


def close_some(config: Config, chance: random.Random) -> None:
    """Retry the amounts that were too small under a looser contract, and drop some of the rest."""
    loose = make_config(
        config.warehouse.file.parent, config.warehouse.kind,
        table={"tombstones": "skip", "columns": LOOSE},
    )  # fmt: skip
    with closing(Quarantine(loose)) as quarantine:
        retry(
            quarantine, Wanted(reason="amount: check", partition=chance.randrange(PARTITIONS)), lambda _: None
        )
        drop(
            quarantine, Wanted(reason="json", partition=chance.randrange(PARTITIONS)), "junk", lambda _: None
        )


def numbers(story: Story) -> Any:
    """What `status`, `score` and `verify` say of the pipeline; the balance is proved."""
    story.ask("SELECT 1")
    with Reader(story.config) as reader:
        return (
            {k: v for k, v in reader.of_pipeline("read/totals")[0].items() if k != "batches"},
            reader.of_pipeline("read/partitions"),
            reader.of_pipeline("read/last_batch")[0]["newest_event"],
        )


@pytest.mark.parametrize(("kind", "seed"), [("ducklake", 0), ("duckdb", 1), ("duckdb", 2)])
def test_numbers_stay_what_they_were(tmp_path: Path, kind: str, seed: int, ago: Clock) -> None:
    """Loads, retries, drops, rewinds and retention in random order: retention changes no number.

    What is open stays, rewinds go back as far as retention lets them, and the rest is loaded again.
    """
    chance = random.Random(seed)
    story = Story(kept(tmp_path, kind, quarantine="20d", duplicates="10d", spans="15d"), told(seed))
    for days in (60, 40, 20):
        ago(days)
        story.load(chance, LENGTH - 3 * days)
        close_some(story.config, chance)
        ago(days - 2)
        with closing(Undo(story.config)) as undo:
            ends, floors = undo.standing(), undo.floors()
            places = {
                p: chance.randrange(max(floors.get(p, 0), end - 60), end + 1) for p, (_, end) in ends.items()
            }
            undo.rewind(places, story.count)
        before = numbers(story)
        ago(0)
        maintain(story.config)
        assert numbers(story) == before
    story.load(chance)
    ours = "WHERE pipeline = 'orders'"
    assert story.answers(
        f"SELECT count(*) FROM lake.loader.folded {ours}",
        f"SELECT count(DISTINCT place) FROM lake.loader.removed {ours}",
        "SELECT count(*) > 0 FROM lake.loader.quarantine WHERE state = 'open'",
    ) == [[(PARTITIONS,)], [(2,)], [(True,)]]


@pytest.mark.parametrize("kind", ["duckdb"])
def test_off_by_default_and_each_by_itself(tmp_path: Path, kind: str, ago: Clock) -> None:
    """Without ages nothing goes; --dry-run says what would go and does nothing."""
    story = Story(kept(tmp_path, kind), told(7))
    ago(100)
    story.load(random.Random(7), LENGTH - 20)
    ago(0)
    story.load(random.Random(7))
    assert plan(story.config) == {}
    maintain(story.config)
    held = "SELECT (SELECT count(*) FROM lake.loader.duplicates), (SELECT count(*) FROM lake.loader.spans)"
    ((duplicates, spans),) = story.ask(held)
    story.config = kept(tmp_path, kind, duplicates="30d")
    found = plan(story.config)
    assert 0 < found["old_duplicates"] <= duplicates
    assert story.ask(held) == [(duplicates, spans)]
    assert maintain(story.config)["removed_duplicates"] == found["old_duplicates"]
    assert story.ask(held) == [(duplicates - found["old_duplicates"], spans)]
    story.config = kept(tmp_path, kind, spans="30d")
    old = plan(story.config)["old_spans"]
    assert maintain(story.config)["folded_batches"] == old > 0
    ((_, left),) = story.ask(held)
    assert left < spans
    assert maintain(story.config).get("folded_batches", 0) == 0


@pytest.mark.parametrize("kind", KINDS)
def test_a_rewind_stops_at_what_retention_removed(tmp_path: Path, kind: str, ago: Clock) -> None:
    """It is refused with the place to go to; from there on all is undone and loaded again."""
    log = {0: [order(number % 50) for number in range(100)], 1: [order(99)]}
    story = Story(kept(tmp_path, kind, duplicates="30d", spans="30d"), log)
    ago(90)
    with closing(DuckWarehouse(story.config)) as warehouse:
        for places, ends in (({0: 0, 1: 0}, {0: 60, 1: 1}), ({0: 60, 1: 1}, {0: 70, 1: 1})):
            if ends[0] == 70:
                ago(1)
            warehouse.commit(warehouse.split(warehouse.stage(taken(log, places, ends))))
    ago(0)
    assert maintain(story.config)["removed_duplicates"] == 10
    with pytest.raises(ActionNeeded) as refused:
        story.rewind({0: 20})
    assert refused.value.address == "orders[0]@20"
    assert refused.value.hint == "loader rewind --to-offset 0:60 --yes"
    before = story.table()
    story.rewind({0: 60})
    assert story.ask("SELECT count(*) FROM lake.loader.duplicates") == [(0,)]
    story.load(random.Random(1), 1)
    with closing(DuckWarehouse(story.config)) as warehouse:
        warehouse.commit(warehouse.split(warehouse.stage(taken(log, {0: 60, 1: 1}, {0: 70, 1: 1}))))
    assert story.table() == before


@pytest.mark.parametrize("place", [0, 15])
def test_spans_are_folded_behind_a_rewind_that_undid_more_than_a_piece_holds(
    tmp_path: Path, ago: Clock, monkeypatch: pytest.MonkeyPatch, place: int
) -> None:
    """A piece that would end among undone batches goes on to the first end behind them."""
    monkeypatch.setattr("loader.warehouse.retention.BATCHES", 3)
    log: Log = {0: [order(number) for number in range(80)], 1: []}
    story = Story(kept(tmp_path, "duckdb", spans="30d"), log)
    ago(90)
    by_tens(story, 0, 70)
    story.rewind({0: place})
    by_tens(story, place, 70)
    ago(0)
    by_tens(story, 70, 80)
    before = numbers(story)
    assert maintain(story.config)["folded_batches"] == 7 + 1 + len(range(place, 70, 10))
    assert numbers(story) == before
    ends = "SELECT begin_offset, end_offset FROM lake.loader.folded WHERE pipeline = 'orders'"
    assert story.ask(ends) == [(0, 70)]


def by_tens(story: Story, begin: int, end: int) -> None:
    """Load a range of partition 0 in batches of ten records."""
    with closing(DuckWarehouse(story.config)) as warehouse:
        for at in range(begin, end, 10):
            taken_on = taken(story.log, {0: at, 1: 0}, {0: min(at + 10, end), 1: 0})
            warehouse.commit(warehouse.split(warehouse.stage(taken_on)))


@pytest.mark.parametrize("kind", ["duckdb"])
def test_a_span_is_cut_behind_what_was_removed_of_it(tmp_path: Path, kind: str, ago: Clock) -> None:
    """What is left of it is counted with the duplicates that retention removed."""
    log = {
        0: [order(number % 30) for number in range(40)] + [order(100 + n) for n in range(40)],
        1: [order(99)],
    }
    story = Story(kept(tmp_path, kind, duplicates="30d"), log)
    ago(90)
    with closing(DuckWarehouse(story.config)) as warehouse:
        warehouse.commit(warehouse.split(warehouse.stage(taken(log, {0: 0, 1: 0}, {0: 80, 1: 1}))))
    ago(0)
    assert maintain(story.config)["removed_duplicates"] == 10
    story.rewind({0: 50})
    counts = "SELECT consumed, loaded, duplicates, holes FROM lake.loader.spans WHERE cut_by IS NOT NULL"
    assert story.ask(counts) == [(50, 40, 10, 0)]


DAMAGES = (
    ("UPDATE lake.loader.folded SET loaded = loaded + 1, skipped = skipped - 1", "balance"),
    ("UPDATE lake.loader.folded SET end_offset = end_offset - 1", "chain"),
    ("DELETE FROM lake.loader.folded", "chain"),
    ("DELETE FROM lake.loader.removed WHERE place = 'duplicates'", "rows"),
    ("UPDATE lake.loader.removed SET records = records + 1 WHERE place = 'quarantined'", "rows"),
    ("DELETE FROM lake.main.orders WHERE _offset = (SELECT min(_offset) FROM lake.main.orders)", "rows"),
    ("UPDATE lake.main.orders SET _offset = 9999 WHERE _offset = (SELECT min(_offset) FROM lake.main.orders)",
     "positions"),
)  # fmt: skip


def test_damage_to_what_was_kept_is_found(tmp_path: Path, ago: Clock) -> None:
    """`verify` holds sums and counts against the ledger and the table."""
    story = Story(kept(tmp_path, "duckdb", quarantine="10d", duplicates="10d", spans="10d"), told(1))
    ago(90)
    story.load(random.Random(1), LENGTH - 20)
    close_some(story.config, random.Random(1))
    ago(0)
    story.load(random.Random(1))
    done = maintain(story.config)
    assert min(done[name] for name in ("removed_quarantine", "removed_duplicates", "folded_batches")) > 0
    numbers(story)
    for number, (damage, check) in enumerate(DAMAGES):
        (tmp_path / str(number)).mkdir()
        shutil.copy(story.config.warehouse.file, tmp_path / str(number))
        hurt = kept(tmp_path / str(number), "duckdb")
        with connect(hurt.warehouse) as home:
            home.execute(damage)
        with Reader(hurt) as reader:
            assert {found.name: found.status for found in checks(reader)}[check] == "failed", damage
