"""What of a contract its table depends on: pure, without a database."""

from __future__ import annotations

import pytest

from loader.contract import Column, Contract
from loader.contract.shape import NOT_YET, OWN, Shape, change, sameness
from loader.types import parse_type


def shape(**types: str) -> Shape:
    """A shape whose columns are optional, but for the id."""
    columns = [Column(name, parse_type(type_), required=name == "id") for name, type_ in types.items()]
    return Shape.of(Contract(tuple(columns), ("id",)))


def words(old: str, new: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What is done and what is refused when a column's type changes."""
    before = shape(id="VARCHAR", c=old)
    found = change({"id": "VARCHAR", "c": old, **OWN}, before, shape(id="VARCHAR", c=new))
    return found.steps, found.refused


def test_a_shape_comes_back_from_its_json() -> None:
    """What the warehouse keeps is the whole shape."""
    made = shape(id="VARCHAR", items='STRUCT("a b" INTEGER)[]', amount="DECIMAL(18,2)")
    assert Shape.from_json(made.as_json()) == made


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("INTEGER", "BIGINT"),
        ("UINTEGER", "BIGINT"),
        ("BIGINT", "DECIMAL(19,0)"),
        ("DECIMAL(18,2)", "DECIMAL(20,2)"),
        ("DECIMAL(18,2)", "DECIMAL(20,4)"),
        ("FLOAT", "DOUBLE"),
        ("INTEGER[]", "BIGINT[]"),
        ("MAP(VARCHAR, INTEGER)", "MAP(VARCHAR, BIGINT)"),
        ("STRUCT(a INTEGER)", "STRUCT(b VARCHAR, a INTEGER)"),
    ],
)
def test_what_holds_every_value_is_followed(old: str, new: str) -> None:
    """One way it is a step, the other way it is refused."""
    steps, refused = words(old, new)
    assert (len(steps), refused) == (1, ())
    steps, refused = words(new, old)
    assert (steps, len(refused)) == ((), 1)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("BIGINT", "DOUBLE"),
        ("INTEGER", "UBIGINT"),
        ("UBIGINT", "BIGINT"),
        ("BIGINT", "DECIMAL(18,0)"),
        ("DECIMAL(18,2)", "DECIMAL(19,4)"),
        ("FLOAT[]", "DOUBLE[]"),
        ("VARCHAR", "JSON"),
        ("DATE", "TIMESTAMP"),
        ("INTEGER", "INTEGER[]"),
        ("STRUCT(a INTEGER)", "STRUCT(A INTEGER)"),
        ("STRUCT(a INTEGER)", "MAP(VARCHAR, INTEGER)"),
    ],
)
def test_what_could_lose_a_value_is_refused(old: str, new: str) -> None:
    """Neither the loader nor the warehouse guesses."""
    steps, refused = words(old, new)
    assert (steps, len(refused)) == ((), 1)


def test_words_name_the_place_inside() -> None:
    """A person finds the field without comparing two long types."""
    steps, refused = words(
        "STRUCT(a INTEGER, b STRUCT(c DECIMAL(9,2))[])[]",
        "STRUCT(a SMALLINT, b STRUCT(c DECIMAL(10,2), d DATE)[])[]",
    )
    assert steps == ("c[].b[].c DECIMAL(9,2) becomes DECIMAL(10,2)", "c[].b[].d DATE is new")
    assert refused == ("c[].a is INTEGER in the table, SMALLINT in the contract (wider types are followed)",)


def test_the_order_of_columns_and_fields_means_nothing() -> None:
    """Only names and types count."""
    assert words("STRUCT(a INTEGER, b DATE)", "STRUCT(b DATE, a INTEGER)") == ((), ())
    table = {"c": "DATE", **OWN, "id": "VARCHAR"}
    assert change(table, None, shape(id="VARCHAR", c="DATE")).steps == ()


def test_a_table_that_is_not_the_loaders_is_refused() -> None:
    """Without the loader's own columns nothing could be traced."""
    found = change({"id": "VARCHAR"}, None, shape(id="VARCHAR"))
    assert len(found.refused) == len(OWN)


def test_a_column_is_compared_from_its_beginning_on() -> None:
    """The cases of the comparison, by the head's number of the stored row's batch."""
    old, new = shape(id="VARCHAR", a="INTEGER"), shape(id="VARCHAR", a="BIGINT", b="STRUCT(x DATE)")
    last = shape(id="VARCHAR", a="BIGINT", b="STRUCT(x DATE, y DATE)")
    past = [(1, old), (5, new), (NOT_YET, last)]
    assert sameness(past, "a") == 's."a" IS NOT DISTINCT FROM f."a"'
    cast = 'AS STRUCT("x" DATE)) IS NOT DISTINCT FROM CAST(f."b" AS STRUCT("x" DATE))'
    assert sameness(past, "b") == (
        f'CASE WHEN f."$seq" < 5 THEN true WHEN f."$seq" < {NOT_YET} THEN CAST(s."b" {cast} '
        'ELSE s."b" IS NOT DISTINCT FROM f."b" END'
    )
