"""The table follows a changed contract in the transaction of the first batch that needs it, or refuses."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import closing
from decimal import Decimal
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from loader.contract.shape import _holds
from loader.errors import WarehouseMismatch
from loader.model import Identity, Totals
from loader.types import INTEGERS, SqlType, parse_type
from loader.warehouse.attach import connect
from loader.warehouse.migrate import open_warehouse
from loader.warehouse.reading import Reader, score_rows
from loader.warehouse.store import DuckWarehouse
from loader.warehouse.verify import checks
from loader.warehouse.wanted import Wanted
from tests.making import KINDS, ORDER_COLUMNS, batch, copied, make_config, order

CURRENCY = {"type": "VARCHAR", "required": False}
IDENTITY = Identity("cluster", "orders", "topic-id", 1)


class Lab:
    """One warehouse; each `worker` has a contract of its own. Offsets count up by themselves."""

    def __init__(self, folder: Path, kind: str) -> None:
        self.folder = folder
        self.kind = kind
        self.next = 0
        self.opened: list[DuckWarehouse] = []

    def copy(self, folder: Path) -> Lab:
        """The same in another folder."""
        self.close()
        copied(self.config(), folder)
        made = Lab(folder, self.kind)
        made.next = self.next
        return made

    def config(self, columns: Mapping[str, Any] | None = None, **table: Any) -> Any:
        """The orders' contract with other columns (None: without that column) or keys of the table."""
        given = {**ORDER_COLUMNS, **(columns or {})}
        chosen = {name: column for name, column in given.items() if column is not None}
        return make_config(self.folder, self.kind, table={"columns": chosen, **table})

    def worker(self, columns: Mapping[str, Any] | None = None, **table: Any) -> DuckWarehouse:
        """A worker with this contract."""
        self.opened.append(DuckWarehouse(self.config(columns, **table), accept_quarantine=True))
        if self.opened[-1].recorded() is None:
            self.opened[-1].record(IDENTITY, {0: 0})
        return self.opened[-1]

    def load(self, worker: DuckWarehouse, *values: bytes) -> Totals:
        """Take values all the way; where they ended."""
        staged = worker.stage(batch((0, self.next, list(values))))
        try:
            receipt = worker.commit(worker.split(staged))
        finally:
            worker.discard(staged)
        self.next += len(values)
        return receipt.totals

    def close(self) -> None:
        """Close all workers."""
        while self.opened:
            self.opened.pop().close()

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """The result of a query, without any worker."""
        self.close()
        with connect(self.config().warehouse, read_only=True) as home:
            return home.execute(sql).fetchall()

    def types(self) -> dict[str, str]:
        """The table's columns as they are."""
        return {row[0]: row[1] for row in self.rows("DESCRIBE lake.main.orders")}

    def is_proved(self, columns: Mapping[str, Any] | None = None, **table: Any) -> bool:
        """Whether `verify` finds nothing."""
        self.close()
        with Reader(self.config(columns, **table)) as reader:
            return {check.status for check in checks(reader)} == {"ok"}


@pytest.fixture(scope="module", params=KINDS)
def loaded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """100 orders loaded in a batch (a file in a lake), and 3 in another (inlined there)."""
    made = Lab(tmp_path_factory.mktemp("loaded"), request.param)
    worker = made.worker()
    made.load(worker, *(order(n) for n in range(100)))
    made.load(worker, *(order(n) for n in range(100, 103)))
    made.close()
    return made


@pytest.fixture
def lab(loaded: Lab, tmp_path: Path) -> Iterator[Lab]:
    """A copy of it."""
    made = loaded.copy(tmp_path)
    yield made
    made.close()


# following


@pytest.mark.fault(45)
def test_a_new_column_comes_with_the_first_batch_that_needs_it(lab: Lab) -> None:
    """Opening changes nothing; the batch brings column and rows; old rows are NULL there; all is proved."""
    before = lab.types()
    worker = lab.worker({"currency": CURRENCY})
    assert lab.types() == before
    worker = lab.worker({"currency": CURRENCY})
    assert lab.load(worker, *(order(n, currency="EUR") for n in range(200, 300))).loaded == 100
    assert lab.load(worker, order(300, currency="USD"), order(301)).loaded == 2
    assert lab.types() == {**before, "currency": "VARCHAR"}
    counted = lab.rows("SELECT currency, count(*) FROM lake.main.orders GROUP BY ALL ORDER BY ALL NULLS LAST")
    assert counted == [("EUR", 100), ("USD", 1), (None, 104)]
    sql = "SELECT order_id, amount, currency, _offset FROM lake.main.orders WHERE _offset IN (5, 203)"
    assert sorted(lab.rows(sql)) == [
        ("ORD000005", Decimal("5.25"), None, 5),
        ("ORD000300", Decimal("300.25"), "USD", 203),
    ]
    assert lab.is_proved({"currency": CURRENCY})


def test_readers_with_the_new_contract_read_the_table_as_it_is(lab: Lab) -> None:
    """Until the column comes, what compares rows with an answer key goes by the columns that are there."""
    config = lab.config({"currency": CURRENCY})
    assert {tuple(row) for row in score_rows(config)} == {tuple(ORDER_COLUMNS)}
    lab.load(lab.worker({"currency": CURRENCY}), order(200))
    lab.close()
    assert {tuple(row) for row in score_rows(config)} == {(*ORDER_COLUMNS, "currency")}


def test_a_new_column_with_a_default_leaves_old_rows_null(lab: Lab) -> None:
    """Nothing is claimed of records that were read before; those read from now on have the default."""
    columns = {"currency": {"type": "VARCHAR", "default": "EUR"}}
    assert lab.load(lab.worker(columns), order(200), order(201, currency="USD")).loaded == 2
    found = lab.rows("SELECT DISTINCT currency FROM lake.main.orders ORDER BY ALL NULLS LAST")
    assert found == [("EUR",), ("USD",), (None,)]
    assert lab.load(lab.worker(columns), order(202)).loaded == 1  # opened again: nothing to change
    assert lab.is_proved(columns)


def test_a_row_is_compared_by_the_columns_it_could_hold(lab: Lab) -> None:
    """A record sent again with a column that came later is a twin if the old columns agree.

    It is a conflict if they do not, or if the stored row was written after the column came.
    """
    worker = lab.worker({"currency": CURRENCY})
    first = [order(5, currency="EUR"), order(101, currency="EUR"), order(6, amount=1, currency="EUR")]
    assert lab.load(worker, *first) == Totals(consumed=3, duplicates=2, quarantined=1)
    again = [order(200, currency="EUR"), order(200, currency="USD"), order(200, currency="EUR")]
    assert lab.load(worker, *again) == Totals(consumed=3, loaded=1, duplicates=1, quarantined=1)
    later = [order(200, currency="EUR"), order(200, currency="USD"), order(200), order(7, currency="X")]
    assert lab.load(worker, *later) == Totals(consumed=4, duplicates=2, quarantined=2)
    more = {"currency": CURRENCY, "channel": CURRENCY}
    lab.close()
    third = [order(200, currency="EUR", channel="web"), order(200, channel="web"), order(8, channel="web")]
    assert lab.load(lab.worker(more), *third) == Totals(consumed=3, duplicates=2, quarantined=1)
    assert lab.is_proved(more)


def test_rules_and_required_to_optional_change_nothing(lab: Lab) -> None:
    """A check, a zone, allowed values, and a column that may be missing now: the table stays."""
    before = lab.types()
    columns = {
        "amount": {"type": "DECIMAL(18,2)", "required": False},
        "user_id": {"type": "BIGINT", "default": 7},
    }
    assert lab.load(lab.worker(columns), order(200, amount=None), order(5)).loaded == 1
    assert lab.types() == before
    assert lab.is_proved(columns)


def test_a_new_default_does_not_make_conflicts_of_records_sent_again(lab: Lab) -> None:
    """A stored NULL means what a missing value means now; a record that says something else is a conflict."""
    lab.load(lab.worker(), order(500, user_id=None))
    lab.close()
    worker = lab.worker({"user_id": {"type": "BIGINT", "default": 7}})
    sent = [order(500, user_id=None), order(500, user_id=7), order(500, user_id=8), order(5)]
    assert lab.load(worker, *sent) == Totals(consumed=4, duplicates=3, quarantined=1)


def test_the_ledger_says_which_contract_and_since_when(lab: Lab) -> None:
    """Each batch has the contract's digest; loader.contracts has the head's number of each change."""
    lab.load(lab.worker({"currency": CURRENCY}), order(200))
    contracts = lab.rows("SELECT seq, contract FROM lake.loader.contracts ORDER BY seq")
    batches = lab.rows("SELECT seq, contract FROM lake.loader.batches ORDER BY seq")
    assert [seq for seq, _ in contracts] == [1, batches[2][0]]
    assert [digest for _, digest in batches] == [contracts[0][1], contracts[0][1], contracts[1][1]]


# wider types

PLAIN = [
    *INTEGERS,
    "DECIMAL(4,2)",
    "DECIMAL(9,2)",
    "DECIMAL(18,4)",
    "DECIMAL(38,2)",
    "DECIMAL(20,0)",
    "FLOAT",
    "DOUBLE",
]


def pairs(kind: str) -> list[tuple[SqlType, SqlType]]:
    """All widenings of plain types; a lake cannot hold HUGEINT."""
    types = [parse_type(text) for text in PLAIN if not (kind == "ducklake" and text == "HUGEINT")]
    return [(old, new) for old, new in product(types, types) if old != new and _holds(new, old, inside=False)]


def extremes(type_: SqlType) -> tuple[str, str]:
    """The JSON texts of its smallest and largest value."""
    if type_.is_integer:
        low, high = INTEGERS[type_.kind]
        return str(low), str(high)
    if type_.kind == "DECIMAL":
        digits = "9" * (type_.precision - type_.scale) + ("." + "9" * type_.scale if type_.scale else "")
        return f"-{digits}", digits
    return ("-3.5e38", "0.1") if type_.kind == "DOUBLE" else ("-3.25e38", "0.1")


def wide(number: int, texts: list[str]) -> bytes:
    """An order whose columns c0, c1, … have these texts."""
    told = order(number).decode()[:-1]
    return (told + "".join(f', "c{n}": {text}' for n, text in enumerate(texts)) + "}").encode()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.fault(45)
def test_every_widening_keeps_every_value(tmp_path: Path, kind: str) -> None:
    """The extremes of the old type stay what they are, those of the new one fit; twins are still twins."""
    lab, known = Lab(tmp_path, kind), pairs(kind)
    assert len(known) > 40
    before = {f"c{n}": {"type": str(old)} for n, (old, _) in enumerate(known)}
    after = {f"c{n}": {"type": str(new)} for n, (_, new) in enumerate(known)}
    old = [wide(number, [extremes(type_)[number % 2] for type_, _ in known]) for number in range(70)]
    worker = lab.worker(before)
    assert lab.load(worker, *old).loaded == 70
    columns = ", ".join(before)
    names = ", ".join(f"CAST({name} AS VARCHAR)" for name in before)
    lab.close()
    query = f"SELECT order_id, {columns} FROM lake.main.orders WHERE _offset < 70 ORDER BY order_id"
    stored = lab.rows(query)
    new = [wide(100 + n, [extremes(type_)[n % 2] for _, type_ in known]) for n in range(70)]
    worker = lab.worker(after)
    assert lab.load(worker, *new, *old) == Totals(consumed=140, loaded=70, duplicates=70)
    assert lab.load(worker, *new, *old) == Totals(consumed=140, duplicates=140)
    assert lab.rows(query) == stored
    types = lab.types()
    assert {parse_type(types[f"c{n}"]) for n in range(len(known))} == {new for _, new in known}
    query = f"SELECT {names} FROM lake.main.orders WHERE _offset IN (70, 71) ORDER BY _offset"
    found = lab.rows(query)
    for row, number in zip(found, (0, 1), strict=True):
        for text, (_, type_) in zip(row, known, strict=True):
            wanted = extremes(type_)[number]
            assert (
                float(text) == float(wanted) if "DOUBLE" in str(type_) else Decimal(text) == Decimal(wanted)
            )
    highest = [f"c{n} >= CAST({extremes(type_)[1]} AS {type_})" for n, (_, type_) in enumerate(known)]
    counts = [f"(SELECT count(*) FROM lake.main.orders WHERE {condition})" for condition in highest]
    (row,) = lab.rows(f"SELECT {', '.join(counts)}")
    assert min(row) >= 35, dict(zip(highest, row, strict=True))  # the files' statistics hide no row
    assert lab.is_proved(after)


ITEMS = "STRUCT(sku VARCHAR, quantity INTEGER)[]"
MORE_ITEMS = "STRUCT(sku VARCHAR, price DECIMAL(18,2), quantity BIGINT)[]"


def items(number: int, *given: dict[str, Any] | None) -> bytes:
    """An order with items."""
    return json.dumps({**json.loads(order(number)), "items": given}).encode()


@pytest.mark.parametrize("kind", KINDS)
def test_fields_inside_of_nested_columns_are_followed(tmp_path: Path, kind: str) -> None:
    """A field that joins a STRUCT is NULL in old rows and no part of their content; wider ones are wider."""
    lab = Lab(tmp_path, kind)
    lab.load(lab.worker({"items": {"type": ITEMS}}), items(1, {"sku": "a", "quantity": 1}, None), items(2))
    columns = {"items": {"type": MORE_ITEMS}}
    lab.close()
    worker = lab.worker(columns)
    sent = [
        items(1, {"sku": "a", "quantity": 1, "price": 2.5}, None),  # twin: price was not read then
        items(1, {"sku": "a", "quantity": 2**40, "price": 2.5}, None),  # conflict
        items(2),
        items(3, {"sku": "b", "quantity": 2**40, "price": 2.5}),
    ]
    assert lab.load(worker, *sent) == Totals(consumed=4, loaded=1, duplicates=2, quarantined=1)
    assert lab.load(worker, *sent) == Totals(consumed=4, duplicates=3, quarantined=1)
    assert lab.load(worker, items(3, {"sku": "b", "quantity": 2**40, "price": 1})).quarantined == 1
    found = lab.rows("SELECT items FROM lake.main.orders ORDER BY order_id")
    assert found == [
        ([{"sku": "a", "price": None, "quantity": 1}, None],),
        ([],),
        ([{"sku": "b", "price": Decimal("2.50"), "quantity": 2**40}],),
    ]
    turned = {"items": {"type": "STRUCT(quantity BIGINT, sku VARCHAR, price DECIMAL(18,2))[]"}}
    assert lab.load(lab.worker(turned), *sent, items(4, {"sku": "c"})).loaded == 1  # order means nothing
    assert lab.is_proved(turned)


# refusing

REFUSED: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({"user_id": None}, {}, r"user_id BIGINT is not in the contract \(keep it with required = false\)"),
    ({"user_id": {"type": "INTEGER"}}, {}, r"user_id is BIGINT in the table, INTEGER in the contract"),
    ({"amount": {"type": "DECIMAL(18,3)"}}, {}, r"amount is DECIMAL\(18,2\) in the table, DECIMAL\(18,3\)"),
    ({"amount": {"type": "VARCHAR"}}, {}, r"amount is DECIMAL\(18,2\) in the table, VARCHAR in the contract"),
    (
        {"user_id": {"type": "BIGINT"}},
        {"id": ["order_id", "user_id"]},
        r"the id is order_id in the table, order_id, user_id in the contract",
    ),
    ({"note": {"type": "VARCHAR"}}, {}, r"note is required now, but the table holds rows without it"),
    ({"user_id": {"type": "BIGINT"}}, {}, r"user_id is required now, but the table holds rows without it"),
    (
        {"amount": {"type": "DECIMAL(18,2)", "from": "$.sum"}},
        {},
        r"amount came from amount so far, not from \$\.sum",
    ),
    ({"user_id": None, "User_ID": {"type": "BIGINT"}}, {}, r"User_ID is called user_id in the table"),
]


@pytest.fixture(scope="module")
def with_null(loaded: Lab, tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """A row more, without an optional column."""
    made = loaded.copy(tmp_path_factory.mktemp("with_null"))
    made.load(made.worker(), order(500, user_id=None))
    made.close()
    return made


@pytest.mark.parametrize(("columns", "table", "words"), REFUSED)
@pytest.mark.fault(45)
def test_what_cannot_be_followed_is_refused_by_name(
    with_null: Lab, tmp_path: Path, columns: dict[str, Any], table: dict[str, Any], words: str
) -> None:
    """The message names the column, the table's side and the contract's, and a way on; nothing changes."""
    lab = with_null.copy(tmp_path)
    before = lab.rows("SELECT * FROM lake.loader.head"), lab.types()
    with pytest.raises(WarehouseMismatch, match=words) as refused:
        lab.worker(columns, **table)
    assert "give pipeline, kafka.group and table.name new names" in refused.value.hint
    assert (lab.rows("SELECT * FROM lake.loader.head"), lab.types()) == before


def test_all_differences_are_told_at_once(lab: Lab) -> None:
    """Two reasons, one line."""
    with pytest.raises(WarehouseMismatch) as refused:
        lab.worker({"user_id": None, "amount": {"type": "DOUBLE"}})
    assert refused.value.message.count(";") == 1


def test_a_column_that_someone_else_added_is_refused(lab: Lab) -> None:
    """A column that neither this contract nor any before it names stops the load, with a way on."""
    with connect(lab.config().warehouse) as home:
        home.execute("ALTER TABLE lake.main.orders ADD COLUMN note VARCHAR")
    with pytest.raises(
        WarehouseMismatch, match=r"note VARCHAR .* \(someone else added it: name it, or drop it\)"
    ):
        lab.worker()
    assert lab.load(lab.worker({"note": CURRENCY}), order(5, note="x"), order(400, note="y")).loaded == 1
    assert lab.is_proved({"note": CURRENCY})


def test_a_column_that_someone_dropped_is_not_made_again(lab: Lab) -> None:
    """What was loaded into it is gone: a person must look, an empty column must not hide it."""
    with connect(lab.config().warehouse) as home:
        home.execute("ALTER TABLE lake.main.orders DROP COLUMN user_id")
    with pytest.raises(WarehouseMismatch, match="user_id was taken out of the table by someone"):
        lab.worker()


@pytest.mark.parametrize("kind", KINDS)
def test_a_table_made_by_hand_is_followed_too(tmp_path: Path, kind: str) -> None:
    """Its rows are older than the columns that the contract adds; what they hold is compared."""
    lab = Lab(tmp_path, kind)
    with closing(open_warehouse(lab.config().warehouse, None)) as home:
        home.execute(
            "CREATE TABLE lake.main.orders (order_id VARCHAR, timestamp TIMESTAMPTZ, amount DECIMAL(9,2), "
            "_partition INTEGER, _offset BIGINT, _kafka_time TIMESTAMPTZ, _batch BIGINT)"
        )
        home.execute(
            "INSERT INTO lake.main.orders (order_id, timestamp, amount) "
            "VALUES ('ORD000001', '2026-03-03 10:30:00Z', 1.25), ('ORD000002', '2026-03-03 10:30:00Z', 9)"
        )
    worker = lab.worker()
    sent = [order(1), order(2), order(3)]
    assert lab.load(worker, *sent) == Totals(consumed=3, loaded=1, duplicates=1, quarantined=1)
    assert lab.load(worker, *sent) == Totals(consumed=3, duplicates=2, quarantined=1)
    assert lab.types()["amount"] == "DECIMAL(18,2)"
    lab.close()
    with Reader(lab.config()) as reader:
        entries = reader.of_wanted("read/quarantine_list", Wanted(), most=10)
    said = "order_id: same id as a row that the loader did not write, other content"
    assert [json.loads(entry["reasons"])[0]["message"] for entry in entries] == [said, said]


def test_an_optional_column_without_null_may_become_required(lab: Lab) -> None:
    """The rows are asked, not the old contract; from then on NULL cannot come in."""
    columns = {"user_id": {"type": "BIGINT"}}
    assert lab.load(lab.worker(columns), order(200), order(201, user_id=None)).quarantined == 1
    assert lab.is_proved(columns)


# several workers


@pytest.fixture(scope="module")
def one_batch(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """A lake with one batch."""
    made = Lab(tmp_path_factory.mktemp("one_batch"), "ducklake")
    made.load(made.worker(), *(order(n) for n in range(100)))
    made.close()
    return made


@pytest.fixture
def lake(one_batch: Lab, tmp_path: Path) -> Iterator[Lab]:
    """A copy of it."""
    made = one_batch.copy(tmp_path)
    yield made
    made.close()


@pytest.mark.fault(45)
def test_a_worker_with_the_old_contract_is_stopped(lake: Lab) -> None:
    """It goes on until the table has changed; then its next batch is refused in words, unwritten."""
    old, new = lake.worker(), lake.worker({"currency": CURRENCY})
    assert lake.load(old, order(200)).loaded == 1
    assert lake.load(new, order(201, currency="EUR")).loaded == 1
    with pytest.raises(WarehouseMismatch, match="this worker still has the old one"):
        lake.load(old, order(202))
    with pytest.raises(WarehouseMismatch, match="currency VARCHAR is not in the contract"):
        lake.worker()
    assert lake.load(new, order(202, currency="EUR")).loaded == 1
    assert lake.is_proved({"currency": CURRENCY})


def test_a_batch_split_before_the_change_is_not_committed_after_it(lake: Lab) -> None:
    """The head refuses it, and the new split the contract."""
    from loader.errors import HeadMoved

    old, new = lake.worker(), lake.worker({"currency": CURRENCY})
    staged = old.stage(batch((0, lake.next, [order(200)])))
    split = old.split(staged)
    assert lake.load(new, order(201, currency="EUR")).loaded == 1
    with pytest.raises(HeadMoved):
        old.commit(split)
    with pytest.raises(WarehouseMismatch, match="this worker still has the old one"):
        old.split(staged, split)
    old.discard(staged)


def test_two_workers_with_the_new_contract_change_the_table_once(lake: Lab) -> None:
    """The second finds the change made, and compares by it: a later row is no older than the column."""
    one, two = (lake.worker({"currency": CURRENCY}) for _ in range(2))
    assert lake.load(one, order(5, currency="EUR"), order(200, currency="EUR")).loaded == 1
    sent = [order(6, currency="EUR"), order(200, currency="USD"), order(201, currency="EUR")]
    assert lake.load(two, *sent) == Totals(consumed=3, loaded=1, duplicates=1, quarantined=1)
    assert lake.load(one, order(201, currency="USD")).quarantined == 1
    assert lake.rows("SELECT count(*) FROM lake.loader.contracts") == [(2,)]
    assert lake.is_proved({"currency": CURRENCY})


def test_a_change_that_was_rolled_back_is_made_by_the_next_try(lake: Lab) -> None:
    """COMMIT never came: the table is the old one; the same worker's next try makes it the new one."""
    new = lake.worker({"currency": CURRENCY})
    staged = new.stage(batch((0, lake.next, [order(200, currency="EUR")])))
    split = new.split(staged)
    follow = new._follower.follow

    def broken(seq: int) -> None:
        follow(seq)
        raise KeyboardInterrupt

    new._follower.follow = broken  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        new.commit(split)
    new._follower.follow = follow  # type: ignore[method-assign]
    assert new.commit(new.split(staged, split)).totals.loaded == 1
    assert lake.rows("SELECT count(*), count(currency) FROM lake.main.orders") == [(101, 1)]
