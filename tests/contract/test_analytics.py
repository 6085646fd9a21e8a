"""The shipped analytics answer what a person would count by hand from five orders and two refused records."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from loader.analytics import analytics
from loader.config import Config
from loader.model import Identity
from loader.warehouse import question
from loader.warehouse.reading import Reader
from loader.warehouse.store import DuckWarehouse
from tests.making import KINDS, ORDER_COLUMNS, batch, make_config, order

COLUMNS = {name: dict(column) for name, column in ORDER_COLUMNS.items()} | {
    "action": {"type": "VARCHAR", "required": False},
    "currency": {"type": "VARCHAR", "required": False},
    "items": {"type": "STRUCT(sku VARCHAR, quantity INTEGER, price DECIMAL(18,2))[]", "required": False},
}
# Kafka's time of every record here is 2026-02-25T06:13:20Z, a Wednesday
ORDERS = [
    ("2026-02-25T06:13:00Z", 1, "purchase", 10, "EUR", [("A", 2, 5)]),
    ("2026-02-25T05:00:00Z", 1, "purchase", 20, "EUR", [("B", 1, 20)]),
    ("2026-02-16T10:00:00Z", 2, "purchase", 30, "USD", [("A", 1, 6), ("B", 2, 12)]),
    ("2026-02-25T06:13:30Z", 2, "purchase", 5, "USD", [("A", 1, 5)]),
    ("2026-02-25T06:12:30Z", 1, "refund", 4, "EUR", [("A", 1, 4)]),
]


@pytest.fixture(scope="module", params=KINDS)
def loaded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Config:
    """The five orders, one of them twice, and two records that are refused; all here only read them."""
    table = {"name": "orders", "id": "order_id", "event_time": "timestamp", "columns": COLUMNS}
    folder = tmp_path_factory.mktemp("loaded")
    config = make_config(folder, request.param, table=table, limits={"quarantine": 1.0})
    values: list[bytes | None] = [
        order(
            number,
            timestamp=time,
            user_id=user,
            action=action,
            amount=amount,
            currency=currency,
            items=[{"sku": sku, "quantity": quantity, "price": price} for sku, quantity, price in items],
        )
        for number, (time, user, action, amount, currency, items) in enumerate(ORDERS)
    ]
    warehouse = DuckWarehouse(config)
    warehouse.record(Identity("cluster", "orders", "topic-id", 1), {0: 0})
    made = batch((0, 0, [*values, values[0], order(8, amount=-1), order(9, amount=None)]))
    warehouse.commit(warehouse.split(warehouse.stage(made)))
    warehouse.close()
    return config


def answer(config: Config, name: str, *columns: str) -> list[tuple[Any, ...]]:
    """The rows of an analytics query; numbers as they print, some columns or all."""
    given = PARAMETERS.get(name)
    with Reader(config) as reader:
        found = question.answer(reader.home, name, config.table.name, config.pipeline, given).read_all()
    rows = found.select(list(columns) or found.column_names).to_pylist()
    return [tuple(float(v) if isinstance(v, (Decimal, float)) else v for v in row.values()) for row in rows]


PARAMETERS = {"one_day": {"day": "2026-02-25"}, "one_customer": {"user_id": "1"}}
EXPECTED: dict[str, list[tuple[Any, ...]]] = {
    "revenue_per_hour": [
        ("2026-02-25 06:00", "EUR", 6.0, 1, 1),
        ("2026-02-25 06:00", "USD", 5.0, 1, 0),
        ("2026-02-25 05:00", "EUR", 20.0, 1, 0),
        ("2026-02-16 10:00", "USD", 30.0, 1, 0),
    ],
    "revenue_per_day": [
        ("2026-02-25", "EUR", 26.0, 2, 1, 1, 15.0),
        ("2026-02-25", "USD", 5.0, 1, 0, 1, 5.0),
        ("2026-02-16", "USD", 30.0, 1, 0, 1, 30.0),
    ],
    "top_products": [
        ("B", "USD", 2, 24.0, 1),
        ("B", "EUR", 1, 20.0, 1),
        ("A", "USD", 2, 11.0, 2),
        ("A", "EUR", 2, 10.0, 1),
    ],
    "basket_size": [(1, "EUR", 1, 20.0), (1, "USD", 1, 5.0), (2, "EUR", 1, 10.0), (3, "USD", 1, 30.0)],
    "repeat_customers": [("2", 2, 100.0)],
    "cohorts": [("2026-02-16", 1, 1, 0, 0), ("2026-02-23", 1, 0, 0, 0)],
    "late_arrivals": [("2026-02-25", 4, 1, 1, 0, 4400.001), ("2026-02-16", 1, 1, 1, 1, 764000.002)],
    "orders_per_minute": [
        ("2026-02-25 06:13", "EUR", 1, 10.0, 1),
        ("2026-02-25 06:13", "USD", 1, 5.0, 1),
        ("2026-02-25 06:12", "EUR", 1, -4.0, 1),
        ("2026-02-25 05:00", "EUR", 1, 20.0, 1),
        ("2026-02-16 10:00", "USD", 1, 30.0, 1),
    ],
    "top_customers": [
        (2, "USD", 35.0, 2, 0, "2026-02-25 06:13"),
        (1, "EUR", 26.0, 2, 1, "2026-02-25 06:13"),
    ],
    "refund_rate": [
        ("2026-02-25", "EUR", 1, 33.33, 13.33),
        ("2026-02-25", "USD", 0, 0.0, 0.0),
        ("2026-02-16", "USD", 0, 0.0, 0.0),
    ],
    "busiest_hours": [(3, 6, 3, 60.0), (1, 10, 1, 20.0), (3, 5, 1, 20.0)],
    "one_day": [
        ("05:00", "EUR", 20.0, 1, 0, 1),
        ("06:00", "EUR", 6.0, 1, 1, 1),
        ("06:00", "USD", 5.0, 1, 0, 1),
    ],
    "one_customer": [
        ("2026-02-25 05:00:00", "ORD000001", "purchase", 20.0, "EUR", 20.0),
        ("2026-02-25 06:12:30", "ORD000004", "refund", 4.0, "EUR", 16.0),
        ("2026-02-25 06:13:00", "ORD000000", "purchase", 10.0, "EUR", 26.0),
    ],
    "refusals_per_rule": [
        ("amount", "check", "open", 1, "0@6", "2026-02-25 06:13", "2026-02-25 06:13"),
        ("amount", "missing", "open", 1, "0@7", "2026-02-25 06:13", "2026-02-25 06:13"),
    ],
}
PARTS: dict[str, tuple[tuple[str, ...], list[tuple[Any, ...]]]] = {  # where the rest depends on the clock
    "duplicates_per_day": (("consumed", "loaded", "duplicates", "quarantined"), [(8, 5, 1, 2)]),
    "load_delay": (("records",), [(5,)]),
    "batches_per_hour": (("kind", "batches", "records", "mean_records"), [("load", 1, 8, 8.0)]),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_the_answer_is_what_one_counts_by_hand(loaded: Config, name: str) -> None:
    """Every column of every row, in order."""
    assert answer(loaded, name) == EXPECTED[name]


@pytest.mark.parametrize("name", PARTS)
def test_the_counts_of_the_ledger_are_right(loaded: Config, name: str) -> None:
    """Of the queries about the load itself, what does not depend on the time of the test."""
    columns, expected = PARTS[name]
    assert answer(loaded, name, *columns) == expected


@pytest.mark.parametrize("name", sorted(EXPECTED.keys() | PARTS.keys()))
def test_what_is_drawn_are_columns(loaded: Config, name: str) -> None:
    """The header's `Plot:` names columns of the answer."""
    drawing = analytics()[name].drawing
    assert drawing
    answer(loaded, name, *drawing.values, drawing.axis, *drawing.series)


def test_no_query_is_without_its_answer_here() -> None:
    """All that is shipped is tested."""
    assert set(analytics()) == EXPECTED.keys() | PARTS.keys()
