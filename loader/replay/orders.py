"""Sample orders as columns of numbers, all drawn at once, and as compact JSON texts of about 230 bytes.

Customers and products follow Zipf's law, orders the hours of a shop's day, each customer pays in one
currency. An amount is the exact sum of its items, in cents.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

DAY_MS = 86_400_000
ORDERS_BY_HOUR = (2, 1, 1, 1, 1, 2, 3, 5, 7, 8, 9, 9, 10, 9, 8, 8, 8, 9, 11, 13, 14, 12, 8, 4)  # shares
CURRENCIES = {"EUR": 50, "USD": 25, "GBP": 12, "CHF": 5, "SEK": 5, "PLN": 3}  # shares of customers, percent
PRODUCTS = 2_000
REFUNDS = 0.04  # share of orders
TWO_ITEMS = 0.8  # share of orders
_UNITS = (1, 1, 1, 1, 2, 2, 3, 5)  # equally likely


@dataclass(frozen=True, slots=True)
class Orders:
    """Columns of equal length: one order per position. Money is in cents, time in milliseconds since 1970."""

    number: Ints
    time_ms: Ints
    customer: Ints
    currency: Ints  # position in CURRENCIES
    refund: Ints  # 0 or 1
    item_count: Ints  # 1 or 2
    product: Ints
    quantity: Ints
    price: Ints
    product2: Ints
    quantity2: Ints
    price2: Ints

    def take(self, positions: Ints) -> Orders:
        """Return the orders at these positions, in this order."""
        return Orders(*(getattr(self, field.name)[positions] for field in fields(self)))

    def replace(self, **columns: Ints) -> Orders:
        """Return the orders with some columns replaced."""
        return replace(self, **columns)

    def amounts(self) -> Ints:
        """Return what each order costs in all."""
        second = np.where(self.item_count == 2, self.quantity2 * self.price2, 0)  # noqa: PLR2004
        return self.quantity * self.price + second


def draw(count: int, seed: int, start_ms: int, days: int, first_id: int = 1) -> Orders:
    """Draw `count` orders, spread over `days` from `start_ms` on in the order of their time."""
    chance = np.random.default_rng(seed)
    prices = _prices(chance)
    customer = 10_000 + _zipf(chance, count, max(count // 20, 50))
    product, product2 = _zipf(chance, count, PRODUCTS), _zipf(chance, count, PRODUCTS)
    return Orders(
        number=np.arange(first_id, first_id + count),
        time_ms=_times(chance, count, start_ms, days),
        customer=customer,
        currency=_currency_of(customer),
        refund=(chance.random(count) < REFUNDS).astype(np.int64),
        item_count=1 + (chance.random(count) < TWO_ITEMS).astype(np.int64),
        product=product,
        quantity=chance.choice(_UNITS, count),
        price=prices[product],
        product2=product2,
        quantity2=chance.choice(_UNITS, count),
        price2=prices[product2],
    )


def _zipf(chance: np.random.Generator, count: int, size: int) -> Ints:
    """Draw from 0 … size-1, where the n-th is about 1/n as likely as the first."""
    ranks = np.exp(chance.random(count) * np.log(size + 1)).astype(np.int64)
    return np.asarray(np.minimum(ranks, size) - 1)


def _prices(chance: np.random.Generator) -> Ints:
    """Give each product a price that ends in 9 cents, from 1.99 to some hundreds."""
    return (np.exp(chance.normal(3.0, 0.8, PRODUCTS)) * 10).astype(np.int64).clip(19, 50_000) * 10 + 9


def _currency_of(customer: Ints) -> Ints:
    shares = np.cumsum(list(CURRENCIES.values()))
    return np.searchsorted(shares, customer * 7919 % 100, side="right").astype(np.int64)


def _times(chance: np.random.Generator, count: int, start_ms: int, days: int) -> Ints:
    """Spread `count` rising times over the days, each hour with its share."""
    shares = np.tile(np.array(ORDERS_BY_HOUR, dtype=float), days)
    ends = np.concatenate([[0.0], np.cumsum(shares)]) / shares.sum()
    places = (np.arange(count) + chance.random(count)) / count
    hours = np.interp(places, ends, np.arange(len(ends)))
    return start_ms + (hours * (DAY_MS // 24)).astype(np.int64)


def as_texts(orders: Orders) -> list[str]:
    """Write each order as compact JSON, about 230 characters."""
    single, double = _HEAD + _ITEM + "]}", _HEAD + _ITEM + "," + _ITEM + "]}"
    counts, rows = orders.item_count.tolist(), zip(*_printed(orders), strict=True)
    return [double % row if count > 1 else single % row[:11] for count, row in zip(counts, rows, strict=True)]


def as_ids(orders: Orders) -> list[str]:
    """Write the order ids."""
    return [f"ORD{number:010d}" for number in orders.number.tolist()]


_HEAD = (
    '{"order_id":"ORD%010d","timestamp":"%sZ","user_id":%d,"action":"%s",'
    '"amount":%d.%02d,"currency":"%s","items":['
)
_ITEM = '{"sku":"SKU-%05d","quantity":%d,"price":%d.%02d}'
_ACTION_NAMES = np.array(["purchase", "refund"], dtype=object)
_CURRENCY_NAMES = np.array(list(CURRENCIES), dtype=object)


def _printed(orders: Orders) -> list[list[Any]]:
    """Return the columns that the texts are made of: 7 of the order, then 4 of each item."""
    amounts = orders.amounts()
    return [
        orders.number.tolist(),
        np.datetime_as_string(orders.time_ms.view("datetime64[ms]"), unit="ms").tolist(),
        orders.customer.tolist(),
        _ACTION_NAMES[orders.refund].tolist(),
        *_money(amounts),
        _CURRENCY_NAMES[orders.currency].tolist(),
        *(orders.product.tolist(), orders.quantity.tolist(), *_money(orders.price)),
        *(orders.product2.tolist(), orders.quantity2.tolist(), *_money(orders.price2)),
    ]


def _money(cents: Ints) -> tuple[list[int], list[int]]:
    return (cents // 100).tolist(), (cents % 100).tolist()
