"""The life cycle of refused records, on both warehouses: `verify` holds after every step of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from loader.config import Config
from loader.errors import ActionNeeded, FenceLost
from loader.model import CHUNK_SCHEMA, Batch, Identity, Span, new_batch_id
from loader.warehouse import quarantine as limits
from loader.warehouse.attach import connect
from loader.warehouse.quarantine import Quarantine
from loader.warehouse.reading import Reader
from loader.warehouse.retry import TRIES, drop, edit, retry
from loader.warehouse.store import DuckWarehouse
from loader.warehouse.transaction import CommitFailed
from loader.warehouse.verify import checks
from loader.warehouse.wanted import Place, Wanted
from tests.making import KINDS, ORDER_COLUMNS, batch, copied, make_config, order, records

FIRST = [
    order(1),
    order(2, amount=-1),
    order(3, amount="x", timestamp="yesterday"),
    b"{",
    None,
    order(1, amount=7),
    b"\xff",
]
LOOSE = {**ORDER_COLUMNS, "amount": {"type": "DECIMAL(18,2)"}}
REFUSED = {1: "check", 2: "type", 3: "json", 4: "tombstone", 5: "conflict", 6: "utf8"}


def never(seconds: float) -> None:
    """Nobody else writes here: there is nothing to wait for."""
    raise AssertionError(f"waits for {seconds} s")


@dataclass
class Bench:
    """A pipeline whose first seven records were one row and six refusals, of a kind each."""

    config: Config

    def load(self, *parts: tuple[int, int, list[bytes | None]]) -> None:
        """Commit one more batch."""
        with closing(DuckWarehouse(self.config, accept_quarantine=True)) as warehouse:
            warehouse.commit(warehouse.split(warehouse.stage(batch(*parts))))

    def change(self, action: Callable[[Quarantine], Any]) -> Any:
        """Do something to the quarantine, then `verify`."""
        with closing(Quarantine(self.config)) as quarantine:
            result = action(quarantine)
        self.verify()
        return result

    def edit(self, offset: int, value: bytes | None) -> None:
        """Edit an entry of partition 0; what comes of it is proved by the step that follows."""
        with closing(Quarantine(self.config)) as quarantine:
            edit(quarantine, Place(0, offset), value, never)

    def retry(self, wanted: Wanted | None = None, *, dry_run: bool = False) -> Any:
        """Retry what is wanted (all), then `verify`."""
        return self.change(lambda q: retry(q, wanted or Wanted(), never, dry_run=dry_run))

    def verify(self) -> None:
        """Every check without a broker is ok."""
        with Reader(self.config) as reader:
            assert {check.status for check in checks(reader)} == {"ok"}, checks(reader)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """The result of a query by plain DuckDB."""
        with connect(self.config.warehouse, read_only=True) as home:
            return home.execute(sql).fetchall()

    def states(self) -> dict[int, str]:
        """The state of each entry by its offset."""
        return dict(self.rows('SELECT "offset", state FROM lake.loader.quarantine ORDER BY ALL'))

    def totals(self) -> tuple[int, ...]:
        """What `status` counts: consumed, loaded, duplicates, quarantined, skipped."""
        names = ("consumed", "loaded", "duplicates", "quarantined", "skipped")
        with Reader(self.config) as reader:
            whole = reader.of_pipeline("read/totals")[0]
            parts = reader.of_pipeline("read/partitions")
        assert all(whole[name] == sum(part[name] for part in parts) for name in names)
        return tuple(whole[name] for name in names)


@pytest.fixture(scope="module", params=KINDS)
def untouched(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """The warehouse after its first batch, for tests that only read."""
    return make_bench(tmp_path_factory.mktemp("untouched"), request.param)


@pytest.fixture
def bench(untouched: Bench, tmp_path: Path) -> Bench:
    """A copy of it."""
    return Bench(copied(untouched.config, tmp_path))


@pytest.fixture(scope="module")
def settled(untouched: Bench, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """One entry edited and loaded, one that became a duplicate, one dropped, the rest refused again.

    `verify` holds after each of these steps.
    """
    made = Bench(copied(untouched.config, tmp_path_factory.mktemp("settled")))
    made.change(lambda q: edit(q, Place(0, 2), order(3), never))
    made.change(lambda q: edit(q, Place(0, 1), order(1), never))
    made.retry()
    made.change(lambda q: drop(q, Wanted(reason="json"), "junk", never))
    return made


def make_bench(folder: Path, kind: str) -> Bench:
    """A pipeline after its first batch."""
    made = Bench(make_config(folder, kind))
    with closing(DuckWarehouse(made.config)) as warehouse:
        warehouse.record(Identity("cluster", "orders", "topic-id", 2), {0: 0, 1: 0})
    made.load((0, 0, FIRST))
    made.verify()
    return made


# retry


def test_nothing_mended_is_refused_again_and_stays_open(bench: Bench) -> None:
    """A retry of what is as it was changes no count but its own, and each entry says who tried it."""
    before = bench.totals()
    result = bench.retry()
    assert (result.totals.consumed, result.totals.quarantined) == (6, 6)
    assert set(bench.states().values()) == {"open"}
    assert bench.totals() == before == (7, 1, 0, 6, 0)
    assert bench.rows("SELECT DISTINCT changed_by FROM lake.loader.quarantine") == [(result.batches[0],)]
    rules = [(number, json.loads(reasons)[0]["rule"]) for number, reasons in bench.rows(
        'SELECT "offset", reasons FROM lake.loader.quarantine ORDER BY ALL')]  # fmt: skip
    assert dict(rules) == REFUSED


def test_a_mended_contract_loads_whole_reasons_at_once(bench: Bench) -> None:
    """The row keeps its place and time, gets the batch of the retry; a second retry finds nothing."""
    ledger = "SELECT * FROM lake.loader.batches WHERE kind = 'load'"
    spans = "SELECT * FROM lake.loader.spans"
    before = bench.rows(ledger), bench.rows(spans)
    mended = Bench(make_config(bench.config.warehouse.file.parent, bench.config.warehouse.kind,
                               table={"columns": LOOSE}))  # fmt: skip
    result = mended.retry(Wanted(reason="amount: check"))
    assert (result.totals.consumed, result.totals.loaded) == (1, 1)
    assert bench.states()[1] == "loaded"
    [row] = bench.rows(
        "SELECT _partition, _offset, epoch_ms(_kafka_time), _batch FROM lake.orders WHERE amount < 0"
    )
    assert row == (0, 1, 1_772_000_000_001, result.batches[0])
    assert bench.rows("SELECT changed_by FROM lake.loader.quarantine WHERE state = 'loaded'") == [
        (result.batches[0],)
    ]
    assert bench.totals() == (7, 2, 0, 5, 0)
    assert (bench.rows(ledger), bench.rows(spans)) == before
    assert bench.rows("SELECT kind, consumed, loaded FROM lake.loader.batches ORDER BY seq DESC LIMIT 1") == [
        ("retry", 1, 1)
    ]
    again = mended.retry(Wanted(reason="amount: check"))
    assert (again.totals.consumed, again.batches) == (0, [])


def test_an_edited_record_is_loaded_and_the_original_kept(bench: Bench) -> None:
    """The edited value becomes the row; the original bytes and the first reasons stay in the entry."""
    bench.edit(2, order(3))
    assert bench.states()[2] == "open"
    assert bench.retry(Wanted(places=(Place(0, 2),))).totals.loaded == 1
    [(state, value, edited)] = bench.rows(
        'SELECT state, value, edited FROM lake.loader.quarantine WHERE "offset" = 2'
    )
    assert (state, value, edited) == ("loaded", FIRST[2], order(3))
    assert bench.rows("SELECT amount::VARCHAR FROM lake.orders WHERE _offset = 2") == [("3.25",)]


def test_an_edit_can_be_wrong_again_and_be_forgotten(bench: Bench) -> None:
    """Refused again: open, with the new reasons. Back to the original: the old ones, at the next retry."""
    bench.edit(3, b'{"order_id": "E", "timestamp": "2026-03-03", "amount": 1}')
    assert bench.retry(Wanted(places=(Place(0, 3),))).reasons == {"timestamp: type": 1}
    assert bench.rows('SELECT id FROM lake.loader.quarantine WHERE "offset" = 3') == [("E",)]
    bench.edit(3, None)
    assert bench.retry(Wanted(places=(Place(0, 3),))).reasons == {"json": 1}
    assert bench.rows('SELECT edited, edited_at FROM lake.loader.quarantine WHERE "offset" = 3') == [
        (None, None)
    ]


def test_a_twin_becomes_a_duplicate_and_a_conflict_stays(bench: Bench) -> None:
    """An entry that says the same as a row is counted as a duplicate of it; one that differs stays open."""
    bench.edit(1, order(1))
    result = bench.retry()
    assert (result.totals.duplicates, result.totals.loaded) == (1, 0)
    assert bench.states()[1] == "duplicate"
    assert bench.states()[5] == "open"
    assert bench.rows('SELECT partition, "offset", id, first_offset, batch FROM lake.loader.duplicates') == [
        (0, 1, "ORD000001", 0, result.batches[0])
    ]
    assert bench.totals() == (7, 1, 1, 5, 0)


def test_a_conflict_is_settled_as_a_duplicate_where_the_first_is_kept(bench: Bench) -> None:
    """With `on_conflict = "keep_first"` a retry counts a record that differs as a duplicate that differs."""
    folder, kind = bench.config.warehouse.file.parent, bench.config.warehouse.kind
    keeping = Bench(make_config(folder, kind, table={"on_conflict": "keep_first"}))
    result = keeping.retry(Wanted(reason="conflict"))
    assert (result.totals.duplicates, result.totals.loaded) == (1, 0)
    assert bench.states()[5] == "duplicate"
    assert bench.rows('SELECT "offset", first_offset, differs, batch FROM lake.loader.duplicates') == [
        (5, 0, True, result.batches[0])
    ]
    assert bench.totals() == (7, 1, 1, 5, 0)


def test_two_entries_with_one_id_are_one_row(bench: Bench) -> None:
    """Inside a retry the first position wins, as inside a batch."""
    bench.edit(2, order(9))
    bench.edit(3, order(9))
    bench.edit(6, order(9, amount=1))
    result = bench.retry()
    assert (result.totals.loaded, result.totals.duplicates) == (1, 1)
    assert [bench.states()[number] for number in (2, 3, 6)] == ["loaded", "duplicate", "open"]


def test_a_tombstone_is_skipped_where_the_contract_now_says_so(bench: Bench) -> None:
    """`tombstones = "skip"` settles what was quarantined under the old rule."""
    kind = bench.config.warehouse.kind
    skipping = Bench(make_config(bench.config.warehouse.file.parent, kind, table={"tombstones": "skip"}))
    assert skipping.retry().totals.skipped == 1
    assert bench.states()[4] == "skipped"
    assert bench.totals() == (7, 1, 0, 5, 1)


def test_a_load_after_a_retry_knows_its_rows(bench: Bench) -> None:
    """A later record with the id of a retried row is a twin or a conflict of it, and says where it stands."""
    bench.edit(2, order(3))
    bench.retry(Wanted(places=(Place(0, 2),)))
    bench.load((1, 0, [order(3), order(3, amount=9)]))
    bench.verify()
    assert bench.rows("SELECT first_partition, first_offset FROM lake.loader.duplicates") == [(0, 2)]
    assert bench.totals() == (9, 2, 1, 6, 0)


def test_a_dry_run_changes_nothing(bench: Bench) -> None:
    """It says what a retry would do; no row, no ledger entry, no file comes of it."""
    bench.edit(2, order(3))
    folder = bench.config.warehouse.file.parent
    before = bench.rows("FROM lake.loader.head"), bench.states(), sorted(folder.rglob("*.parquet"))
    foreseen = bench.retry(dry_run=True)
    assert (foreseen.totals.loaded, foreseen.totals.quarantined, foreseen.batches) == (1, 5, [])
    assert (bench.rows("FROM lake.loader.head"), bench.states(), sorted(folder.rglob("*.parquet"))) == before
    assert bench.retry().totals == foreseen.totals


def test_key_headers_and_nested_values_survive_the_way_round(tmp_path: Path) -> None:
    """A retry sees the same key, headers (in their order, also twice) and Kafka time as the load."""
    columns = {
        **ORDER_COLUMNS,
        "who": {"type": "VARCHAR", "from": "key"},
        "source": {"type": "VARCHAR", "from": "headers.source"},
        "at": {"type": "TIMESTAMPTZ", "from": "kafka.timestamp"},
        "tags": {"type": "VARCHAR[]", "required": False},
    }
    for kind in KINDS:
        folder = tmp_path / kind
        folder.mkdir()
        bench = Bench(make_config(folder, kind, table={"columns": columns}))
        with closing(DuckWarehouse(bench.config)) as warehouse:
            warehouse.record(Identity("cluster", "orders", "topic-id", 1), {0: 0})
            [row] = records(0, 0, [order(1, amount=-1, tags=["it's", "b"])]).to_pylist()
            row |= {"key": b"k\xc3\xa9y", "headers": [("source", b"old"), ("x", None), ("source", b"web")]}
            row["headers"] = [{"key": key, "value": value} for key, value in row["headers"]]
            table = pa.Table.from_pylist([row], CHUNK_SCHEMA)
            made = Batch(new_batch_id(), (Span(0, 0, 1),), table)
            warehouse.commit(warehouse.split(warehouse.stage(made)))
        bench.verify()
        bench.edit(0, order(1, tags=["it's", "b"]))
        assert bench.retry().totals.loaded == 1
        assert bench.rows('SELECT who, source, epoch_ms("at"), tags FROM lake.orders') == [
            ("kéy", "web", 1_772_000_000_000, ["it's", "b"])
        ]


def test_a_great_many_are_worked_off_in_groups(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each group is a transaction; none makes DuckLake write a file of its own, which nobody would sync."""
    monkeypatch.setattr(limits, "ENTRIES", 1_000)
    bad = [order(1000 + number, amount=-1) for number in range(2_500)]
    bench.load((1, 0, [*bad]))
    mended = Bench(make_config(bench.config.warehouse.file.parent, bench.config.warehouse.kind,
                               table={"columns": LOOSE}))  # fmt: skip
    result = mended.retry(Wanted(partition=1))
    assert (result.totals.loaded, len(result.batches)) == (2_500, 3)
    assert bench.rows(
        "SELECT state, count(*) FROM lake.loader.quarantine WHERE partition = 1 GROUP BY ALL"
    ) == [("loaded", 2_500)]
    folder = bench.config.warehouse.file.parent
    assert not list(folder.rglob("ducklake-*"))


def test_one_transaction_takes_as_many_as_ducklake_keeps_inline(tmp_path: Path) -> None:
    """The largest group that there is, out of a Parquet file: DuckLake makes no file for the change."""
    bench = Bench(make_config(tmp_path))
    with closing(DuckWarehouse(bench.config)) as warehouse:
        warehouse.record(Identity("cluster", "orders", "topic-id", 1), {0: 0})
    bench.load((0, 0, [b"{"] * limits.ENTRIES))
    assert bench.change(lambda q: drop(q, Wanted(), "none is wanted", never)) == limits.ENTRIES
    assert not list(tmp_path.rglob("ducklake-*"))
    assert bench.rows("SELECT count(*) FROM lake.loader.batches WHERE kind = 'drop'") == [(1,)]


# others at the same time


def test_an_edit_between_reading_and_commit_is_not_overlooked(bench: Bench) -> None:
    """The entry is read again: what is loaded is the newest edit, never a value that was replaced."""
    waits: list[float] = []
    with closing(Quarantine(bench.config)) as quarantine:
        stage = quarantine.stage

        def stage_late(made: Batch) -> Any:
            staged = stage(made)
            if not waits:
                quarantine.edit(Place(0, 2), order(3, amount=33))
            return staged

        quarantine.edit(Place(0, 2), order(3, amount=3))
        quarantine.stage = stage_late  # type: ignore[method-assign]
        result = retry(quarantine, Wanted(places=(Place(0, 2),)), waits.append)
    assert (result.totals.loaded, len(waits)) == (1, 1)
    assert bench.rows("SELECT amount::INTEGER FROM lake.orders WHERE _offset = 2") == [(33,)]


def test_a_load_between_reading_and_commit_is_seen(bench: Bench) -> None:
    """A load that commits the id first makes the entry a twin: it is split again, not read again."""
    with closing(Quarantine(bench.config)) as quarantine:
        quarantine.edit(Place(0, 2), order(3))
        staged = quarantine.stage(quarantine.again(quarantine.groups(Wanted(places=(Place(0, 2),)))[0]))
        split = quarantine.split(staged)
        quarantine.commit(quarantine.split(quarantine.stage(batch((1, 0, [order(3)])))))
        receipt = quarantine.commit(quarantine.split(staged, split))
    assert (receipt.totals.loaded, receipt.totals.duplicates) == (0, 1)
    assert bench.states()[2] == "duplicate"


def test_it_gives_up_when_others_are_always_first(bench: Bench) -> None:
    """After a few tries it says so, with exit code 75, and nothing is changed."""
    waits: list[float] = []
    with closing(Quarantine(bench.config)) as quarantine:
        stage = quarantine.stage

        def disturbed(made: Batch) -> Any:
            quarantine.edit(Place(0, 2), order(3, amount=len(waits)))
            return stage(made)

        quarantine.stage = disturbed  # type: ignore[method-assign]
        with pytest.raises(FenceLost):
            retry(quarantine, Wanted(), waits.append)
    assert len(waits) == TRIES
    assert set(bench.states().values()) == {"open"}


@pytest.mark.parametrize("is_in", [True, False])
def test_an_unknown_outcome_is_settled(bench: Bench, monkeypatch: pytest.MonkeyPatch, is_in: bool) -> None:
    """COMMIT fails, with or without effect: the drop is done once, and looks the same afterwards."""
    whole, calls = limits.transaction, []

    @contextmanager
    def failing(cursor: Any) -> Iterator[None]:
        calls.append(cursor)
        if len(calls) > 1:
            with whole(cursor):
                yield
            return
        with suppress(LookupError), whole(cursor):
            yield
            if not is_in:
                raise LookupError
        raise CommitFailed("the disk was gone for a moment")

    monkeypatch.setattr(limits, "transaction", failing)
    assert bench.change(lambda q: drop(q, Wanted(reason="json"), "junk", lambda _: None)) == 1
    assert len(calls) == (1 if is_in else 2)
    assert bench.states()[3] == "dropped"
    assert bench.rows("SELECT count(*) FROM lake.loader.batches WHERE kind = 'drop'") == [(1,)]


# edit and drop


def test_only_open_entries_can_be_edited(bench: Bench) -> None:
    """What became a row, and what was never refused, is not edited."""
    bench.change(lambda q: drop(q, Wanted(places=(Place(0, 3),)), "junk", never))
    with closing(Quarantine(bench.config)) as quarantine:
        with pytest.raises(ActionNeeded, match="the entry is dropped, not open"):
            edit(quarantine, Place(0, 3), b"{}", never)
        with pytest.raises(ActionNeeded, match="no such entry"):
            edit(quarantine, Place(0, 0), b"{}", never)
    assert bench.rows("SELECT count(*) FROM lake.loader.batches WHERE kind = 'edit'") == [(0,)]


def test_what_is_dropped_stays_and_is_counted(bench: Bench) -> None:
    """The entry stays with its bytes, the ledger has the count and the reason; nothing retries it."""
    assert bench.change(lambda q: drop(q, Wanted(reason="json"), "a test by hand", never)) == 1
    assert bench.states()[3] == "dropped"
    assert bench.rows(
        "SELECT kind, consumed, quarantined, note FROM lake.loader.batches ORDER BY seq DESC LIMIT 1"
    ) == [("drop", 1, 1, "a test by hand")]
    assert bench.retry().totals.consumed == 5
    assert bench.change(lambda q: drop(q, Wanted(reason="json"), "again", never)) == 0
    assert bench.totals() == (7, 1, 0, 6, 0)


def test_there_must_be_a_warehouse(tmp_path: Path) -> None:
    """A retry before the first load says so, and makes nothing."""
    with pytest.raises(ActionNeeded, match="nothing has been loaded yet"):
        Quarantine(make_config(tmp_path))
    assert list(tmp_path.iterdir()) == []


# which ones


NOON = datetime.fromtimestamp(1_772_000_000, UTC)


@pytest.mark.parametrize(
    ("wanted", "offsets"),
    [
        (Wanted(), [1, 2, 3, 4, 5, 6]),
        (Wanted(reason="type"), [2]),
        (Wanted(reason="Amount: Type"), [2]),
        (Wanted(reason="timestamp: type"), [2]),
        (Wanted(reason="missing"), []),
        (Wanted(column="amount"), [1, 2]),
        (Wanted(column="amount", reason="check"), [1]),
        (Wanted(column="timestamp", reason="amount: type"), []),
        (Wanted(id="ORD000001"), [5]),
        (Wanted(partition=1), []),
        (Wanted(places=(Place(0, 4), Place(0, 6), Place(1, 3))), [4, 6]),
        (Wanted(since=NOON + timedelta(milliseconds=4)), [4, 5, 6]),
        (Wanted(until=NOON + timedelta(milliseconds=2)), [1]),
        (Wanted(batch=1), []),
        (Wanted(state="dropped"), []),
        (Wanted(state=None, reason="utf8"), [6]),
    ],
)
def test_filters(untouched: Bench, wanted: Wanted, offsets: list[int]) -> None:
    """Each filter, alone and with others, finds these entries and no others."""
    with Reader(untouched.config) as reader:
        rows = reader.of_wanted("read/quarantine_list", wanted, most=99)
        count = reader.of_wanted("read/quarantine_count", wanted)[0]["records"]
        places = reader.of_wanted("read/quarantine_places", wanted)
    assert [row["offset"] for row in rows] == offsets
    assert count == len(offsets)
    assert [row["offset"] for row in places] == offsets


def test_the_batch_filter_finds_who_refused_and_who_came_last(bench: Bench) -> None:
    """By the batch of the load, and by that of a retry or drop."""
    [(loaded,)] = bench.rows("SELECT DISTINCT batch FROM lake.loader.quarantine")
    [retried] = bench.retry(Wanted(places=(Place(0, 2),))).batches
    with closing(Quarantine(bench.config)) as quarantine:
        found = [quarantine.groups(Wanted(batch=number))[0].num_rows for number in (loaded, retried)]
    assert found == [6, 1]


# verify


@pytest.mark.parametrize(
    ("check", "damage"),
    [
        ("positions", "UPDATE lake.loader.quarantine SET state = 'open' WHERE state = 'loaded'"),
        ("rows", "UPDATE lake.loader.quarantine SET state = 'open' WHERE state = 'dropped'"),
        ("rows", "UPDATE lake.loader.quarantine SET state = 'dropped' WHERE state = 'open'"),
        ("positions", "DELETE FROM lake.orders WHERE _offset = 2"),
        ("rows", "DELETE FROM lake.orders WHERE _offset = 2"),
        ("positions", "UPDATE lake.orders SET _batch = 5 WHERE _offset = 2"),
        ("rows", "DELETE FROM lake.loader.quarantine WHERE state = 'loaded'"),
        ("positions", "DELETE FROM lake.loader.duplicates"),
        ("rows", "UPDATE lake.loader.batches SET loaded = 2, consumed = consumed + 1 WHERE kind = 'retry'"),
        ("rows", "DELETE FROM lake.loader.batches WHERE kind = 'drop'"),
        ("balance", "UPDATE lake.loader.batches SET quarantined = 9 WHERE kind = 'retry'"),
    ],
)
def test_damage_to_the_life_cycle_is_found(settled: Bench, tmp_path: Path, check: str, damage: str) -> None:
    """Entry, row, duplicate and ledger are held against each other, after retries and drops too."""
    hurt = copied(settled.config, tmp_path)
    with connect(hurt.warehouse) as home:
        home.execute(damage)
    with Reader(hurt) as reader:
        assert {found.name: found.status for found in checks(reader)}[check] == "failed"


def test_the_totals_add_up_after_everything(settled: Bench, tmp_path: Path) -> None:
    """Loaded, duplicate, skipped, dropped and open together are what was consumed."""
    bench = Bench(copied(settled.config, tmp_path))
    bench.load((1, 0, [order(50), b"["]))
    consumed, *places = bench.totals()
    assert (consumed, places) == (9, [3, 1, 5, 0])
    assert consumed == sum(places)
