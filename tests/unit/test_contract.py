"""The contract's pure parts: names, places, structures, digest, long numbers."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from types import SimpleNamespace

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loader.contract import Column, Contract, Source
from loader.contract.digits import FEW, MARK, NUL, candidates, quote_long_numbers
from loader.errors import ConfigError
from loader.types import parse_type


def contract(*columns: Column) -> Contract:
    """A contract whose first column is the id."""
    return Contract(columns, (columns[0].name,))


def column(name: str, type_: str = "VARCHAR", **rules: object) -> Column:
    """A column by the text of its type."""
    return Column(name, parse_type(type_), **rules)  # type: ignore[arg-type]


def test_ddl_quotes_every_name() -> None:
    """A name with quotes in it is one identifier."""
    found = contract(column('a "b"'), column("select", "STRUCT(x INT)[]")).ddl()
    assert found == [('"a ""b"""', "VARCHAR"), ('"select"', 'STRUCT("x" INTEGER)[]')]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, Source("json", ("c",))),
        ("$.customer.id", Source("json", ("customer", "id"))),
        ('$."odd name"."a\\"b"', Source("json", ("odd name", 'a"b'))),
        ("key", Source("key")),
        ("headers.source", Source("header", ("source",))),
        ("kafka.timestamp", Source("time")),
    ],
)
def test_places(text: str | None, expected: Source) -> None:
    """`from` names a place in the record."""
    assert Source.of(text, "c") == expected


@pytest.mark.parametrize(
    "text", ["", "$", "$.", "$.a[0]", "$.a[*].b", "customer.id", "headers.", "$.a b", '$."a']
)
def test_bad_places_are_refused(text: str) -> None:
    """What is no place is a mistake of the configuration, with the column's address."""
    with pytest.raises(ConfigError, match=r"table\.columns\.c\.from"):
        Source.of(text, "c")


def test_places_that_overlap_are_read_apart() -> None:
    """One structure holds all places, unless one place is inside of another or differs in case only."""
    plain = contract(column("a"), column("b", source="$.x.b"), column("c", source="$.x.c"))
    assert [json.loads(one) for one in plain.parse_parameters("c", "s")["structures"]] == [  # type: ignore[attr-defined]
        {"a": "VARCHAR", "x": {"b": "VARCHAR", "c": "VARCHAR"}}
    ]
    overlapping = contract(column("x", "JSON"), column("b", source="$.x.b"), column("X"))
    assert len(overlapping.parse_parameters("c", "s")["structures"]) == 3  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["_offset", "_Batch", "$a"])
def test_names_of_our_own_are_refused(name: str) -> None:
    """The loader's own columns cannot be the contract's too."""
    with pytest.raises(ConfigError, match="own"):
        contract(column(name))


def test_key_cannot_be_nested() -> None:
    """A key is a text; it has no JSON inside."""
    with pytest.raises(ConfigError, match="text"):
        contract(column("a", "INTEGER[]", source="key"))


def test_digest_tells_contracts_apart() -> None:
    """Every rule is part of the digest; an equal contract has an equal one."""
    one = contract(column("a"))
    assert one.digest() == contract(column("a")).digest()
    others = [
        column("a", required=False),
        column("a", check="a > ''"),
        column("a", "JSON"),
        column("a", default="x"),
    ]
    assert len({one.digest(), *(contract(other).digest() for other in others)}) == 5


def test_content_comes_from_the_value() -> None:
    """Key, headers and Kafka's time are not content."""
    columns = (column("a"), column("k", source="key"), column("t", "TIMESTAMPTZ", source="kafka.timestamp"))
    assert contract(*columns).content_columns == ("a",)


def test_from_config_reads_the_table() -> None:
    """The attributes of the configuration's model are taken over, `from_` becomes the source."""
    given_ = SimpleNamespace(
        type="DECIMAL(9,2)", required=False, check="a > 0", zone=None, one_of=None, default=1, from_="$.b",
        coerce=True, dst="refuse", epoch=None,
    )  # fmt: skip
    table = SimpleNamespace(
        columns={"a": given_}, id=("a",), event_time=None, tombstones="skip", unknown_fields="keep",
        duplicates="exact", on_conflict="keep_first", checks={"positive": "a > 0"}, topic="orders",
        layout=None,
    )  # fmt: skip
    made = Contract.from_config(table, 100)
    assert made == Contract(
        (column("a", "DECIMAL(9,2)", required=False, check="a > 0", default=1, source="$.b", coerce=True),),
        ("a",), None, "skip", 100, "keep", "exact", "keep_first", (("positive", "a > 0"),),
    )  # fmt: skip


# ---------------------------------------------------------------- long numbers


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a":169299987.35345112}', f'{{"a":"{MARK}169299987.35345112"}}'),
        ('{"a":-1.2345678901234567E-5 }', f'{{"a":"{MARK}-1.2345678901234567E-5" }}'),
        ('{"a":"169299987.35345112"}', None),
        ('{"a":12345678901234567890}', None),  # whole numbers keep their digits anyway
        ('{"a":1234567.12345}', None),
        ('{"a":"x\\"1.23456789012345678"}', None),
        ("{1.23456789012345678:1}", None),
        ('{"a":01.23456789012345678}', None),
        ('{"a":1.2345678901234567.8}', None),
        ('{"a":"1.23456789012345678}', None),
        (f'{{"a":"{MARK}1.2345678901234567"}}', f'{{"a":"{NUL}{MARK}1.2345678901234567"}}'),
        ('{"a":1 , }', '{"a":1 ,, }'),
        ('{"a":"1,}"}', None),
    ],
)
def test_rewrite(text: str, expected: str | None) -> None:
    """Only long reals outside of strings are marked; None: nothing changes."""
    assert quote_long_numbers(text) == (expected or text)


def python_reads(text: str) -> object:
    """Python's reading, with the texts of reals kept."""
    return json.loads(text, parse_float=Decimal)


_numbers = st.decimals(allow_nan=False, allow_infinity=False).map(lambda d: format(d, "f"))
_json = st.recursive(
    st.one_of(st.none(), st.booleans(), st.text(), st.integers(), _numbers.map(Decimal)),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)),
    max_leaves=20,
)


def written(value: object) -> str:
    """JSON with each Decimal as its own text."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(k)}: {written(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(written, value)) + "]"
    return str(value) if isinstance(value, Decimal) else json.dumps(value)


def marked_back(value: object) -> object:
    """Undo the marks in a parsed value."""
    if isinstance(value, dict):
        return {key: marked_back(one) for key, one in value.items()}
    if isinstance(value, list):
        return [marked_back(one) for one in value]
    if isinstance(value, str) and value.startswith("\0\0"):
        return value[1:]
    mark = json.loads(f'"{MARK}"')
    return Decimal(value.removeprefix(mark)) if isinstance(value, str) and value.startswith(mark) else value


@given(_json.filter(lambda v: "\\u0000" not in json.dumps(v, default=str)))
def test_rewrite_keeps_every_value(value: object) -> None:
    """The rewritten text says the same, with all digits."""
    text = written(value)
    assert marked_back(python_reads(quote_long_numbers(text))) == python_reads(text)


@given(st.text(alphabet='{}[]",:.eE-+0123456789\\u \n'))
def test_rewrite_makes_nothing_valid(text: str) -> None:
    """Invalid JSON stays invalid."""
    try:
        json.loads(text)
    except ValueError:
        with pytest.raises(ValueError):  # noqa: PT011 - json raises a plain one
            json.loads(quote_long_numbers(text))


def _must_change(text: str) -> bool:
    only_marks = (
        '"\\u0000' in text and not re.search(r"[0-9.]{16}", text) and not re.search(r",\s*[\]}]", text)
    )
    return quote_long_numbers(text) != text and not only_marks


@given(st.lists(st.one_of(st.none(), _json.map(written)), max_size=8), st.integers(0, 3))
def test_no_record_is_overlooked(texts: list[str | None], skip: int) -> None:
    """Every row that the rewrite would change is a candidate, in slices too.

    But for a string that begins with the mark and holds no long number: it cannot pass for a marked one.
    """
    for kind in (pa.string(), pa.binary(), pa.large_string()):
        values = pa.array([None if t is None else t.encode() for t in texts], pa.binary()).cast(kind)[skip:]
        changed = {i for i, t in enumerate(texts[skip:]) if t is not None and _must_change(t)}
        assert changed <= set(candidates(values).tolist())


def test_candidates_are_few() -> None:
    """Ids and epoch times with many digits are no candidates where there are many: they need no rewrite."""
    texts = [
        '{"id":"00000000000000000000","t":1772600000000000}',
        '{"a":0.1234567890123456}',
        '{"a":[1, ]}',
        "{}",
    ]
    assert candidates(pa.array(texts)).tolist() == [0, 1, 2]
    many = candidates(pa.array(texts * FEW)).tolist()
    assert many == [row for row in range(len(texts) * FEW) if row % len(texts) in {1, 2}]
    assert candidates(pa.array([], pa.string())).tolist() == []
