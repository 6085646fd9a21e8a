"""The grammar of column types."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loader.types import INTEGERS, PLAIN, SqlType, TypeSyntaxError, parse_type

NAMES = st.text(
    st.characters(codec="utf-8", exclude_categories=("C", "Zl", "Zp", "Zs")), min_size=1, max_size=12
)


@st.composite
def decimals(draw: st.DrawFn) -> SqlType:
    """Any DECIMAL that DuckDB has."""
    precision = draw(st.integers(1, 38))
    return SqlType("DECIMAL", precision=precision, scale=draw(st.integers(0, precision)))


def nested(inner: st.SearchStrategy[SqlType]) -> st.SearchStrategy[SqlType]:
    """A LIST, MAP or STRUCT around other types."""
    fields = st.lists(
        st.tuples(NAMES, inner), min_size=1, max_size=4, unique_by=lambda field: field[0].casefold()
    )
    return st.one_of(
        inner.map(lambda element: SqlType("LIST", element=element)),
        inner.map(lambda value: SqlType("MAP", key=SqlType("VARCHAR"), value=value)),
        fields.map(lambda found: SqlType("STRUCT", fields=tuple(found))),
    )


TYPES = st.recursive(st.sampled_from(sorted(PLAIN)).map(SqlType) | decimals(), nested, max_leaves=8)


def position_of_error(text: str) -> int:
    """Parse, and tell where it failed; 0 if it did not."""
    try:
        parse_type(text)
    except TypeSyntaxError as error:
        return error.position
    return 0


@given(TYPES)
def test_canonical_text_round_trips(type_: SqlType) -> None:
    """Whatever a type is, its canonical text means exactly this type again."""
    assert parse_type(type_.sql()) == type_


@given(st.text(max_size=40) | st.text(alphabet='STRUCTMAPDECIMAL()[],"1 ', max_size=40))
def test_any_text_is_a_type_or_a_syntax_error(text: str) -> None:
    """No text makes the parser fail in any other way than with a place in the text."""
    assert 0 <= position_of_error(text) <= len(text)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        (
            "STRUCT(sku VARCHAR, quantity INTEGER, price DECIMAL(18,2))[]",
            'STRUCT("sku" VARCHAR, "quantity" INTEGER, "price" DECIMAL(18,2))[]',
        ),
        ('struct("a b" int, "say ""hi""" text)', 'STRUCT("a b" INTEGER, "say ""hi""" VARCHAR)'),
        ("map(string, bigint[])[]", "MAP(VARCHAR, BIGINT[])[]"),
        ("timestamp with time zone", "TIMESTAMPTZ"),
        ("TIMESTAMP WITHOUT TIME ZONE", "TIMESTAMP"),
        ("double precision", "DOUBLE"),
        ("REAL", "FLOAT"),
        ("INT", "INTEGER"),
        ("LONG", "BIGINT"),
        ("INT8", "BIGINT"),
        ("BOOL", "BOOLEAN"),
        ("NUMERIC", "DECIMAL(18,3)"),
        ("DECIMAL(5)", "DECIMAL(5,0)"),
        (" UBIGINT ", "UBIGINT"),
    ],
)
def test_spellings_have_one_canonical_text(text: str, canonical: str) -> None:
    """Aliases, case and spaces do not matter; field names are always quoted."""
    assert parse_type(text).sql() == canonical


@pytest.mark.parametrize(
    ("text", "message", "position"),
    [
        ("VARCHR", "unknown type VARCHR; did you mean VARCHAR?", 0),
        ("STRUCT(a INTEGR)", "did you mean INTEGER?", 9),
        ("ENUM('a')", "one_of", 0),
        ("VARCHAR(64)", "length", 7),
        ("DECIMAL(39,1)", "from 1 to 38", 8),
        ("DECIMAL(5,6)", "from 0 to 5", 10),
        ("STRUCT(a INT, A INT)", "twice", 14),
        ("MAP(INT, INT)", "key of a MAP must be VARCHAR", 4),
        ("INT[3]", "fixed size", 4),
        ("STRUCT(a INT", 'the text ends where ")"', 12),
        ('STRUCT("" INT)', "empty", 7),
        ("INT INT", "after the end", 4),
        ("INT; DROP TABLE x", "after the end", 3),
        ("", "where a type should stand", 0),
    ],
)
def test_an_error_says_what_and_where(text: str, message: str, position: int) -> None:
    """A syntax error names the place and, where there is one, the nearest right name."""
    with pytest.raises(TypeSyntaxError) as caught:
        parse_type(text)
    assert message in str(caught.value)
    assert caught.value.position == position


@pytest.mark.parametrize("text", ["INT" + "[]" * 40, "STRUCT(a " * 4000, "MAP(VARCHAR, " * 40])
def test_deep_nesting_is_refused(text: str) -> None:
    """A type cannot exhaust the stack."""
    with pytest.raises(TypeSyntaxError, match="deeper than 32"):
        parse_type(text)


def test_duckdb_agrees_with_every_plain_type() -> None:
    """DuckDB reads our canonical texts, and its own spelling of them parses to the same type."""
    duckdb: Any = pytest.importorskip("duckdb")
    texts = [
        *sorted(PLAIN),
        "DECIMAL(18,2)",
        'STRUCT("select" INTEGER, "A b" VARCHAR[])',
        "MAP(VARCHAR, DATE)",
    ]
    for type_ in map(parse_type, texts):
        spelled = duckdb.sql(f"SELECT typeof(CAST(NULL AS {type_.sql()}))").fetchone()[0]
        assert parse_type(spelled) == type_


def test_integer_ranges_are_those_of_duckdb() -> None:
    """The table of ranges holds the smallest and largest value that DuckDB can cast."""
    duckdb: Any = pytest.importorskip("duckdb")
    for kind, (low, high) in INTEGERS.items():
        query = f"SELECT TRY_CAST(? AS {kind}) IS NOT NULL"
        answers = [
            duckdb.execute(query, [str(value)]).fetchone()[0] for value in (low, high, low - 1, high + 1)
        ]
        assert answers == [True, True, False, False], kind
