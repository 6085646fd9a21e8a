"""A contract from a sample: types, ids, event time, and the file that it becomes."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from loader.config import config_from
from loader.inference import Draft, Origin, as_toml, draft, sample, without_outliers
from loader.model import Identity
from loader.warehouse.rehearse import trial
from loader.warehouse.store import DuckWarehouse
from tests.making import batch, records

ORIGIN = Origin("localhost:9092", "orders", 0, 0)
UUID = "0b8b9b1e-4c8e-4f6e-9a0e-3f2d1c0b9a8f"


def drafted(*objects: Any, keys: Sequence[bytes | None] = (), topic: str = "orders") -> Draft:
    """The proposal for records given as Python values, or as JSON text."""
    texts = [each if isinstance(each, str) else json.dumps(each) for each in objects]
    key = list(keys) or [None] * len(texts)
    return draft(sample((t.encode(), t, k) for t, k in zip(texts, key, strict=True)), topic)


def types(proposed: Draft) -> dict[str, str]:
    """The types by column."""
    return {column.name: column.type.sql() for column in proposed.columns}


@pytest.mark.parametrize(
    ("values", "type_"),
    [
        (["1", "-5"], "BIGINT"),
        (["9223372036854775807", "-9223372036854775808"], "BIGINT"),
        (["9223372036854775808"], "DECIMAL(38,0)"),
        (["1", "12.345"], "DECIMAL(18,3)"),
        (["1.0", "2.5"], "DECIMAL(18,2)"),
        (["12.340"], "DECIMAL(18,2)"),
        (["1e2"], "DECIMAL(18,2)"),
        (["-0.0"], "DECIMAL(18,2)"),
        (["12345678901234567.89"], "DECIMAL(38,2)"),
        (["0.30000000000000004"], "DOUBLE"),
        (["1e300", "2.5"], "DOUBLE"),
        (["true", "false"], "BOOLEAN"),
        (['"a"', '""'], "VARCHAR"),
        (['"2026-03-03"'], "DATE"),
        (['"2026-02-30"'], "VARCHAR"),
        (['"2026-03-03T10:30:00Z"', '"2026-03-03 10:30:00.5+05:30"'], "TIMESTAMPTZ"),
        (['"2026-03-03T10:30:00Z"', '"2026-03-03T10:30"'], "TIMESTAMPTZ"),
        (['"2026-03-03T10:30:00.1234567Z"'], "VARCHAR"),
        (['"2026-03-03"', '"2026-03-03T10:30:00Z"'], "VARCHAR"),
        ([f'"{UUID}"', f'"{UUID.upper()}"'], "UUID"),
        ([f'"{UUID}"', '"x"'], "VARCHAR"),
        (['{"sku": "a", "n": 1}', '{"sku": "b", "price": 1.5}'],
         'STRUCT("sku" VARCHAR, "n" BIGINT, "price" DECIMAL(18,2))'),
        (['[{"at": "2026-03-03T10:30:00"}]', "[]"], 'STRUCT("at" TIMESTAMP)[]'),
        (["[1, 2]", "[]"], "BIGINT[]"),
        (["[[1], [2.5]]"], "DECIMAL(18,2)[][]"),
        (["[]"], "JSON[]"),
        (["{}"], "JSON"),
        (['{"a": 1, "A": 2}'], "JSON"),
        (["1", '"a"'], "JSON"),
        (["1", "true"], "JSON"),
        (['{"a": 1}', "[1]"], "JSON"),
        (['[1, "a"]'], "JSON[]"),
        (["1e999999999999999999999"], "DOUBLE"),
    ],
)  # fmt: skip
def test_a_type_is_wide_enough_for_what_was_seen(values: list[str], type_: str) -> None:
    """From the text of the values, never through a double; JSON where nothing else holds them all."""
    proposed = drafted(*(f'{{"id": "{n}", "x": {value}}}' for n, value in enumerate(values)))
    assert types(proposed)["x"] == type_


def test_the_zone_is_asked_for_only_where_it_was_always_given() -> None:
    """Times that always say their zone must go on doing so; others are read in UTC."""
    proposed = drafted(
        {"id": "a", "always": "2026-03-03T10:30:00Z", "never": "2026-03-03T10:30:00"},
        {"id": "b", "always": "2026-03-03T10:30:00+01:00", "never": "2026-03-03T10:30:01"},
    )
    assert (proposed.column("always").zone, proposed.column("never").zone) == ("require", "UTC")


def test_required_is_what_was_in_every_record() -> None:
    """A null is a missing value; what was only ever null is left out and said."""
    proposed = drafted({"id": 1, "a": 1, "b": None, "n": None}, {"id": 2, "a": 2, "b": 3})
    assert {c.name: c.required for c in proposed.columns} == {"id": True, "a": True, "b": False}
    assert proposed.left_out == {"n": "only null was seen"}


def test_the_id_is_unique_and_present_and_sounds_like_one() -> None:
    """Repeats of a whole record do not count against it; a conflict does."""
    rows = [{"user_id": n % 3, "amount": n, "order_id": f"O{n}", "nr": f"N{n}"} for n in range(10)]
    proposed = drafted(*rows, rows[0])
    assert (proposed.id, proposed.id_is_sure) == (("order_id",), True)
    assert drafted(*rows[:9]).id_is_sure is False
    assert ("nr",) in proposed.id_candidates
    assert ("user_id",) not in proposed.id_candidates
    assert drafted(*rows, {**rows[0], "amount": 99, "nr": "x"}).id == ("nr",)


def test_equal_values_are_one_id() -> None:
    """A UUID in small and in large letters is the same id in the table."""
    uuids = [{"uuid": UUID, "n": 1}, {"uuid": UUID.upper(), "n": 2}]
    assert drafted(*uuids).id == ()


def test_pairs_and_keys_stand_in_for_an_id() -> None:
    """Kafka's key where it is unique, two columns where they are together."""
    lines = [{"order": n // 2, "line": n % 2, "ok": True} for n in range(100)]
    assert drafted(*lines).id == ("order", "line")
    keyed = drafted(*lines, keys=[b"k%d" % n for n in range(100)])
    assert (keyed.id, keyed.column("key").source) == (("key",), "key")


def test_without_an_id_every_record_is_a_row(tmp_path: Path) -> None:
    """Times, amounts and a few different numbers identify nothing: duplicates are off, with the why."""
    rows = [{"at": f"2026-03-03T10:30:{n:02d}Z", "amount": n + 0.5, "n": n, "by_id": "x"} for n in range(20)]
    proposed = drafted(*rows)
    assert (proposed.id, proposed.id_is_sure, proposed.id_candidates) == ((), False, (("by_id",),))
    text = as_toml(proposed, ORIGIN)
    assert "# No text or whole number is present in all of 20 records and unique (not by_id):\n" in text
    table = config_from(tomllib.loads(text), tmp_path).table
    assert (table.duplicates, table.id) == ("off", ())
    assert not refusals(proposed, [json.dumps(row) for row in rows], tmp_path)


def test_a_guess_is_called_one() -> None:
    """A text that happens to be different in a few records may be the id, and is marked; a number may not."""
    few = drafted({"city": "Rome", "n": 1}, {"city": "Oslo", "n": 2})
    assert (few.id, few.id_is_sure) == (("city",), False)
    assert 'id = "city"   # A GUESS: unique and present in all 2, but so few say little' in as_toml(
        few, ORIGIN
    )
    many = drafted(*({"city": f"C{n}", "n": n} for n in range(100)))
    assert (many.id, many.id_is_sure) == (("city",), True)


def test_the_event_time_is_the_likeliest_time() -> None:
    """Present in all first, times before dates, then by name."""
    zoned = "2026-03-03T10:30:00Z"
    rows = [{"id": n, "day": "2026-03-03", "shipped": zoned, "timestamp": zoned} for n in range(3)]
    rows[0].pop("shipped")
    proposed = drafted(*rows)
    assert (proposed.event_time, proposed.event_times) == ("timestamp", ("timestamp", "day", "shipped"))


def test_what_cannot_be_used_is_counted() -> None:
    """Poison and tombstones, each by what it is."""
    values: list[tuple[bytes | None, str | None, bytes | None]] = [
        (None, None, None), (b"\xff", None, None), (b"{", "{", None), (b"[1]", "[1]", None),
        (b'{"a": NaN}', '{"a": NaN}', None), (b'{"a": "\\u0000"}', '{"a": "\\u0000"}', None),
        (b'{"a": 1}', '{"a": 1}', None),
    ]  # fmt: skip
    found = sample(values)
    assert found.rows == [6]
    assert dict(found.unusable) == {
        "tombstone (null value)": 1,
        "framed, too large or not UTF-8": 1,
        "not valid JSON": 2,
        "JSON, but no object": 1,
        "holds a NUL character": 1,
    }


HOSTILE = [
    '"; DROP TABLE x; --',
    "a b",
    "a.b",
    "_id",
    "$x",
    "ünï",
    "select",
    "a\nb",
    "ID",
    "Id",
    'q"q',
    "'",
    "",
    "\x7f",
]


def test_hostile_names_become_columns_or_are_left_out(tmp_path: Path) -> None:
    """Fields of any name: the file is valid, compiles and reads its sample; what no path can name is said."""
    rows = [{"order_id": str(n), **dict.fromkeys(HOSTILE, n)} for n in range(3)]
    proposed = drafted(*rows)
    assert set(proposed.left_out) == {"a\nb", "", "\x7f"}
    assert {proposed.column(name).source for name in ("id_2", "x")} == {'$."_id"', '$."$x"'}
    assert not refusals(proposed, [json.dumps(row) for row in rows], tmp_path)


@pytest.mark.parametrize("topic", ["orders", "9.lives", "loader", "a" * 249, "-", "...x", "MAIN", "_"])
def test_any_topic_gives_names_that_are_allowed(topic: str, tmp_path: Path) -> None:
    """Pipeline and table are named after the topic as far as their rules allow."""
    text = as_toml(drafted({"id": 1}), replace(ORIGIN, topic=topic))
    assert config_from(tomllib.loads(text), tmp_path).kafka.topic == topic


def refusals(proposed: Draft, texts: list[str], folder: Path) -> list[dict[str, Any]]:
    """What the drafted configuration refuses of its own sample."""
    config = config_from(tomllib.loads(as_toml(proposed, ORIGIN)), folder)
    return trial(config, pa.Table.from_batches([records(0, 0, [text.encode() for text in texts])]))


letters = st.characters(exclude_characters="\0", exclude_categories=["Cs"])
names = st.one_of(
    st.sampled_from(["id", "at", "x y", "_id", "Ä", "select", 'q"']), st.text(letters, max_size=5)
)
scalars = st.one_of(
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.decimals(allow_nan=False, allow_infinity=False, places=2).map(float),
    st.booleans(),
    st.text(letters, max_size=8),
    st.dates().map(str),
    st.datetimes().map(lambda moment: moment.isoformat()),
    st.datetimes().map(lambda moment: f"{moment.isoformat(timespec='milliseconds')}Z"),
    st.uuids().map(str),
)


def alike(value: Any) -> st.SearchStrategy[Any]:
    """Values of the same kind as this one."""
    if isinstance(value, dict):
        return st.fixed_dictionaries({name: alike(below) for name, below in value.items()})
    if isinstance(value, list):
        return st.lists(alike(value[0]), max_size=3) if value else st.just([])
    ways = [
        (bool, st.booleans()), (int, st.integers(-(10**20), 10**20)),
        (float, st.floats(allow_nan=False, allow_infinity=False)),
        (str, st.one_of(st.just(value), st.text(letters, max_size=4))),
    ]  # fmt: skip
    return next((way for kind, way in ways if isinstance(value, kind)), st.none())


values = st.recursive(
    scalars,
    lambda inside: st.lists(inside, max_size=2) | st.dictionaries(names, inside, max_size=3),
    max_leaves=6,
)
homogeneous = st.dictionaries(names, values, max_size=5).flatmap(
    lambda record: st.lists(st.one_of(st.just(record), alike(record)), min_size=1, max_size=6)
)


@settings(max_examples=50)
@given(homogeneous)
@example([{"x": 1.5e300}, {"x": 5e-324}])
@example([{"a": {"b": [{"c": "2026-03-03T10:30:00"}]}}])
def test_a_drafted_contract_reads_its_own_sample(rows: list[dict[str, Any]]) -> None:
    """Whatever records of one kind were seen: the file is valid, compiles, and refuses none of them."""
    texts = [json.dumps({**row, "the_id": f"{n}"}) for n, row in enumerate(rows)]
    proposed = draft(sample((text.encode(), text, None) for text in texts), "orders")
    assert proposed.id
    assert not refusals(proposed, texts, Path("/nowhere"))


def test_the_sample_loads_without_quarantine(tmp_path: Path) -> None:
    """Into a real warehouse: every record becomes a row or a duplicate."""
    rows = [
        {"order_id": f"O{n}", "at": "2026-03-03T10:30:00", "amount": n / 4, "items": [{"sku": "a", "n": n}]}
        for n in range(50)
    ]
    texts = [json.dumps(row).encode() for row in [*rows, rows[0]]]
    proposed = drafted(*rows, rows[0])
    warehouse = DuckWarehouse(config_from(tomllib.loads(as_toml(proposed, ORIGIN)), tmp_path))
    warehouse.record(Identity("cluster", "orders", "topic-id", 1), {0: 0})
    receipt = warehouse.commit(warehouse.split(warehouse.stage(batch((0, 0, texts)))))
    warehouse.close()
    assert (receipt.totals.loaded, receipt.totals.duplicates, receipt.totals.quarantined) == (50, 1, 0)


def test_a_few_odd_records_do_not_spoil_the_contract() -> None:
    """One text among amounts, one id missing or repeated: the contract is the others'; all are told."""
    rows: list[dict[str, Any]] = [
        {"user_id": n % 9, "order_id": f"O{n}", "amount": n, "at": "2026-03-03T10:30:00Z"} for n in range(400)
    ]
    rows[3]["amount"] = "a lot"
    rows[5]["at"] = "yesterday"
    rows[7].pop("order_id")
    rows.append({**rows[9], "amount": 99999})
    rows[11].pop("at")
    found = sample((b"", json.dumps(row), None) for row in rows)
    kept = without_outliers(found, "orders", 0.01)
    proposed = draft(kept, "orders")
    assert types(proposed) == {
        "user_id": "BIGINT", "order_id": "VARCHAR", "amount": "BIGINT", "at": "TIMESTAMPTZ",
    }  # fmt: skip
    assert (proposed.id, proposed.id_is_sure, proposed.column("at").required) == (("order_id",), True, False)
    assert kept.unusable == {
        "amount is a text, not a number": 1,
        "at is a text, not a time": 1,
        "order_id is missing, or repeated with other content": 2,
    }
    assert [row for row in range(401) if row not in kept.rows] == [3, 5, 7, 400]
    strict = draft(without_outliers(found, "orders", 0), "orders")
    assert types(strict)["amount"] == "JSON"


def test_what_is_not_rare_is_no_outlier() -> None:
    """Two kinds in earnest are JSON; an optional field stays optional; a small sample has no outliers."""
    rows: list[dict[str, Any]] = [{"id": n, "x": n if n % 10 else "text", "maybe": 1} for n in range(400)]
    rows[200].pop("maybe")
    kept = without_outliers(sample((b"", json.dumps(row), None) for row in rows), "orders", 0.01)
    assert (len(kept.records), types(draft(kept, "orders"))["x"]) == (400, "JSON")
    assert not draft(kept, "orders").column("maybe").required
    few = sample((b"", json.dumps({"id": n, "x": "a" if n else 1}), None) for n in range(99))
    assert len(without_outliers(few, "orders", 0.01).records) == 99
