"""Derived tables equal what they are when they are made anew, whatever was loaded, retried and undone."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from loader.config import Config
from loader.errors import ActionNeeded, ConfigError, HeadMoved, WarehouseMismatch
from loader.model import Identity
from loader.statements import statement
from loader.warehouse import split
from loader.warehouse.attach import connect
from loader.warehouse.change import changes
from loader.warehouse.outbox import Outbox
from loader.warehouse.quarantine import Quarantine
from loader.warehouse.reading import Reader
from loader.warehouse.rebuild import Rebuild
from loader.warehouse.retry import retry
from loader.warehouse.rewind import Undo
from loader.warehouse.store import DuckWarehouse
from loader.warehouse.verify import checks
from loader.warehouse.verify_derived import derived_checks
from loader.warehouse.wanted import Wanted
from tests.making import KINDS, batch, begin, make_config

IDENTITY = Identity("cluster", "orders", "topic-id", 1)
BEGIN = datetime(2026, 3, 3, 10, tzinfo=UTC)
COLUMNS = {
    "order_id": {"type": "VARCHAR"},
    "timestamp": {"type": "TIMESTAMPTZ"},
    "user_id": {"type": "BIGINT", "required": False},
    "action": {"type": "VARCHAR", "required": False},
    "amount": {"type": "DECIMAL(18,2)", "check": "amount >= 0"},
    "currency": {"type": "VARCHAR", "required": False},
}
LENIENT = COLUMNS | {"amount": {"type": "DECIMAL(18,2)"}}
MINUTES = {"table": "minutes", "sql": "orders_per_minute", "key": ["minute", "currency"]}
ALERTS = {
    "table": "alerts", "sql": "fraud_alerts", "key": "alert_id", "keep": "first", "send_to": "fraud_alerts"
}  # fmt: skip

Event = dict[str, Any]
Step = tuple[str, int, int]


def order(number: int, seconds: float = 0, **changes: Any) -> bytes:
    """An order, so many seconds after the beginning."""
    fields = {
        "order_id": f"O{number:04d}",
        "timestamp": (BEGIN + timedelta(seconds=seconds)).isoformat(),
        "user_id": 1,
        "action": "purchase",
        "amount": 10,
        "currency": "EUR",
    }
    return json.dumps(fields | changes).encode()


def configured(folder: Path, kind: str, *derive: dict[str, Any], **columns: Any) -> Config:
    """A pipeline with these derived tables."""
    table = {"columns": columns.get("columns", COLUMNS)}
    return make_config(folder, kind, table=table, derive=list(derive))


class Told:
    """A pipeline with one partition, and the records of its topic."""

    def __init__(self, folder: Path, kind: str, *derive: dict[str, Any]) -> None:
        self.config = configured(folder, kind, *derive)
        self.lenient = configured(folder, kind, *derive, columns=LENIENT)
        self.values: list[bytes] = []
        self._warehouse: DuckWarehouse | None = None
        if all(each.file is None for each in self.config.derive):
            begin(self.config, IDENTITY, {0: 0})
        else:
            self._warehouse = DuckWarehouse(self.config, accept_quarantine=True)
            self._warehouse.record(IDENTITY, {0: 0})

    def load(self, *values: bytes) -> None:
        """One batch of these records, after those that were loaded before."""
        self.values += values
        self.go_on(len(values))

    def go_on(self, count: int) -> None:
        """One batch of the next so many records of the topic."""
        self._warehouse = self._warehouse or DuckWarehouse(self.config, accept_quarantine=True)
        at = self._warehouse.offsets()[0].offset
        if at < len(self.values):
            staged = self._warehouse.stage(batch((0, at, list(self.values[at : at + count]))))
            self._warehouse.commit(self._warehouse.split(staged))
            self._warehouse.discard(staged)

    def close(self) -> Told:
        """Let others write: a DuckDB file has one writer, and no reader beside it."""
        if self._warehouse:
            self._warehouse.close()
            self._warehouse = None
        return self

    def retry(self) -> None:
        """Try all refused records again, by a contract that takes most of them."""
        self.close()
        with closing(Quarantine(self.lenient)) as quarantine:
            retry(quarantine, Wanted(), lambda _: None)

    def rewind(self, offset: int) -> None:
        """Undo from an offset on."""
        self.close()
        with closing(Undo(self.config)) as undo:
            undo.rewind({0: offset}, lambda _, begin, end: len(self.values[begin:end]))

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        """The result of a query."""
        self.close()
        with connect(self.config.warehouse, read_only=True) as home:
            return home.execute(sql).fetchall()

    def verify(self) -> None:
        """Every check of `verify` holds; the derived tables equal a rebuild in the order of batches."""
        self.close()
        with Reader(self.config) as reader:
            found = [*checks(reader), *derived_checks(reader, anew=True)]
            wrong = [check for check in found if check.status != "ok"]
            assert not wrong, wrong
            assert {"derived", "derived anew"} <= {check.name for check in found}


@pytest.fixture(params=KINDS)
def told(request: pytest.FixtureRequest, tmp_path: Path) -> Told:
    """A pipeline with both shipped derived tables, on either warehouse."""
    return Told(tmp_path, request.param, MINUTES, ALERTS)


MINUTES_BY_HAND = """
SELECT date_trunc('minute', timestamp), currency, count(*) FILTER (WHERE action IS DISTINCT FROM 'refund'),
    count(*) FILTER (WHERE action = 'refund'), sum(CASE WHEN action = 'refund' THEN -amount ELSE amount END),
    count(DISTINCT user_id)
FROM lake.orders GROUP BY ALL ORDER BY ALL
"""

EVENTS = st.fixed_dictionaries(
    {
        "number": st.integers(0, 60),  # few ids: twins and conflicts
        "seconds": st.one_of(st.integers(0, 400), st.integers(-200_000, 200_000)),  # in and out of order
        "user_id": st.sampled_from([1, 1, 1, 2, None]),
        "action": st.sampled_from(["purchase", "purchase", "refund", None]),
        "amount": st.sampled_from([1, 2, 3, 500, -1]),  # -1 is refused at first
        "currency": st.sampled_from(["EUR", "EUR", "EUR", "USD", None]),
    }
)
STEPS = st.tuples(st.sampled_from(["load", "load", "load", "retry", "rewind"]), st.integers(1, 60))


@pytest.mark.parametrize("kind", KINDS)
@given(events=st.lists(EVENTS, min_size=30, max_size=90), steps=st.lists(STEPS, min_size=3, max_size=5))
@settings(max_examples=3, suppress_health_check=list(HealthCheck), phases=[Phase.explicit, Phase.generate])
def test_incremental_equals_a_rebuild(
    kind: str, events: Sequence[Event], steps: Sequence[tuple[str, int]]
) -> None:
    """Random streams with duplicates and late rows, in random batches, with retries and rewinds between.

    The roll-up is what a plain GROUP BY gives; a rebuild changes nothing.
    """
    with tempfile.TemporaryDirectory() as folder:
        story = Told(Path(folder), kind, MINUTES, ALERTS)
        story.values = [
            order(event.pop("number"), event.pop("seconds"), **event) for event in map(dict, events)
        ]
        for step, number in [("load", 40), *steps, ("load", 120)]:
            match step:
                case "load":
                    story.go_on(number)
                case "retry":
                    story.retry()
                case "rewind":
                    story.rewind(number)
        story.verify()
        assert story.ask("SELECT * EXCLUDE _batch FROM lake.minutes ORDER BY ALL") == story.ask(
            MINUTES_BY_HAND
        )
        with closing(Rebuild(story.config)) as rebuild:
            before = story_rows(rebuild)
            for derivation in rebuild.wanted([]):
                rebuild.rebuild(derivation)
            assert story_rows(rebuild) == before


def story_rows(rebuild: Rebuild) -> list[Any]:
    """Both derived tables; who has written a row of the roll-up last does not count."""
    run = rebuild._commits.execute
    return [
        run("SELECT * EXCLUDE _batch FROM lake.minutes ORDER BY ALL").fetchall(),
        run("SELECT * FROM lake.alerts ORDER BY ALL").fetchall(),
    ]


def rules(told: Told) -> list[tuple[Any, ...]]:
    """The alerts: rule, and orders."""
    return told.ask("SELECT rule, order_ids::VARCHAR FROM lake.alerts ORDER BY ALL")


def test_each_rule_finds_its_case_and_not_the_one_beside_it(told: Told) -> None:
    """Five orders in a minute, two currencies in ten, three refunds in a day, ten times the mean."""
    told.load(*(order(n, 15 * n) for n in range(5)), *(order(9 + n, 16 * n, user_id=2) for n in range(5)))
    told.load(
        *(order(20 + n, 598 * n, user_id=3, currency=c) for n, c in enumerate(["EUR", "USD"])),
        *(order(30 + n, 601 * n, user_id=4, currency=c) for n, c in enumerate(["EUR", "USD"])),
    )
    told.load(*(order(40 + n, 40_000 * n, user_id=5 + n // 3, action="refund") for n in range(5)))
    told.load(
        *(order(50 + n, 3_600 * n, user_id=8, amount=a) for n, a in enumerate([10] * 5 + [100, 101, 360]))
    )
    assert rules(told) == [
        ("amount", '["O0057"]'),
        ("currencies", '["O0020","O0021"]'),
        ("refunds", '["O0040","O0041","O0042"]'),
        ("velocity", '["O0000","O0001","O0002","O0003","O0004"]'),
    ]
    told.verify()


def test_late_rows_add_alerts_and_take_none_back(told: Told) -> None:
    """The fifth order comes a batch later; late orders lower a mean and raise it again: alerts stay."""
    told.load(*(order(n, 10 * n) for n in (0, 1, 3, 4)), order(10, 90_000, user_id=2, amount=200))
    assert rules(told) == []
    told.load(order(2, 20), *(order(20 + n, 600 * n, user_id=2, amount=1) for n in range(5)))
    found = [("amount", '["O0010"]'), ("velocity", '["O0000","O0001","O0002","O0003","O0004"]')]
    assert rules(told) == found
    told.load(order(30, 4_000, user_id=2, amount=5_000), order(5, 30))
    assert [row for row in rules(told) if row in found] == found
    assert told.ask("SELECT count(*), count(DISTINCT id) FROM lake.loader.outbox") == [(3, 3)]
    told.verify()


def test_a_rewind_undoes_what_was_derived_and_sends_nothing_twice(told: Told) -> None:
    """What was found by rows that go is gone; loaded again it is found again, and is in the outbox once."""
    told.load(*(order(n, n) for n in range(6)))
    told.load(*(order(n, 86_400 * 3 + n) for n in range(6, 12)))
    queued = told.ask("SELECT * FROM lake.loader.outbox ORDER BY ALL")
    assert len(queued) == 2
    told.rewind(5)
    assert told.ask("SELECT order_ids::VARCHAR FROM lake.alerts") == [(json_list(range(5)),)]
    assert told.ask("SELECT sum(orders)::INT FROM lake.minutes") == [(5,)]
    told.verify()
    told.rewind(3)
    assert told.ask("SELECT count(*) FROM lake.alerts") == [(0,)]
    told.go_on(12)
    assert told.ask("SELECT count(*) FROM lake.alerts") == [(2,)]
    assert told.ask("SELECT * FROM lake.loader.outbox ORDER BY ALL") == queued
    told.verify()


def waiting(config: Config, *, upto: int = 0) -> list[int]:
    """What waits in the outbox of the alerts: their numbers of the head. `upto` is marked as sent before."""
    with changes(config) as home:
        outbox = Outbox(home, config.pipeline)
        if upto:
            outbox.mark("alerts", upto)
        return [row.seq for rows in outbox.unsent("alerts") for row in rows]


def test_what_was_sent_is_not_sent_again_when_a_dropped_table_returns(told: Told) -> None:
    """The mark stays: what waited when the table was dropped still waits, and what is new comes after it."""
    told.load(*(order(n, n) for n in range(5)))
    told.load(*(order(n, 86_400 * 3 + n) for n in range(6, 11)))
    first, second = waiting(told.close().config)
    assert waiting(told.config, upto=first) == [second]
    without = configured(told.config.warehouse.file.parent, told.config.warehouse.kind, MINUTES)
    with closing(Rebuild(without)) as rebuild:
        rebuild.drop("alerts")
        assert rebuild.known() == {"minutes"}
    with Reader(without) as reader:
        assert [row["name"] for row in reader.of_pipeline("read/derived")] == ["minutes"]
    DuckWarehouse(without).close()
    with closing(Rebuild(told.config)) as rebuild:
        rebuild.rebuild(rebuild.wanted(["alerts"])[0])
    assert waiting(told.config) == [second]
    assert waiting(told.config, upto=second) == []
    told.load(*(order(n, 86_400 * 6 + n) for n in range(11, 16)))
    assert len(waiting(told.close().config)) == 1
    told.verify()


def test_another_pipeline_may_take_the_name_of_a_dropped_table(told: Told) -> None:
    """Before, it belongs to the pipeline that derives it."""
    told.load(order(1))
    table, folder = {"name": "others", "columns": COLUMNS}, told.close().config.warehouse.file.parent
    other = make_config(folder, told.config.warehouse.kind, pipeline="other", table=table, derive=[ALERTS])
    with pytest.raises(WarehouseMismatch, match="belongs to the pipeline orders"):
        DuckWarehouse(other)
    with closing(Rebuild(told.config)) as rebuild:
        rebuild.drop("alerts")
    DuckWarehouse(other).close()
    with closing(Rebuild(told.config)) as rebuild, pytest.raises(WarehouseMismatch, match="pipeline other"):
        rebuild.rebuild(rebuild.wanted(["alerts"])[0])


PARTS = st.one_of(st.none(), st.sampled_from(["", "|", "\\", "N", "\\N", "||"]), st.text("a|\\N", max_size=3))


@given(rows=st.sets(st.tuples(PARTS, PARTS), max_size=30), both=st.booleans())
def test_different_keys_have_different_ids(rows: set[tuple[str | None, str | None]], *, both: bool) -> None:
    """Whatever stands in their values; the id of a key of one value is that value, where it has no |."""
    key = ["a", "b"] if both else ["a"]
    sql = f"SELECT {statement('derive/id', key=key)} FROM (VALUES (?::VARCHAR, ?::VARCHAR)) AS r (a, b)"
    ids = {row: duckdb.execute(sql, row).fetchall()[0][0] for row in rows}
    assert len(set(ids.values())) == len(rows if both else {a for a, _ in rows})
    for row, id_ in ids.items():
        if not any(value is None or set(value) & set("|\\") for value in row[: len(key)]):
            assert id_ == "|".join(str(value) for value in row[: len(key)])
        if not both and row[0] is not None and "|" not in row[0]:
            assert id_ == row[0]


def test_keys_that_look_alike_are_sent_each(tmp_path: Path) -> None:
    """In one batch and in two: the outbox has them all, and no id twice."""
    pairs = [("a|b", "c"), ("a", "b|c"), ("a", None), ("a", "")]
    (tmp_path / "own.sql").write_text("SELECT currency, action FROM new GROUP BY ALL")
    own = {**ALERTS, "sql": str(tmp_path / "own.sql"), "key": ["currency", "action"]}
    told = Told(tmp_path, "duckdb", own)
    orders = [order(n, currency=a, action=b) for n, (a, b) in enumerate(pairs)]
    told.load(orders[0], orders[2])
    told.load(*orders[1:])
    assert told.ask("SELECT count(*), count(DISTINCT id) FROM lake.loader.outbox") == [(4, 4)]
    told.verify()


def json_list(numbers: range) -> str:
    """The ids of these orders as JSON."""
    return json.dumps([f"O{number:04d}" for number in numbers], separators=(",", ":"))


def test_large_derived_tables_go_to_files_of_our_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Above the limit rows are written by us, and what DuckLake writes to delete the old ones is kept too."""
    monkeypatch.setattr(split, "CONTROL_ROWS", 20)
    monkeypatch.setattr("loader.warehouse.attach.INLINE_CONTROL_ROWS", 10)
    told = Told(tmp_path, "ducklake", MINUTES, ALERTS)
    for first in (0, 100, 50):
        told.load(*(order(first + 3 * n, 60 * n + first) for n in range(50)))
    told.verify()
    written = {path.name.split("-")[0] for path in (tmp_path / "data/main/minutes").glob("*.parquet")}
    assert written == {"loader", "ducklake"}
    told.rewind(70)
    told.verify()
    assert not list(tmp_path.rglob("*.keep"))


def test_another_writer_makes_the_batch_derive_again(told: Told) -> None:
    """A commit between split and commit loses; split again, the rows of the winner are in `so_far`."""
    told.load(*(order(n, n) for n in range(3)))
    told.values += [order(3, 3), order(4, 4), order(5, 5)]
    with closing(DuckWarehouse(told.close().config)) as warehouse:
        staged = warehouse.stage(batch((0, 3, told.values[3:])))
        first = warehouse.split(staged)
        warehouse._bump_head()
        with pytest.raises(HeadMoved):
            warehouse.commit(first)
        again = warehouse.split(staged, first)
        assert again.file == first.file
        assert [part.count for part in again.derived] == [1, 1, 1]
        warehouse.commit(again)
        warehouse.discard(staged)
    told.verify()


def test_who_derives_otherwise_does_not_write(tmp_path: Path) -> None:
    """Another SELECT, a [[derive]] less or one more: refused at the start, with the command that mends it."""
    told = Told(tmp_path, "ducklake", MINUTES)
    told.load(order(1))
    told.close()
    own = {"table": "minutes", "sql": str(tmp_path / "own.sql"), "key": "minute"}
    (tmp_path / "own.sql").write_text("SELECT timestamp AS minute, count(*) AS n FROM so_far GROUP BY ALL;\n")
    for derive, hint in (
        ([], "loader rebuild --drop minutes"),
        ([own], "loader rebuild minutes"),
        ([MINUTES, ALERTS], "loader rebuild alerts"),
    ):
        with pytest.raises(WarehouseMismatch) as refused:
            DuckWarehouse(configured(tmp_path, "ducklake", *derive))
        assert refused.value.hint == hint
    with closing(DuckWarehouse(told.config)) as running:
        staged = running.stage(batch((0, 1, [order(2)])))
        config = configured(tmp_path, "ducklake", own)
        with closing(Rebuild(config)) as rebuild:
            assert rebuild.rebuild(rebuild.wanted([])[0]) == 1
        with pytest.raises(WarehouseMismatch, match="made with another SELECT"):
            running.split(staged)
    told.config = config
    told.load(order(2))
    told.verify()
    with closing(Rebuild(config)) as rebuild:
        rebuild.drop("minutes")
        assert rebuild.known() == set()
        with pytest.raises(ActionNeeded, match="no such derived table"):
            rebuild.drop("minutes")
    DuckWarehouse(configured(tmp_path, "ducklake")).close()


def test_a_rewind_by_an_older_configuration_is_refused(tmp_path: Path) -> None:
    """Tables that a rebuild has made since it was opened would keep what is removed: nothing is undone."""
    told = Told(tmp_path, "ducklake", MINUTES)
    told.load(*(order(n, 60 * n) for n in range(4)))
    told.close()
    config = configured(tmp_path, "ducklake", MINUTES, ALERTS | {"table": "more"})
    with closing(Undo(told.config)) as undo:
        with closing(Rebuild(config)) as rebuild:
            rebuild.rebuild(rebuild.wanted(["more"])[0])
        with pytest.raises(WarehouseMismatch, match=r"no \[\[derive\]\] makes it") as refused:
            undo.rewind({0: 2}, lambda *_: None)
        assert refused.value.hint == "loader rebuild --drop more"
    told.config = config
    assert told.ask("SELECT count(*) FROM lake.orders") == [(4,)]
    told.rewind(2)
    told.verify()


def test_a_derive_file_may_be_laid_out_anew(tmp_path: Path) -> None:
    """Comments, white space and the case of keywords are no other SELECT; a number in it is one."""
    file = tmp_path / "own.sql"
    own = {"table": "minutes", "sql": str(file), "key": "minute"}
    file.write_text("SELECT timestamp AS minute, count(*) AS n FROM so_far WHERE amount > 1 GROUP BY ALL;\n")
    told = Told(tmp_path, "ducklake", own)
    told.load(order(1))
    told.close()
    file.write_text("""-- by minute
        select timestamp as minute,
            count( * ) as n  /* orders */
        from so_far where amount>1 group by all
    """)
    told.load(order(2))
    told.verify()
    file.write_text(file.read_text().replace("amount>1", "amount>2"))
    with pytest.raises(WarehouseMismatch, match="made with another SELECT"):
        told.load(order(3))


def test_a_name_that_is_taken_is_refused(tmp_path: Path) -> None:
    """A derived table never takes the place of a table that it did not make."""
    told = Told(tmp_path, "ducklake", MINUTES)
    told.load(order(1))
    told.close()
    with connect(told.config.warehouse) as home:
        home.execute("CREATE TABLE lake.main.alerts (mine INTEGER)")
    with (
        closing(Rebuild(configured(tmp_path, "ducklake", MINUTES, ALERTS))) as rebuild,
        pytest.raises(WarehouseMismatch, match="a table that the loader did not make"),
    ):
        rebuild.rebuild(rebuild.wanted(["alerts"])[0])


@pytest.mark.parametrize(
    ("sql", "what"),
    [
        ("SELECT now() AS minute FROM new", "the function now is refused"),
        ("SELECT current_date AS minute", "current_date is refused"),
        ("SELECT random() AS minute FROM new", "the function random is refused"),
        ("SELECT 1 AS minute FROM lake.main.orders", "the table main.orders is refused"),
        ("SELECT 1 AS minute FROM read_csv('/etc/passwd')", "the function read_csv is refused"),
        ("SELECT 1 AS minute FROM '/etc/passwd'", "does not exist"),
        ("SELECT 1 AS minute FROM customers", "customers does not exist"),
        ("DELETE FROM new", "SELECT"),
        ("SELECT 1 AS minute; SELECT 2 AS minute", "must be one SELECT"),
        ("SELECT amont AS minute FROM new", "no column amont; did you mean amount?"),
        ("SELECT 1 AS hour FROM new", "the SELECT gives no column minute"),
        ("SELECT 1 AS minute, [2] AS x FROM new", "column x: INTEGER[] is nested"),
        ("SELECT 1 AS minute, sum(user_id) AS x FROM new", "HUGEINT cannot be kept exactly"),
        ("SELECT 1 AS minute, 2 AS _batch FROM new", "belong to the loader"),
        ("SELEC", "syntax error"),
    ],
)
def test_a_derive_file_is_one_select_of_the_pipelines_rows(tmp_path: Path, sql: str, what: str) -> None:
    """What would not come out the same when it is made anew is refused before anything is read."""
    (tmp_path / "own.sql").write_text(sql)
    own = {"table": "minutes", "sql": "own.sql", "key": "minute"}
    with pytest.raises(ConfigError) as refused:
        DuckWarehouse(configured(tmp_path, "ducklake", own))
    assert what in str(refused.value)
    assert refused.value.address.startswith("derive[0].")


def test_a_select_that_fails_loads_nothing(tmp_path: Path) -> None:
    """A value that a SELECT cannot take, or a key twice, stops the load with nothing written."""
    for sql, what in (
        ("SELECT CAST(currency AS INTEGER) AS minute FROM new", "Could not convert string 'EUR'"),
        ("SELECT 1 AS minute FROM new", "gives the key 1 in 2 rows"),
    ):
        folder = tmp_path / str(len(what))
        folder.mkdir()
        (folder / "own.sql").write_text(sql)
        own = {"table": "minutes", "sql": "own.sql", "key": "minute"}
        story = Told(folder, "ducklake", own)
        with pytest.raises(ActionNeeded, match=what):
            story.load(order(1), order(2))
        assert story.ask("SELECT count(*) FROM lake.loader.batches") == [(0,)]
