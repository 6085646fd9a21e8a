"""Undo on both warehouses: load, rewind anywhere, load: the same table as without, and proved in between."""

from __future__ import annotations

import random
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from loader.config import Config
from loader.errors import HeadMoved
from loader.model import CHUNK_SCHEMA, Batch, Identity, Span, new_batch_id
from loader.warehouse.attach import connect
from loader.warehouse.quarantine import Quarantine
from loader.warehouse.reading import Reader
from loader.warehouse.retry import drop, retry
from loader.warehouse.rewind import Undo
from loader.warehouse.store import DuckWarehouse
from loader.warehouse.verify import checks
from loader.warehouse.wanted import Wanted
from tests.making import KINDS, ORDER_COLUMNS, begin, copied, make_config, order, records

PARTITIONS = 2
LENGTH = 240  # offsets of each partition

Log = dict[int, list[bytes | str | None]]
"""The values of each partition by offset; a text stands for a hole."""


def told(seed: int) -> Log:
    """Orders that stay in their partition, with twins, conflicts, poison, tombstones and holes among them."""
    chance, log = random.Random(seed), {}
    for partition in range(PARTITIONS):
        values: list[bytes | str | None] = []
        for number in range(LENGTH):
            name = 1_000 * partition + number
            earlier = 1_000 * partition + chance.randrange(number + 1)
            values.append(
                chance.choices(
                    [
                        order(name),
                        order(earlier),
                        order(earlier, amount=0.5),
                        order(name, amount=-1),
                        b"{",
                        None,
                        "hole",
                    ],
                    [12, 2, 1, 2, 1, 1, 1],
                )[0]
            )
        log[partition] = values
    return log


def taken(log: Log, places: Mapping[int, int], ends: Mapping[int, int]) -> Batch:
    """The batch from these places to those ends."""
    spans = tuple(Span(p, places[p], ends[p], 0) for p in log if places[p] < ends[p])
    chunks = [
        records(span.partition, offset, [value])
        for span in spans
        for offset in range(span.begin, span.end)
        if not isinstance(value := log[span.partition][offset], str)
    ]
    return Batch(new_batch_id(), spans, pa.Table.from_batches(chunks, schema=CHUNK_SCHEMA))


class Story:
    """A pipeline on a log, and what was done to it."""

    def __init__(self, config: Config, log: Log) -> None:
        self.config, self.log = config, log
        begin(config, Identity("cluster", "orders", "topic-id", PARTITIONS), dict.fromkeys(log, 0))

    def load(self, chance: random.Random, upto: int = LENGTH) -> None:
        """Load on in batches of random sizes, up to an offset in all partitions."""
        with closing(DuckWarehouse(self.config, accept_quarantine=True)) as warehouse:
            while True:
                at = {p: position.offset for p, position in warehouse.offsets().items()}
                if min(at.values()) >= upto:
                    return
                ends = {p: max(at[p], min(upto, at[p] + chance.randrange(1, 120))) for p in at}
                staged = warehouse.stage(taken(self.log, at, ends))
                warehouse.commit(warehouse.split(staged))
                warehouse.discard(staged)

    def rewind(self, places: Mapping[int, int]) -> None:
        """Undo; the log answers how many records it holds."""
        with closing(Undo(self.config)) as undo:
            undo.rewind(places, self.count)

    def count(self, partition: int, begin: int, end: int) -> int:
        """How many records the log holds in a range."""
        return sum(not isinstance(value, str) for value in self.log[partition][begin:end])

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        """The result of a query; the balance is proved before."""
        return self.answers(sql)[0]

    def answers(self, *queries: str) -> list[list[tuple[Any, ...]]]:
        """The result of each query; the balance is proved before."""
        with Reader(self.config) as reader:
            wrong = [check for check in checks(reader) if check.status != "ok"]
            assert not wrong, wrong
        with connect(self.config.warehouse, read_only=True) as home:
            return [home.execute(sql).fetchall() for sql in queries]

    def table(self) -> list[list[tuple[Any, ...]]]:
        """The rows, but for their batches; and every place of the other records."""
        columns = "order_id, timestamp, user_id, amount, _partition, _offset, _kafka_time"
        return self.answers(
            f"SELECT {columns} FROM lake.orders ORDER BY ALL",
            'SELECT partition, "offset", id, first_offset FROM lake.loader.duplicates ORDER BY ALL',
            'SELECT partition, "offset", value, reasons FROM lake.loader.quarantine ORDER BY ALL',
            "SELECT partition, next_offset FROM lake.loader.offsets ORDER BY ALL",
        )

    def sums(self) -> list[dict[str, Any]]:
        """Where the records of each partition ended, as `verify` prints it."""
        with Reader(self.config) as reader:
            return reader.of_pipeline("read/partitions")


def story(folder: Path, kind: str, log: Log, name: str = "one") -> Story:
    """A pipeline in a folder of its own; tombstones are skipped."""
    (folder / name).mkdir()
    return Story(make_config(folder / name, kind, table={"tombstones": "skip"}), log)


BEYOND = (
    "SELECT count(*) FROM lake.orders JOIN lake.loader.offsets AS o "
    "ON partition = _partition WHERE _offset >= next_offset"
)


@pytest.mark.parametrize(
    ("kind", "seed"), [("ducklake", 0), ("ducklake", 1), *(("duckdb", seed) for seed in range(4))]
)
def test_after_a_rewind_and_a_load_all_is_as_if_there_was_none(tmp_path: Path, kind: str, seed: int) -> None:
    """Random batches, rewinds to random offsets (in the middle of spans too), loads: the same in the end.

    Every check of `verify` holds after each step, and the counts of past batches never change. What is never
    undone is loaded into a DuckDB file: both kinds of warehouse hold the same.
    """
    chance, log = random.Random(seed), told(seed)
    plain, undone = story(tmp_path, "duckdb", log, "plain"), story(tmp_path, kind, log, "undone")
    plain.load(chance)
    past: list[tuple[Any, ...]] = []
    for _ in range(2):
        undone.load(chance, chance.randrange(60, LENGTH))
        for _ in range(2):
            partitions = chance.sample(range(PARTITIONS), chance.randint(1, PARTITIONS))
            undone.rewind({p: chance.randrange(LENGTH) for p in partitions})
            batches, beyond = undone.answers("SELECT * FROM lake.loader.batches ORDER BY seq", BEYOND)
            assert batches[: len(past)] == past
            past = batches
            assert beyond == [(0,)]
    undone.load(chance)
    assert undone.table() == plain.table()
    assert undone.sums() == plain.sums()


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_retried_and_dropped_is_undone_too(tmp_path: Path, kind: str) -> None:
    """Rows that came from quarantine go with their entries; the ledger of retry and drop still adds up."""
    values = [
        order(0),
        order(1, amount=-1),
        b"{",
        order(2, amount=-2),
        order(0),
        order(1, amount=-1),
        b"[",
        None,
    ]
    log: Log = {0: [*values, order(3), order(4, amount=-4)], 1: [order(9)]}
    kept = story(tmp_path, kind, log)
    with closing(DuckWarehouse(kept.config, accept_quarantine=True)) as warehouse:
        warehouse.commit(warehouse.split(warehouse.stage(taken(log, {0: 0, 1: 0}, {0: 10, 1: 1}))))
    mended = make_config(
        kept.config.warehouse.file.parent, kind,
        table={"tombstones": "skip", "columns": {**ORDER_COLUMNS, "amount": {"type": "DECIMAL(18,2)"}}},
    )  # fmt: skip
    with closing(Quarantine(mended)) as quarantine:
        done = retry(quarantine, Wanted(reason="amount: check"), lambda _: None)
        assert (done.totals.loaded, done.totals.duplicates) == (3, 1)
        assert drop(quarantine, Wanted(), "junk", lambda _: None) == 2
    kept.rewind({0: 3})
    rows, entries, undone, cut = kept.answers(
        "SELECT _offset FROM lake.orders WHERE _partition = 0 ORDER BY 1",
        'SELECT "offset", state FROM lake.loader.quarantine ORDER BY 1',
        "SELECT state, sum(entries)::INT FROM lake.loader.undone GROUP BY ALL ORDER BY 1",
        "SELECT begin_offset, end_offset, consumed, loaded, duplicates, quarantined, skipped, holes "
        "FROM lake.loader.spans WHERE cut_by IS NOT NULL",
    )
    assert rows == [(0,), (1,)]
    assert entries == [(1, "loaded"), (2, "dropped")]
    assert undone == [("dropped", 1), ("duplicate", 1), ("loaded", 2)]
    assert cut == [(0, 3, 3, 1, 0, 2, 0, 0)]
    kept.rewind({0: 1})
    assert kept.ask("SELECT count(*) FROM lake.loader.quarantine") == [(0,)]
    kept.load(random.Random(1), 1)
    with closing(DuckWarehouse(mended)) as warehouse:
        warehouse.commit(warehouse.split(warehouse.stage(taken(log, {0: 1, 1: 1}, {0: 10, 1: 1}))))
    assert kept.ask("SELECT order_id, _offset FROM lake.orders WHERE _partition = 0 ORDER BY 2") == [
        (f"ORD{number:06d}", offset) for number, offset in ((0, 0), (1, 1), (2, 3), (3, 8), (4, 9))
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_a_twin_elsewhere_waits_for_its_first(tmp_path: Path, kind: str) -> None:
    """A duplicate whose first record is undone is named before and after, until that is loaded again."""
    log: Log = {0: [order(1), order(2)], 1: [order(2), order(3)]}
    twins = story(tmp_path, kind, log)
    for places, ends in (({0: 0, 1: 0}, {0: 2, 1: 0}), ({0: 2, 1: 0}, {0: 2, 1: 2})):
        with closing(DuckWarehouse(twins.config)) as warehouse:
            warehouse.commit(warehouse.split(warehouse.stage(taken(log, places, ends))))
    before = twins.table()
    with closing(Undo(twins.config)) as undo:
        foreseen = undo.foresee({0: 1}, twins.count)
        assert foreseen.orphaned == ({"partition": 1, "first": 0, "records": 1, "former": False},)
        assert undo.foresee({0: 1, 1: 0}, twins.count).orphaned == ()
        undo.undo(foreseen)
    with Reader(twins.config) as reader:
        assert "duplicates that wait for a first record, which was undone: 1" in checks(reader)[0].detail
    twins.load(random.Random(1), 2)
    assert twins.table() == before
    with Reader(twins.config) as reader:
        detail = checks(reader)[0].detail
    assert detail.endswith("; 1 span voided by 1 rewind")


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_foreseen_is_undone_or_nothing(tmp_path: Path, kind: str) -> None:
    """A commit between the look and the undo makes it fail, with nothing changed."""
    log: Log = {0: [order(number) for number in range(20)], 1: [order(99)]}
    raced = story(tmp_path, kind, log)
    raced.load(random.Random(2), 1)
    with closing(Undo(raced.config)) as undo:
        foreseen = undo.foresee({0: 0}, raced.count)
        undo.commit(undo.split(undo.stage(taken(log, {0: 1, 1: 1}, {0: 10, 1: 1}))))
        with pytest.raises(HeadMoved):
            undo.undo(foreseen)
    assert raced.ask("SELECT count(*) FROM lake.orders") == [(11,)]


@pytest.fixture(scope="module", params=KINDS)
def rewound(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Config:
    """A warehouse with two batches, the last of which was cut by a rewind."""
    log: Log = {0: [order(number) for number in range(20)], 1: [order(99)]}
    made = story(tmp_path_factory.mktemp("rewound"), request.param, log)
    made.load(random.Random(2), 1)
    with closing(DuckWarehouse(made.config)) as warehouse:
        warehouse.commit(warehouse.split(warehouse.stage(taken(log, {0: 1, 1: 1}, {0: 20, 1: 1}))))
    made.rewind({0: 7})
    made.ask("SELECT 1")
    return made.config


@pytest.mark.parametrize(
    ("damage", "check"),
    [
        ("UPDATE lake.loader.spans SET voided_by = NULL WHERE voided_by IS NOT NULL", "chain"),
        ("DELETE FROM lake.loader.spans WHERE cut_by IS NOT NULL", "chain"),
        ("UPDATE lake.loader.spans SET cut_by = 7 WHERE cut_by IS NOT NULL", "balance"),
        (
            "UPDATE lake.loader.batches SET loaded = 1, consumed = 1 WHERE kind = 'rewind'",
            "balance",
        ),
        ("UPDATE lake.main.orders SET _offset = 19 WHERE _offset = 4", "positions"),
    ],
)
def test_damage_to_what_a_rewind_wrote_is_found(
    rewound: Config, tmp_path: Path, damage: str, check: str
) -> None:
    """`verify` holds voided spans, what is left of them and the rewind's own counts against each other."""
    hurt = copied(rewound, tmp_path)
    with connect(hurt.warehouse) as home:
        home.execute(damage)
    with Reader(hurt) as reader:
        assert {found.name: found.status for found in checks(reader)}[check] == "failed"
