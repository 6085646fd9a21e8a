"""The contract at work in DuckDB: every value is exact or refused, and nothing makes the statement fail."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal, localcontext
from typing import Any
from uuid import UUID

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loader.contract import Column, Contract
from loader.contract.digits import candidates, quote_long_numbers
from loader.model import Batch
from loader.statements import statement
from loader.types import parse_type
from loader.warehouse.stage import Stager, names

Headers = list[dict[str, Any]]
FEW = settings(deadline=None, max_examples=12)
"""To plan the statements takes most of an example's time, so there are few, with many values each."""


def utf8(value: bytes | None, limit: int) -> str | None:
    """The reader's part: text, or None."""
    if value is None or len(value) > limit:
        return None
    try:
        return value.decode()
    except UnicodeDecodeError:
        return None


class Parser:
    """Runs the templates on records: as the warehouse does, or the exact statement alone."""

    def __init__(self, *, quick: bool, trusting: bool = True) -> None:
        self.quick, self.trusting = quick, trusting
        self.home = duckdb.connect(config={"threads": 1})
        self.home.execute("SET TimeZone = 'America/New_York'")  # the session's zone must not matter

    def stage(self, contract: Contract, chunk: pa.Table) -> None:
        """Fill the table `staging`."""
        if self.quick:
            stager = Stager(self.home, contract)
            stager._trusting = self.trusting
            staged = stager.stage(Batch(1, (), chunk))
            self.home.execute(f"CREATE OR REPLACE TABLE staging AS FROM {names(staged.batch)['staging']}")
            return
        self.home.register("chunk", chunk)
        table = "memory.main.staging"
        self.home.execute(statement("load/parse", **contract.parse_parameters("chunk", table)))
        marks = [mark for mark, _ in self.home.execute(statement("load/marks", staging=table)).fetchall()]
        if marks:
            explained = contract.explain_parameters("chunk", table, marks)
            self.home.execute(statement("load/explain", **explained))

    def run(
        self, contract: Contract, values: Sequence[bytes | None], keys: Any = None, headers: Any = None
    ) -> list[dict[str, Any]]:
        """The staged rows in order, `_reasons` parsed."""
        count = len(values)
        texts = [utf8(value, contract.message_bytes) for value in values]
        if not self.quick:  # the warehouse does it by itself
            keep = contract.keeps_texts
            rows = candidates(pa.array(texts, pa.string()), texts=keep).tolist()
            for row in rows:
                texts[row] = quote_long_numbers(texts[row] or "", texts=keep) if texts[row] else texts[row]
        header = pa.list_(pa.struct([("key", pa.string()), ("value", pa.binary())]))
        chunk = pa.table(
            {
                "partition": pa.array([3] * count, pa.int32()),
                "offset": pa.array(range(count), pa.int64()),
                "kafka_time": pa.array([1_772_600_000_123] * count, pa.timestamp("ms")),
                "key": pa.array(keys or [None] * count, pa.binary()),
                "value": pa.array(values, pa.binary()),
                "text": pa.array(texts, pa.string()),
                "headers": pa.array(headers or [None] * count, header),
            }
        )
        self.stage(contract, chunk)
        self.home.execute("SET TimeZone = 'UTC'")
        found = self.home.execute("SELECT * FROM staging ORDER BY _offset").to_arrow_table().to_pylist()
        self.home.execute("SET TimeZone = 'America/New_York'")
        assert [row["_offset"] for row in found] == list(range(count))
        for row in found:
            assert row["_reasons"] != ""
            row["_reasons"] = row["_reasons"] and json.loads(row["_reasons"])
        return found


@pytest.fixture(scope="module", params=["trusting", "quick", "exact"])
def parser(request: pytest.FixtureRequest) -> Iterator[Parser]:
    """One connection for all; every fact of this file holds with and without the quick look."""
    made = Parser(quick=request.param != "exact", trusting=request.param == "trusting")
    yield made
    made.home.close()


def one(type_: str, **rules: Any) -> Contract:
    """A contract with the column `a`."""
    return Contract((Column("a", parse_type(type_), **rules),), ("a",))


def rules_of(row: dict[str, Any]) -> list[str] | None:
    """The broken rules, None for a good record."""
    return None if row["_reasons"] is None else [reason["rule"] for reason in row["_reasons"]]


def outcome(row: dict[str, Any]) -> Any:
    """The value, or the first broken rule after an exclamation mark."""
    return row["a"] if row["_reasons"] is None else "!" + row["_reasons"][0]["rule"]


D = Decimal
BAD_TYPES = {
    "true": "!type",
    '"x"': "!type",
    "{}": "!type",
    "[1]": "!type",
    "null": "!missing",
    '""': "!type",
}
VALUES: dict[str, dict[str, Any]] = {
    "VARCHAR": {
        '"x"': "x",
        '""': "",
        '" 1 "': " 1 ",
        '"12"': "12",
        '"-1"': "-1",
        '"true"': "true",
        '"NaN"': "NaN",
        '"null"': "null",
        '"{}"': "{}",
        '"[1]"': "[1]",
        '"é😀\\n\\t\\"\\\\"': 'é😀\n\t"\\',
        '"\\ud83d\\ude00"': "😀",
        '"infinity"': "infinity",
        '"\\\\u0000"': "\\u0000",
        '"\\ufeff"': "\ufeff",
        '"purchase"': "purchase",
        "12": "!type",
        "-1": "!type",
        "1.5": "!type",
        "true": "!type",
        "false": "!type",
        "{}": "!type",
        "[]": "!type",
        "NaN": "!type",
        "-Infinity": "!type",
        "inf": "!type",
        "InfInitY": "!type",
        "null": "!missing",
        '"a\\u0000b"': "!nul",
        '"\\u0000"': "!nul",
        "1.2345678901234567": "!type",
        '"\\u00001.2345678901234567"': "!nul",
        "12345678901234567890": "!type",
    },
    "BOOLEAN": {
        "true": True,
        "false": False,
        '"true"': "!type",
        "1": "!type",
        "0": "!type",
        '"t"': "!type",
        "1.0": "!type",
        "[]": "!type",
    },
    "BIGINT": BAD_TYPES
    | {
        "0": 0,
        "-0": 0,
        "12": 12,
        "-12": -12,
        "12.0": 12,
        "1e2": 100,
        '"12"': 12,
        '"-7"': -7,
        '"1e3"': 1000,
        "0.0": 0,
        "9223372036854775807": 2**63 - 1,
        "-9223372036854775808": -(2**63),
        "9007199254740993.0": 9007199254740993,
        "9223372036854775808": "!range",
        "-9223372036854775809": "!range",
        "1e400": "!range",
        "123456789012345678901": "!range",
        "12.7": "!inexact",
        "0.5": "!inexact",
        '"12.5"': "!inexact",
        "1e-400": "!inexact",
        "9007199254740992.5": "!inexact",
        '" 12"': "!type",
        '"+5"': "!type",
        '"1_000"': "!type",
        '"0x1F"': "!type",
        '"007"': "!type",
        '"١"': "!type",  # noqa: RUF001
        "NaN": "!type",
        "Infinity": "!type",
        '"12 "': "!type",
        '"\\u000012"': "!type",
        '"\\u00001.2345678901234567"': "!type",
    },
    "TINYINT": {"127": 127, "128": "!range", "-128": -128, "-129": "!range"},
    "UBIGINT": {"18446744073709551615": 2**64 - 1, "18446744073709551616": "!range", "-1": "!range"},
    "HUGEINT": {
        "170141183460469231731687303715884105727": 2**127 - 1,
        "170141183460469231731687303715884105728": "!range",
    },
    "DECIMAL(18,2)": BAD_TYPES
    | {
        "250": D(250),
        "12.34": D("12.34"),
        "12.340": D("12.34"),
        "1e2": D(100),
        "-0": D(0),
        "-0.0": D(0),
        "0.0": D(0),
        '"12.10"': D("12.1"),
        '"1.5e1"': D(15),
        "-12.5": D("-12.5"),
        "1234567890123456.78": D("1234567890123456.78"),
        "12.34000000000000000000": D("12.34"),
        "9999999999999999.99": D("9999999999999999.99"),
        '"-0.01"': D("-0.01"),
        "12.345": "!inexact",
        '"12.345"': "!inexact",
        "12.340000000000000000001": "!inexact",
        "1e-3": "!inexact",
        "0.001": "!inexact",
        "1e-400": "!inexact",
        "99999999999999999.99": "!range",
        "1e17": "!range",
        "1e400": "!range",
        "-1e400": "!range",
        "NaN": "!type",
        "-Infinity": "!type",
        "nan": "!type",
        '"NaN"': "!type",
        '" 1"': "!type",
        '"1."': "!type",
        '".5"': "!type",
    },
    "DECIMAL(38,8)": {
        "169299987.35345112": D("169299987.35345112"),
        "-169299987.35345112": D("-169299987.35345112"),
        '"123456789012345678901234567890.12345678"': D("123456789012345678901234567890.12345678"),
        "123456789012345678901234567890.12345678": D("123456789012345678901234567890.12345678"),
        "1e29": D(10) ** 29,
        "1.23e-6": D("0.00000123"),
        "12345678901234567e-8": D("123456789.01234567"),
        "1e30": "!range",
        "1e-9": "!inexact",
        "1.5e22": D(15) * 10**21,
    },
    "DECIMAL(38,0)": {"9" * 38: D("9" * 38), "1" + "0" * 38: "!range", f'"{"9" * 38}"': D("9" * 38)},
    "DOUBLE": {
        "0.1": 0.1,
        "1": 1.0,
        "-2.5e-3": -0.0025,
        "0.1234567890123456789": 0.1234567890123456789,
        "1e308": 1e308,
        "5e-324": 5e-324,
        "1e400": "!range",
        "NaN": "!type",
        "Infinity": "!type",
        "-inf": "!type",
        '"1.5"': "!type",
        "true": "!type",
        "12345678901234567890": 12345678901234567890.0,
    },
    "FLOAT": {"0.5": 0.5, "1e39": "!range"},
    "DATE": {
        '"2026-03-03"': date(2026, 3, 3),
        '"0001-01-01"': date(1, 1, 1),
        '"9999-12-31"': date(9999, 12, 31),
        '"2024-02-29"': date(2024, 2, 29),
        '"2026-02-30"': "!range",
        '"0000-01-01"': "!range",
        '"10000-01-01"': "!type",
        '"infinity"': "!type",
        '"epoch"': "!type",
        '"2026-3-3"': "!type",
        '" 2026-03-03"': "!type",
        '"2026-03-03T10:00:00"': "!type",
        '"2026/03/03"': "!type",
        "20260303": "!type",
        '"2026-03-03 (BC)"': "!type",
        '"-infinity"': "!type",
        "1": "!type",
    },
    "UUID": {
        '"00112233-4455-6677-8899-aabbccddeeff"': "00112233-4455-6677-8899-aabbccddeeff",
        '"00112233-4455-6677-8899-AABBCCDDEEFF"': "00112233-4455-6677-8899-aabbccddeeff",
        '"00112233445566778899aabbccddeeff"': "!type",
        '"{00112233-4455-6677-8899-aabbccddeeff}"': "!type",
        "1": "!type",
        '"00112233-4455-6677-8899-aabbccddeefg"': "!type",
    },
    "JSON": {
        '{"b": [1, 2.5, "x", null]}': '{"b":[1,2.5,"x",null]}',
        '"x"': '"x"',
        "1": "1",
        "[]": "[]",
        "true": "true",
        "null": "!missing",
        '{"b":1.23456789012345678901}': '{"b":1.23456789012345678901}',
        '{"b":12345678901234567890123}': '{"b":12345678901234567890123}',
        '{"b":NaN}': "!json",
        "Infinity": "!json",
        '{"b":"NaN"}': '{"b":"NaN"}',
        '{"n":"inf \\" nan"}': '{"n":"inf \\" nan"}',
        '{"b":1,"b":2}': '{"b":1,"b":2}',
        '"\\u00001.23456789012345678901"': '"\\u00001.23456789012345678901"',
    },
    "TIMESTAMP": {
        '"2026-03-03T10:30:00"': datetime(2026, 3, 3, 10, 30),  # noqa: DTZ001
        '"2026-03-03 10:30:00.5"': datetime(2026, 3, 3, 10, 30, 0, 500000),  # noqa: DTZ001
        '"2026-03-03T10:30"': datetime(2026, 3, 3, 10, 30),  # noqa: DTZ001
        '"2026-03-03T10:30:00.123456"': datetime(2026, 3, 3, 10, 30, 0, 123456),  # noqa: DTZ001
        '"2026-03-03T10:30:00.123"': datetime(2026, 3, 3, 10, 30, 0, 123000),  # noqa: DTZ001
        '"2026-03-03T10:30:00.123456000"': datetime(2026, 3, 3, 10, 30, 0, 123456),  # noqa: DTZ001
        '"2026-03-03T10:30:00Z"': "!zone",
        '"2026-03-03T10:30:00+02:00"': "!zone",
        '"2026-03-03"': "!type",
        '"2026-03-03T24:00:00"': "!type",
        '"infinity"': "!type",
        '"epoch"': "!type",
        '"2026-03-03T10:30:00.1234567"': "!inexact",
        '"0000-01-01T00:00:00"': "!range",
        '"2026-02-30T00:00:00"': "!type",
        '"2026-03-03T10:30:00 UTC"': "!type",
        "1772600000": "!type",
        '"now"': "!type",
        '"  26-03-03T10:30:00"': "!type",
        '"2026-03-03T10:30:60"': "!type",
    },
    "STRUCT(x INTEGER, y VARCHAR)": {
        '{"x":1,"y":"a","z":3}': {"x": 1, "y": "a"},
        "{}": {"x": None, "y": None},
        '{"x":null}': {"x": None, "y": None},
        '"x"': "!type",
        "[1]": "!type",
        "5": "!type",
        '{"x":1.5}': "!inexact",
        '{"y":5}': "!type",
        '{"y":"12"}': {"x": None, "y": "12"},
        '{"x":"1"}': {"x": 1, "y": None},
        '{"x":1e-400}': "!inexact",
        '{"y":"\\u0000"}': "!nul",
        "null": "!missing",
    },
    "STRUCT(p DECIMAL(9,2), s VARCHAR, t TIMESTAMPTZ)[]": {
        "[]": [],
        '[{"p":1.5,"s":"a"}]': [{"p": D("1.5"), "s": "a", "t": None}],
        '[{"p":12345.60000000000000000,"s":"12"},{}]': [
            {"p": D("12345.6"), "s": "12", "t": None},
            {"p": None, "s": None, "t": None},
        ],
        "[null]": [None],
        '[{"p":1.234}]': "!inexact",
        '[{"p":1},{"p":1.23456789012345678}]': "!inexact",
        '[1,"x",{"p":1}]': "!type",
        '[{"p":"x"}]': "!type",
        '[{"s":5}]': "!type",
        '[{"s":"\\u0000"}]': "!nul",
        "{}": "!type",
        '"x"': "!type",
        "5": "!type",
        '[{"t":"2026-03-03T10:30:00Z"}]': [
            {"p": None, "s": None, "t": datetime(2026, 3, 3, 10, 30, tzinfo=UTC)}
        ],
        '[{"t":"2026-03-03T10:30:00"}]': "!zone",
        '[{"p":1e-400,"s":"a"}]': "!inexact",
        '[{"p":0.0,"s":"a"}]': [{"p": D(0), "s": "a", "t": None}],
        '[{"p":99999999}]': "!range",
        '[[{"p":1}]]': "!type",
    },
    "INTEGER[]": {
        "[1,2]": [1, 2],
        "[]": [],
        "[1,null]": [1, None],
        '[1,"x"]': "!type",
        "[1.5]": "!inexact",
        "[true]": "!type",
        "[[1]]": "!type",
        "5": "!type",
    },
    "VARCHAR[]": {
        '["a","12"]': ["a", "12"],
        '["a",1]': "!type",
        '["true"]': ["true"],
        "[true]": "!type",
        '["\\u0000"]': "!nul",
    },
    "INTEGER[][]": {"[[1],[]]": [[1], []], "[1]": "!type", "[[1.5]]": "!inexact", '[["x"]]': "!type"},
    "STRUCT(t VARCHAR[], m MAP(VARCHAR, DECIMAL(9,2)))": {
        '{"t":["a"],"m":{"k":1.5}}': {"t": ["a"], "m": [("k", D("1.5"))]},
        '{"t":"a"}': "!type",
        '{"m":{"k":1.555}}': "!inexact",
        '{"m":[1]}': "!type",
        '{"m":{"k":1,"k":2}}': "!type",
        '{"t":[1]}': "!type",
    },
    "MAP(VARCHAR, DECIMAL(9,2))": {
        '{"k":1.5,"l":null}': [("k", D("1.5")), ("l", None)],
        "{}": [],
        '{"k":1,"k":2}': "!type",
        '{"k":1.555}': "!inexact",
        "[]": "!type",
        '"x"': "!type",
        '{"\\u0000":1}': "!type",
        '{"k":"x"}': "!type",
    },
}


@pytest.mark.parametrize("type_", VALUES)
def test_each_value_is_exact_or_refused(parser: Parser, type_: str) -> None:
    """One record per value; all in one chunk, so that none disturbs another."""
    table = VALUES[type_]
    rows = parser.run(one(type_), [f'{{"a":{text}}}'.encode() for text in table])
    found = dict(zip(table, map(outcome, rows), strict=True))
    if type_ == "UUID":
        found = {text: str(UUID(bytes=v)) if isinstance(v, bytes) else str(v) for text, v in found.items()}
    assert found == table


BERLIN = timezone(timedelta(hours=1))
TIMES: dict[str | None, dict[str, Any]] = {
    "UTC": {
        "2026-03-03T10:30:00": datetime(2026, 3, 3, 10, 30, tzinfo=UTC),
        "2026-03-03T10:30:00Z": datetime(2026, 3, 3, 10, 30, tzinfo=UTC),
        "2026-03-03T10:30:00+02:00": datetime(2026, 3, 3, 8, 30, tzinfo=UTC),
        "2026-03-03T10:30:00.123456-0530": datetime(2026, 3, 3, 16, 0, 0, 123456, tzinfo=UTC),
        "2026-03-03 10:30+02": "!type",
        "2026-03-03 10:30:00+02": datetime(2026, 3, 3, 8, 30, tzinfo=UTC),
        "2026-03-03T10:30:00.123Z": datetime(2026, 3, 3, 10, 30, 0, 123000, tzinfo=UTC),
        "0001-01-01T00:00:00Z": datetime(1, 1, 1, tzinfo=UTC),
        "0001-01-01T00:00:00+05:00": "!range",
        "9999-12-31T23:59:59.999999-05:00": "!range",
        "2026-03-03T10:30:00+24:00": "!type",
        "2026-03-03T10:30:00+99:99": "!type",
        "2026-03-03T10:30:00 Europe/Berlin": "!type",
        "2026-03-03T10:30:00.1234567Z": "!inexact",
        "infinity": "!type",
        "-infinity": "!type",
        "epoch": "!type",
        "2026-03-03T24:00:00Z": "!type",
        "2026-03-03": "!type",
        "1772600000": "!type",
    },
    "require": {
        "2026-03-03T10:30:00": "!zone",
        "2026-03-03T10:30:00Z": datetime(2026, 3, 3, 10, 30, tzinfo=UTC),
    },
    None: {"2026-03-03T10:30:00": "!zone"},
    "Europe/Berlin": {
        "2026-03-03T10:30:00": datetime(2026, 3, 3, 9, 30, tzinfo=UTC),
        "2026-07-03T10:30:00.5": datetime(2026, 7, 3, 8, 30, 0, 500000, tzinfo=UTC),
        "2026-03-29T02:30:00": "!zone",
        "2026-10-25T02:30:00": "!zone",
        "2026-03-29T01:59:59": datetime(2026, 3, 29, 0, 59, 59, tzinfo=UTC),
        "2026-03-29T03:00:00": datetime(2026, 3, 29, 1, tzinfo=UTC),
        "2026-10-25T03:00:00": datetime(2026, 10, 25, 2, tzinfo=UTC),
        "2026-10-25T02:30:00+02:00": datetime(2026, 10, 25, 0, 30, tzinfo=UTC),
    },
    "Australia/Lord_Howe": {
        "2026-10-04T02:15:00": "!zone",
        "2026-04-05T01:45:00": "!zone",
        "2026-10-04T02:30:00": datetime(2026, 10, 3, 15, 30, tzinfo=UTC),
    },
}


@pytest.mark.parametrize("zone", TIMES)
def test_zone_policy(parser: Parser, zone: str | None) -> None:
    """With an offset: that instant; without: the column's zone, unless the clock leaves it open."""
    table = TIMES[zone]
    rows = parser.run(one("TIMESTAMPTZ", zone=zone), [json.dumps({"a": text}).encode() for text in table])
    assert dict(zip(table, map(outcome, rows), strict=True)) == table


POISON: dict[bytes | None, str] = {
    None: "tombstone",
    b"": "json",
    b" ": "json",
    b"null": "json",
    b"[]": "json",
    b'"text"': "json",
    b"5": "json",
    b"nonsense": "json",
    b"{}": "missing",
    b'{"a":1': "json",
    b'{"a":1}{': "json",
    b'{"a":1,}': "json",
    b'{"a":1 ,\n }': "json",
    b'{"a":1,"b":[1,]}': "json",
    b'\xff\xfe{"a":1}': "utf8",
    b'{"a":"\xff"}': "utf8",
    b'{"a":"\xed\xa0\x80"}': "utf8",
    b'{"a":"\\ud800"}': "json",
    b'\xef\xbb\xbf{"a":1}': "json",
    b"\x00\x00\x00\x00\x07\x02abc": "framing",
    b'\x00\x00\x00\x00\x07{"a":1}': "framing",
    b"\x00": "json",
    b"\x00\x01": "json",
    b"[" * 1_000_000: "json",
    b"[" * 100_000 + b"]" * 100_000: "json",
    b'{"a":' * 100_000 + b"1" + b"}" * 100_000: "depth",
    b'{"a":1,"b":' + b"[" * 200_000 + b"]" * 200_000 + b"}": "depth",
    b'{"a":1,"b":' + b"[1," * 1500 + b"1" + b"]" * 1500 + b"}": "depth",
    b'{"a":NaN}': "type",
    b'{"a":1e400}': "range",
    b'{"a":9223372036854775808}': "range",
    b'{"a":"' + b"x" * (1 << 20) + b'"}': "size",
    b"{a:1}": "json",
    b"{'a':1}": "json",
    b'{"a":01}': "json",
    b'{"a":tru}': "json",
    b'{"a":"x\ny"}': "json",
    b'{"a":1}//c': "json",
}


@pytest.mark.fault(41, 42)
def test_poison_is_refused_and_disturbs_nobody(parser: Parser) -> None:
    """Each poison among good records is refused for its own reason; every good record is loaded."""
    contract = Contract((Column("a", parse_type("BIGINT")),), ("a",), message_bytes=1_000_000)
    values: list[bytes | None] = [b'{"a":%d}\r\n' % i for i in range(10_000)]
    places = dict(zip(range(7, 10_000, 211), POISON, strict=False))
    assert len(places) == len(POISON)
    for place, poison in places.items():
        values[place] = poison
    rows = parser.run(contract, values)
    assert {POISON[p]: rules_of(rows[i]) for i, p in places.items()} == {
        rule: [rule] for rule in POISON.values()
    }
    assert all(row["a"] == i and row["_reasons"] is None for i, row in enumerate(rows) if i not in places)


@pytest.mark.fault(42)
def test_wide_is_not_deep(parser: Parser) -> None:
    """Many brackets side by side are fine, in texts too."""
    values = [
        json.dumps({"a": 1, "b": [{"c": [i]} for i in range(5000)]}),
        json.dumps({"a": 2, "b": "[" * 5000}),
    ]
    assert [row["a"] for row in parser.run(one("BIGINT"), [v.encode() for v in values])] == [1, 2]


@pytest.mark.fault(43)
def test_tombstones_may_be_skipped(parser: Parser) -> None:
    """A skipped tombstone has no reasons and is marked."""
    contract = Contract((Column("a", parse_type("BIGINT")),), ("a",), tombstones="skip")
    rows = parser.run(contract, [None, b'{"a":1}', b""])
    assert [(row["_skip"], rules_of(row)) for row in rows] == [(True, None), (False, None), (False, ["json"])]


def test_all_broken_rules_in_order(parser: Parser) -> None:
    """A reason has column, rule, value and words; all are listed, in the contract's order."""
    contract = Contract(
        (
            Column("order_id", parse_type("VARCHAR"), check="length(order_id) <= 3"),
            Column("timestamp", parse_type("TIMESTAMPTZ"), zone="require"),
            Column("amount", parse_type("DECIMAL(18,2)"), check="amount >= 0"),
            Column("action", parse_type("VARCHAR"), one_of=("purchase", "refund")),
            Column("items", parse_type("STRUCT(price DECIMAL(18,2))[]"), required=False),
        ),
        ("order_id",),
    )
    values = [
        b'{"order_id":"ORD1","timestamp":"2026-03-03T10:30:00","amount":12.345,"action":"steal","items":[{"price":1},{"price":0.999}]}',
        b'{"order_id":"O","timestamp":"2026-03-03T10:30:00Z","amount":-5,"action":"refund"}',
        b'{"user_id": 101, "action": "purchase", "amount": 250}',
        b'{"order_id":"'
        + b"9" * 300
        + b'","timestamp":"2026-03-03T10:30:00Z","amount":1,"action":"refund","items":"none"}',
    ]
    found = [[r["message"] for r in row["_reasons"]] for row in parser.run(contract, values)]
    assert found == [
        [
            "order_id: ORD1 breaks the check length(order_id) <= 3",
            '''timestamp: 2026-03-03T10:30:00 has no offset, and zone is "require"''',
            "amount: 12.345 has more than 2 decimals",
            "action: steal is not one of purchase, refund",
            "items[*].price: 0.999 has more than 2 decimals",
        ],
        ["amount: -5 breaks the check amount >= 0"],
        ["order_id: missing", "timestamp: missing"],
        [
            f"order_id: {'9' * 100}… breaks the check length(order_id) <= 3",
            "items: a text where a list should stand",
        ],
    ]
    reason = parser.run(contract, values[1:2])[0]["_reasons"]
    assert reason == [
        {
            "column": "amount",
            "rule": "check",
            "value": "-5",
            "message": "amount: -5 breaks the check amount >= 0",
        }
    ]


def test_required_optional_default(parser: Parser) -> None:
    """JSON null counts as missing; a default fills both, but never hides a wrong value."""
    texts = [b"{}", b'{"a":null}', b'{"a":5}', b'{"a":"x"}', b'{"b":"a"}']
    assert [outcome(r) for r in parser.run(one("BIGINT"), texts)] == [
        "!missing",
        "!missing",
        5,
        "!type",
        "!missing",
    ]
    assert [outcome(r) for r in parser.run(one("BIGINT", required=False), texts)] == [
        None,
        None,
        5,
        "!type",
        None,
    ]
    assert [outcome(r) for r in parser.run(one("BIGINT", default=7), texts)] == [7, 7, 5, "!type", 7]
    assert [outcome(r) for r in parser.run(one("INTEGER[]", default=[1]), texts)] == [
        [1],
        [1],
        "!type",
        "!type",
        [1],
    ]
    assert [outcome(r) for r in parser.run(one("DECIMAL(9,2)", default=0.5), texts[:2])] == [D("0.5")] * 2
    assert [outcome(r) for r in parser.run(one("VARCHAR", default="O'Hara"), texts[:3])] == [
        "O'Hara",
        "O'Hara",
        "!type",
    ]
    assert [outcome(r) for r in parser.run(one("BOOLEAN", default=False), texts[:2])] == [False, False]
    assert [outcome(r) for r in parser.run(one("MAP(VARCHAR, INTEGER)", default={"k": 1}), texts[:2])] == [
        [("k", 1)]
    ] * 2


def test_a_default_that_does_not_fit_loads_nothing(parser: Parser) -> None:
    """A default is as exact as any value; it is never rounded and never becomes NULL."""
    for type_, default in [("DECIMAL(9,2)", 0.001), ("INTEGER", "x"), ("DATE", "2026-13-1"), ("INT[]", 5)]:
        assert [outcome(r) for r in parser.run(one(type_, default=default), [b"{}"])] == ["!default"]


def test_checks(parser: Parser) -> None:
    """A check sees the whole row; unknown passes, as in SQL; an error refuses the record."""
    contract = Contract(
        (
            Column("a", parse_type("INTEGER"), required=False, check="a < b"),
            Column("b", parse_type("INTEGER"), required=False, check="CAST(c AS INTEGER) >= 0"),
            Column("c", parse_type("VARCHAR"), required=False),
        ),
        ("a",),
    )
    texts = [b'{"a":1,"b":2,"c":"5"}', b'{"a":2,"b":1}', b'{"a":2}', b'{"c":"x"}', b'{"a":"x","b":1}']
    assert [rules_of(row) for row in parser.run(contract, texts)] == [
        None,
        ["check"],
        None,
        ["check"],
        ["type"],
    ]


def test_other_places(parser: Parser) -> None:
    """Paths, key, headers (the last of a name) and Kafka's time."""
    contract = Contract(
        (
            Column("a", parse_type("VARCHAR"), source="$.customer.id", required=False),
            Column("city", parse_type("VARCHAR"), source='$.customer."home town"', required=False),
            Column("k", parse_type("VARCHAR"), source="key", required=False),
            Column("n", parse_type("INTEGER"), source="headers.n", required=False),
            Column("t", parse_type("TIMESTAMPTZ"), source="kafka.timestamp"),
            Column("whole", parse_type("JSON"), source="$.customer", required=False),
        ),
        ("a",),
    )
    values = [
        b'{"customer":{"id":"x","home town":"Rom"}}',
        b'{"customer":"x"}',
        b"{}",
        b'{"customer":{"id":5}}',
        b"{}",
        b"{}",
    ]
    keys = [b"key", None, b"\xff", b"a\x00b", b"12", None]
    headers = [
        [{"key": "n", "value": b"1"}, {"key": "n", "value": b"2"}, {"key": "m", "value": b"3"}],
        None,
        [],
        None,
        [{"key": "n", "value": b"1.5"}],
        [{"key": "n", "value": None}],
    ]
    rows = parser.run(contract, values, keys, headers)
    assert [rules_of(row) for row in rows] == [
        None,
        ["type", "type"],
        ["utf8"],
        ["type", "nul"],
        ["inexact"],
        None,
    ]
    time = datetime(2026, 3, 4, 4, 53, 20, 123000, tzinfo=UTC)
    assert [rows[0][c] for c in ("a", "city", "k", "n", "t")] == ["x", "Rom", "key", 2, time]
    assert rows[0]["whole"] == '{"id":"x","home town":"Rom"}'
    assert rows[0]["_kafka_time"] == time
    assert rows[0]["_partition"] == 3


def test_what_kafka_says(parser: Parser) -> None:
    """Topic, partition, offset and time are values like others; a contract with them keeps its quick look."""
    contract = Contract(
        (
            Column("a", parse_type("INTEGER")),
            Column("topic", parse_type("VARCHAR"), source="kafka.topic", one_of=("it's",)),
            Column("part", parse_type("INTEGER"), source="kafka.partition", check="part = 3"),
            Column("number", parse_type("BIGINT"), source="kafka.offset"),
            Column("t", parse_type("TIMESTAMP"), source="kafka.timestamp"),
        ),
        ("a",),
        topic="it's",
        checks=(("small", "number < 2 -- offsets"),),
    )
    assert contract.quick_parameters("chunk", "staging") is not None
    rows = parser.run(contract, [b'{"a":1}', b'{"a":2,"part":9}', b'{"a":3}'])
    assert [rules_of(row) for row in rows] == [None, None, ["check"]]
    time = datetime(2026, 3, 4, 4, 53, 20, 123000)  # noqa: DTZ001
    assert [rows[1][c] for c in ("topic", "part", "number", "t")] == ["it's", 3, 1, time]
    assert rows[2]["_reasons"][0]["message"] == "small: number=2 breaks the check number < 2 -- offsets"


def test_first_of_duplicate_keys_counts(parser: Parser) -> None:
    """Of a key that stands twice in an object the first one counts, whatever the second is."""
    texts = [b'{"a":1,"a":2}', b'{"a":null,"a":2}', b'{"\\u0061":3,"a":2}', b'{"a":1,"a":"x"}', b'{"A":1}']
    assert [outcome(row) for row in parser.run(one("BIGINT"), texts)] == [1, "!missing", 3, 1, "!missing"]


@pytest.mark.fault(60)
def test_hostile_names(parser: Parser) -> None:
    """Names with quotes, spaces, SQL words and the names of our own input are just names."""
    names = [
        'a "b"',
        "se'lect",
        "value",
        "key",
        "text",
        "partition",
        "offset",
        "a\\b",
        "x.y",
        "items[*]",
        "ü",
        "* FROM",
    ]
    contract = Contract(tuple(Column(n, parse_type(t)) for n in names for t in ["VARCHAR"]), (names[0],))
    good, bad = {n: n for n in names}, dict.fromkeys(names, 1)
    rows = parser.run(contract, [json.dumps(good).encode(), json.dumps(bad).encode()])
    assert {n: rows[0][n] for n in names} == good
    assert [r["column"] for r in rows[1]["_reasons"]] == names


# ---------------------------------------------------------------- properties

_decimals = st.builds(
    lambda sign, digits, point: (
        sign + (digits[:point].lstrip("0") or "0") + ("." + digits[point:] if digits[point:] else "")
    ),
    st.sampled_from(["", "-"]),
    st.text("0123456789", min_size=1, max_size=38),
    st.integers(0, 38),
)
_exponents = st.one_of(st.just(""), st.integers(-45, 45).map(lambda e: f"e{e}"))


def fits(number: Decimal, precision: int, scale: int) -> bool:
    """Whether the number is a value of DECIMAL(precision, scale)."""
    with localcontext() as context:
        context.prec = 200
        scaled = number.scaleb(scale)
        return scaled == scaled.to_integral_value() and abs(scaled) < Decimal(10) ** precision


@FEW
@given(st.lists(st.tuples(_decimals, _exponents, st.booleans()), min_size=15, max_size=60))
@pytest.mark.parametrize(("precision", "scale"), [(18, 2), (38, 10), (9, 0), (4, 4), (38, 38)])
def test_decimals_are_pythons(
    parser: Parser, precision: int, scale: int, given_: list[tuple[str, str, bool]]
) -> None:
    """A number or its text loads as the Decimal of its own text, or is refused exactly if it does not fit."""
    texts = [number + exponent for number, exponent, _ in given_]
    values = [
        f'{{"a":"{t}"}}' if quoted else f'{{"a":{t}}}'
        for t, (_, _, quoted) in zip(texts, given_, strict=True)
    ]
    rows = parser.run(one(f"DECIMAL({precision},{scale})"), [v.encode() for v in values])
    for text, row in zip(texts, rows, strict=True):
        if fits(Decimal(text), precision, scale):
            assert (row["_reasons"], row["a"]) == (None, Decimal(text)), text
        else:
            assert rules_of(row) in (["inexact"], ["range"]), text


@FEW
@given(
    st.lists(
        st.one_of(st.integers(-(2**70), 2**70), st.integers(-1000, 1000), st.integers(2**63 - 3, 2**63 + 3)),
        min_size=15,
    ),
    st.booleans(),
)
def test_integers_are_pythons(parser: Parser, numbers: list[int], quoted: bool) -> None:
    """Whole numbers load exactly, or are refused for their range."""
    values = [f'{{"a":"{n}"}}' if quoted else f'{{"a":{n}}}' for n in numbers]
    for number, row in zip(numbers, parser.run(one("BIGINT"), [v.encode() for v in values]), strict=True):
        expected = (None, number) if -(2**63) <= number < 2**63 else (["range"], None)
        assert (rules_of(row), row["a"]) == expected


@FEW
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=15))
def test_doubles_are_pythons(parser: Parser, numbers: list[float]) -> None:
    """Every double survives, to the last bit."""
    rows = parser.run(one("DOUBLE"), [json.dumps({"a": n}).encode() for n in numbers])
    assert [row["a"] for row in rows] == numbers


_offsets = st.integers(-23 * 60, 23 * 60).map(lambda m: timezone(timedelta(minutes=m)))


@FEW
@given(
    st.lists(
        st.tuples(st.datetimes(), st.one_of(st.none(), st.just(UTC), _offsets), st.sampled_from("T ")),
        min_size=15,
    )
)
def test_times_are_pythons(parser: Parser, times: list[tuple[datetime, Any, str]]) -> None:
    """A time loads as Python reads it, or is refused if its instant is outside of the years 1 to 9999."""
    texts = [time.replace(tzinfo=zone).isoformat(sep) for time, zone, sep in times]
    rows = parser.run(one("TIMESTAMPTZ", zone="UTC"), [json.dumps({"a": t}).encode() for t in texts])
    for text, row in zip(texts, rows, strict=True):
        read = datetime.fromisoformat(text)
        try:
            expected = (read if read.tzinfo else read.replace(tzinfo=UTC)).astimezone(UTC)
        except OverflowError:
            assert rules_of(row) == ["range"]
        else:
            assert (row["_reasons"], row["a"]) == (None, expected)


@FEW
@given(st.lists(st.text(), min_size=15), st.booleans())
def test_texts_come_through(parser: Parser, texts: list[str], ascii_only: bool) -> None:
    """Any text loads as it is; with NUL inside it is refused."""
    values = [json.dumps({"a": t}, ensure_ascii=ascii_only).encode() for t in texts]
    nested = [json.dumps({"a": [{"s": t}]}, ensure_ascii=ascii_only).encode() for t in texts]
    rows = parser.run(one("VARCHAR"), values)
    assert [outcome(row) for row in rows] == ["!nul" if "\0" in t else t for t in texts]
    rows = parser.run(one("STRUCT(s VARCHAR)[]"), nested)
    assert [outcome(row) for row in rows] == ["!nul" if "\0" in t else [{"s": t}] for t in texts]


_any_json = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(max_size=5),
        st.sampled_from(["x", "12", "true"]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.sampled_from("abxy"), inner, max_size=4)
    ),
    max_leaves=12,
)


@FEW
@given(
    st.lists(
        st.one_of(
            st.binary(), st.text().map(str.encode), _any_json.map(lambda v: json.dumps({"a": v}).encode())
        ),
        min_size=12,
    )
)
@pytest.mark.parametrize(
    "type_",
    ["VARCHAR", "DECIMAL(9,2)", "JSON", "STRUCT(x INTEGER, y VARCHAR[])", "STRUCT(x INTEGER, b VARCHAR)[]"],
)
@pytest.mark.fault(41)
def test_nothing_fails_the_statement(parser: Parser, type_: str, values: list[bytes]) -> None:
    """Any bytes and any JSON end as a row, refused or not; a good nested value says what the JSON says."""
    rows = parser.run(one(type_), values)
    for value, row in zip(values, rows, strict=True):
        if row["_reasons"] is None and type_.endswith("[]"):
            read = json.loads(value)["a"]
            assert isinstance(read, list)
            assert row["a"] == [
                e
                if e is None
                else {"x": e.get("x") and int(e["x"]) if e.get("x") else e.get("x"), "b": e.get("b")}
                for e in read
            ]
