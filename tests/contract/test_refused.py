"""Refused records by the dozen: what they are told does not depend on their company, and they stay cheap."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pytest

from loader.contract import Column, Contract
from loader.contract.digits import MARK
from loader.kafka.chunks import to_records
from loader.model import CHUNK_SCHEMA
from loader.replay.faults import MALFORMED
from loader.statements import statement
from loader.types import parse_type
from loader.warehouse.relations import registered
from tests.contract.test_parse import Parser

ITEMS = "STRUCT(sku VARCHAR, quantity INTEGER, price DECIMAL(18,2))[]"
ORDERS = Contract(
    (
        Column("order_id", parse_type("VARCHAR"), check="length(order_id) <= 64"),
        Column("timestamp", parse_type("TIMESTAMPTZ"), zone="UTC"),
        Column("user_id", parse_type("BIGINT"), required=False),
        Column("action", parse_type("VARCHAR"), required=False, one_of=("purchase", "refund")),
        Column("amount", parse_type("DECIMAL(18,2)"), check="amount >= 0"),
        Column("items", parse_type(ITEMS), required=False),
    ),
    ("order_id",),
    checks=(("few", "user_id < 1000 OR amount < 1000"),),
)
GOOD = {
    "order_id": "A1", "timestamp": "2026-03-01T10:00:00Z", "user_id": 7, "action": "refund", "amount": 12.5,
    "items": [{"sku": "S", "quantity": 1, "price": 2.25}],
}  # fmt: skip
LONG = 12345678901234567  # stands for a number of more digits than a double holds
ODD: dict[str, list[Any]] = {
    "order_id": [None, 5, "x" * 65, "2026", "true", "A\0", "\0A"],
    "timestamp": ["2026-03-01", "2026-03-01T12:00:00+02:00", "2026-13-01T10:00:00Z", 7],
    "user_id": ["12", 1.5, 2**63, "x", 5000],
    "action": ["gift", 1, ""],
    "amount": ["1.50", 12.345, -1, 1e20, 2000, [1]],
    "items": [
        None,
        [],
        "x",
        [{"sku": 1, "quantity": "1"}],
        [7],
        [{"sku": "2", "price": 1.255}],
        [{"sku": "S\0"}],
    ],
}


def odd(name: str) -> list[bytes]:
    """Records of which one column needs a closer look, with good ones between them."""
    values = [value for each in ODD[name] for value in ({**GOOD, name: each}, GOOD)]
    return [json.dumps(value).encode() for value in values]


@pytest.mark.parametrize("name", ODD)
def test_a_closer_look_at_one_column_decides_as_one_at_all(name: str) -> None:
    """Where only some columns are in doubt, the statement for these gives the same rows and reasons."""
    values = [*odd(name), json.dumps(GOOD | {"user_id": 5000, "amount": 1500}).encode()]
    exact, quick = (Parser(quick=mode).run(ORDERS, values) for mode in (False, True))
    assert quick == exact
    assert any(row["_reasons"] for row in quick)


@pytest.mark.parametrize(
    ("change", "mark"),
    [
        ({}, None),
        ({"amount": -1}, " 12 "),
        ({"user_id": 5000, "amount": 2000}, " 14 "),
        ({"amount": LONG}, "? 4 "),
        ({"items": [{"sku": "S", "price": LONG}]}, "? 5 "),
        ({"order_id": "A\0"}, "? 0 "),
        ({"note": "A\0"}, None),
    ],
)
def test_what_the_quick_look_leaves_in_doubt(change: dict[str, Any], mark: str | None) -> None:
    """A check decides where the values are settled; a long number or NUL is in doubt where it stands."""
    text = json.dumps(GOOD | change).replace(str(LONG), f'"{MARK}{LONG}"')
    record = {"partition": 0, "offset": 0, "value": text.encode(), "text": text}
    home = Parser(quick=True).home
    with registered(home, chunk=pa.Table.from_pylist([record], CHUNK_SCHEMA)):
        parameters = ORDERS.quick_parameters("chunk", "staging")
        assert parameters is not None
        home.execute(statement("load/parse_quick", **parameters))
    assert home.execute("SELECT _reasons FROM staging").fetchall() == [(mark,)]


def test_only_columns_in_doubt_are_looked_into() -> None:
    """The statement for one column holds the slow way of no other one."""
    whole, some, none = (
        statement("load/parse", **ORDERS.parse_parameters("chunk", "staging", more=True, doubts=doubts))
        for doubts in (["?"], ["? 4 "], ["? "])
    )
    assert len(none) < len(some) < len(whole) / 2


def test_reasons_are_those_of_a_record_alone() -> None:
    """What a record is told is the same beside others that break other rules."""
    values = [value for name in ODD for value in odd(name)]
    values += [spoil(json.dumps(GOOD, separators=(",", ":"))) for spoil in MALFORMED.values()]
    parser = Parser(quick=True)
    together = [row["_reasons"] for row in parser.run(ORDERS, values)]
    assert together == [parser.run(ORDERS, [value])[0]["_reasons"] for value in values]


@pytest.mark.parametrize("default", ["7", 7])
def test_a_header_can_be_a_number_with_a_default(default: Any) -> None:
    """The text of a header that is no number is refused, not a failure of the batch."""
    column = Column("a", parse_type("INTEGER"), source="headers.n", default=default)
    headers = [None, [{"key": "n", "value": b"5"}], [{"key": "n", "value": b"x"}]]
    rows = Parser(quick=False).run(Contract((column,), ("a",)), [b"{}"] * 3, headers=headers)
    assert [row["a"] for row in rows] == [7, 5, None]
    assert rows[2]["_reasons"][0]["message"] == "a: x is not an INTEGER"


class Message:
    """What a consumed message answers."""

    def __init__(self, value: bytes, offset: int) -> None:
        self.value, self.offset = (lambda: value), (lambda: offset)
        self.key = self.headers = lambda: None
        self.partition, self.timestamp = (lambda: 0), (lambda: (1, 1))


def test_thousands_of_deeply_nested_records_fit_into_memory() -> None:
    """DuckDB's tree of such a text is far larger than the text; as few are looked at as fit."""
    bomb = MALFORMED["deep_nesting"]("")
    messages = list[Any](Message(bomb, n) for n in range(6_000))
    chunk = pa.Table.from_batches([to_records(messages, 1_000_000)])
    parser = Parser(quick=True)
    parser.home.execute("SET memory_limit = '300MB'")
    parser.stage(ORDERS, chunk)
    found = parser.home.execute("SELECT DISTINCT _reasons FROM staging").fetchall()
    assert [json.loads(reasons)[0]["message"] for (reasons,) in found] == [
        "the value is JSON, but no object: a list"
    ]
