"""Properties of the contract, over records that nobody thought of."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loader.contract import Column, Contract
from loader.model import Identity, Receipt, Totals
from loader.types import parse_type
from loader.warehouse.reading import Reader
from loader.warehouse.store import DuckWarehouse
from loader.warehouse.verify import checks
from tests.contract.test_parse import Parser, one, rules_of
from tests.making import KINDS, batch, begin, make_config

RARELY = settings(deadline=None, max_examples=4, suppress_health_check=[HealthCheck.too_slow])
COLUMNS: dict[str, Any] = {
    "id": {"type": "INTEGER"},
    "text": {"type": "VARCHAR", "required": False, "coerce": True},
    "amount": {"type": "DECIMAL(9,2)", "required": False, "check": "amount < 1000"},
    "at": {"type": "TIMESTAMPTZ", "required": False, "zone": "Europe/Berlin", "dst": "later"},
    "ms": {"type": "TIMESTAMPTZ", "required": False, "epoch": "ms"},
    "items": {"type": "STRUCT(x INTEGER, y VARCHAR[])[]", "required": False},
    "tags": {"type": "MAP(VARCHAR, DOUBLE)", "required": False, "coerce": True},
    "raw": {"type": "JSON", "required": False},
}
POLICIES: list[dict[str, Any]] = [
    {"unknown_fields": "ignore"},
    {"unknown_fields": "keep", "checks": {"few": "text IS NULL OR length(text) < 3"}},
    {"unknown_fields": "refuse", "on_conflict": "keep_first", "tombstones": "skip"},
    {"duplicates": "off", "id": [], "unknown_fields": "keep"},
]

PAIRS = list(zip(["ducklake", "duckdb", "duckdb", "ducklake"], POLICIES, strict=True))
"""Every policy in one kind of warehouse: making one takes most of the time of an example."""


@pytest.fixture(scope="module")
def parser() -> Iterator[Parser]:
    """The statements as the warehouse runs them."""
    made = Parser(quick=True)
    yield made
    made.home.close()


@contextmanager
def warehouse(kind: str, policy: dict[str, Any]) -> Iterator[tuple[DuckWarehouse, Any]]:
    """A new warehouse with two partitions, and its configuration; `verify` must be true at the end."""
    with tempfile.TemporaryDirectory() as folder:
        table = {"id": "id", "event_time": "at", "columns": COLUMNS, **policy}
        config = make_config(Path(folder), kind, table=table)
        begin(config, Identity("", "orders", "", 2), {0: 0, 1: 0})
        made = DuckWarehouse(config, accept_quarantine=True)
        yield made, config
        made.close()
        with Reader(config) as reader:
            assert {check.status for check in checks(reader)} <= {"ok", "skipped"}


def load(made: DuckWarehouse, *parts: tuple[int, int, list[bytes | None]]) -> Totals:
    """One batch, all the way; a partition without records has no span in it."""
    staged = made.stage(batch(*(part for part in parts if part[2])))
    receipt: Receipt = made.commit(made.split(staged))
    made.discard(staged)
    return receipt.totals


_scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**20), 10**20),
    st.floats(),
    st.text(max_size=6),
    st.sampled_from(["12", "12.345", "2026-03-29T02:30:00", "2026-03-03T10:30:00Z", "NaN", "\0", "1e400"]),
)
_values = st.recursive(
    _scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["x", "y", "", "a.b", "\0"]), inner, max_size=3),
    ),
    max_leaves=8,
)
_objects = st.dictionaries(st.sampled_from([*COLUMNS, "new", "", 'o"dd', "\0"]), _values, max_size=6)
_anything = st.one_of(
    _objects.map(lambda value: json.dumps(value).encode()),
    _objects.map(lambda value: json.dumps({"id": 1, **value}).encode()),
    st.binary(max_size=40),
    st.none(),
    st.builds(lambda a, b: f'{{"id":{a},"new":{b},"raw":{b}}}'.encode(), st.integers(), st.decimals()),
)


@pytest.mark.parametrize(("kind", "policy"), PAIRS, ids=str)
@RARELY
@given(values=st.lists(_anything, min_size=1, max_size=30))
@pytest.mark.fault(41)
def test_no_record_fails_a_batch(kind: str, policy: dict[str, Any], values: list[bytes | None]) -> None:
    """Any JSON and any bytes end in one of the four places, and the balance holds."""
    with warehouse(kind, policy) as (made, _):
        totals = load(made, (0, 0, values))
    assert totals.consumed == len(values)
    places = totals.loaded + totals.duplicates + totals.quarantined + totals.skipped
    assert totals.consumed == places


_orders = st.builds(
    lambda number, amount, note: json.dumps({"id": number, "amount": amount, "text": note}).encode(),
    st.integers(0, 12),
    st.sampled_from([1, 1.5, 2, 12.345]),
    st.sampled_from(["a", "b", 5]),
)


@pytest.mark.parametrize(("kind", "policy"), PAIRS[:3], ids=str)
@RARELY
@given(values=st.lists(_orders, min_size=1, max_size=30))
def test_sending_everything_twice_adds_only_duplicates(
    kind: str, policy: dict[str, Any], values: list[bytes | None]
) -> None:
    """The table stays as it was; what was refused is refused again, the rest is a duplicate."""
    with warehouse(kind, policy) as (made, config):
        first = load(made, (0, 0, values))
        before = rows_of(made, config)
        again = load(made, (0, len(values), values))
        assert rows_of(made, config) == before
    assert again == Totals(
        first.consumed, 0, first.loaded + first.duplicates, first.quarantined, first.skipped, 0
    )


@pytest.mark.parametrize("kind", KINDS)
@RARELY
@given(
    values=st.lists(_orders, min_size=2, max_size=30),
    cuts=st.lists(st.integers(0, 30), max_size=4),
)
def test_the_batches_do_not_matter(kind: str, values: list[bytes | None], cuts: Sequence[int]) -> None:
    """Where each id lives in one partition, any cut of the stream gives the same table, row by row.

    What comes in one batch goes into a DuckDB file: both kinds of warehouse hold the same.
    """
    parts = [[v for v in values if v and json.loads(v)["id"] % 2 == p] for p in (0, 1)]
    with warehouse("duckdb", {}) as (made, config):
        whole = load(made, (0, 0, parts[0]), (1, 0, parts[1]))
        expected = rows_of(made, config)
    with warehouse(kind, {}) as (made, config):
        total = Totals()
        for partition, mine in enumerate(parts):
            bounds = sorted({0, len(mine), *(cut for cut in cuts if cut < len(mine))})
            for first, last in pairwise(bounds):
                total += load(made, (partition, first, mine[first:last]))
        assert rows_of(made, config) == expected
    assert total == whole


def rows_of(made: DuckWarehouse, config: Any) -> list[Any]:
    """The target's rows as texts but for the batch, on the warehouse's own connection."""
    sql = (
        f"SELECT COLUMNS(c -> c NOT IN ('_batch', '_kafka_time'))::VARCHAR FROM lake.main.{config.table.name}"
    )
    return sorted(made._home.execute(sql).fetchall(), key=str)


# ---------------------------------------------------------------- load(value) is Python's reading


@settings(deadline=None, max_examples=25)
@given(
    st.lists(
        st.one_of(
            st.decimals(-(10**13), 10**15, allow_nan=False, places=5),
            st.integers(-(10**16), 10**16).map(Decimal),
        ),
        min_size=1,
    ),
    st.sampled_from(["s", "ms", "us"]),
)
def test_numbers_since_1970_are_pythons(parser: Parser, numbers: list[Decimal], unit: str) -> None:
    """A number of seconds, milli- or microseconds is that instant to the microsecond, or is refused."""
    made = one("TIMESTAMPTZ", epoch=unit)
    texts = [format(number, "f") for number in numbers]
    found = parser.run(made, [f'{{"a":{text}}}'.encode() for text in texts])
    for text, row in zip(texts, found, strict=True):
        us = Decimal(text) * {"s": 10**6, "ms": 10**3, "us": 1}[unit]
        if us != us.to_integral_value():
            assert rules_of(row) == ["inexact"], text
            continue
        try:
            expected = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(us))
        except OverflowError:
            assert rules_of(row) == ["range"], text
        else:
            assert (row["_reasons"], row["a"]) == (None, expected), text


_zones = st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"])
_near_changes = st.builds(
    lambda day, minutes: day + timedelta(minutes=minutes),
    st.sampled_from(
        [
            datetime(2026, 3, 29),  # noqa: DTZ001 - local times are what is tested
            datetime(2026, 10, 25),  # noqa: DTZ001
            datetime(2026, 3, 8),  # noqa: DTZ001
            datetime(2026, 11, 1),  # noqa: DTZ001
            datetime(2026, 4, 5),  # noqa: DTZ001
            datetime(2026, 10, 4),  # noqa: DTZ001
        ]
    ),
    st.integers(0, 5 * 60),
)
_local_times = st.one_of(_near_changes, st.datetimes(datetime(1980, 1, 1), datetime(2036, 12, 31)))  # noqa: DTZ001


@settings(deadline=None, max_examples=25)
@given(
    st.lists(_local_times, min_size=1, max_size=20), _zones, st.sampled_from(["refuse", "earlier", "later"])
)
@pytest.mark.fault(53)
def test_local_times_are_zoneinfos(parser: Parser, times: list[datetime], zone: str, dst: str) -> None:
    """A local time is the instant that zoneinfo finds; a skipped or repeated one goes by the rule."""
    made = one("TIMESTAMPTZ", zone=zone, dst=dst)
    found = parser.run(made, [json.dumps({"a": time.isoformat()}).encode() for time in times])
    for time, row in zip(times, found, strict=True):
        both = sorted(time.replace(tzinfo=ZoneInfo(zone), fold=fold).astimezone(UTC) for fold in (0, 1))
        if both[0] != both[1] and dst == "refuse":
            assert rules_of(row) == ["zone"], time
        else:
            assert (row["_reasons"], row["a"]) == (None, both[dst == "later"]), time


_number_texts = st.one_of(
    st.decimals(allow_nan=False, allow_infinity=False).map(lambda d: format(d, "f")),
    st.builds(
        lambda a, b, e: f"{a}.{b}{e}",
        st.integers(-(10**6), 10**6),
        st.text("0123456789", min_size=1, max_size=25),
        st.sampled_from(["", "e0", "E5", "e-7", "e+12"]),
    ),
    st.from_regex(r"-?(0|[1-9][0-9]{0,8})\.0{0,6}[0-9]{1,7}", fullmatch=True),
    st.integers(-(10**30), 10**30).map(str),
    st.sampled_from(["-0", "-0.0", "0.00", "1e2", "0.0000001", "1E400", "1e-400"]),
)


@settings(deadline=None, max_examples=25)
@given(st.lists(_number_texts, min_size=1, max_size=30))
def test_the_text_of_a_number_is_kept(parser: Parser, texts: list[str]) -> None:
    """With `coerce`, in JSON columns and in `_extra` a number stands as it was written, digit by digit."""
    made = Contract(
        (Column("a", parse_type("VARCHAR"), coerce=True), Column("b", parse_type("JSON"))),
        ("a",),
        unknown_fields="keep",
    )
    found = parser.run(made, [f'{{"a":{t},"b":[{t}],"c":{{"d":{t}}}}}'.encode() for t in texts])
    for text, row in zip(texts, found, strict=True):
        expected = (None, text, f"[{text}]", f'{{"c":{{"d":{text}}}}}')
        assert (row["_reasons"], row["a"], row["b"], row["_extra"]) == expected


@settings(deadline=None, max_examples=25)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_texts_of_doubles_are_pythons(parser: Parser, numbers: list[float]) -> None:
    """With `coerce`, a text is the double that Python reads from it, to the last bit."""
    found = parser.run(one("DOUBLE", coerce=True), [json.dumps({"a": repr(n)}).encode() for n in numbers])
    assert [(row["_reasons"], row["a"]) for row in found] == [(None, n) for n in numbers]
