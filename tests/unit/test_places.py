"""Where a reason points: places in JSON texts, and the line with carets."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loader.cli.quarantine.show import WIDTH, caret
from loader.contract import Column, Contract
from loader.contract.places import broken_at, place_of
from loader.types import parse_type

ITEMS = 'STRUCT(sku VARCHAR, "unit price" DECIMAL(18,2))[]'
CONTRACT = Contract(
    (
        Column("id", parse_type("VARCHAR")),
        Column("amount", parse_type("DECIMAL(18,2)")),
        Column("city", parse_type("VARCHAR"), source='$.customer."home town"'),
        Column("items", parse_type(ITEMS), required=False),
        Column("tags", parse_type("MAP(VARCHAR, INTEGER)"), required=False),
        Column("who", parse_type("VARCHAR"), source="key"),
    ),
    ("id",),
)


def reason(column: str, value: str | None, place: str = "") -> dict[str, str | None]:
    """A reason as the warehouse keeps it."""
    return {
        "column": column,
        "rule": "type",
        "value": value,
        "message": f"{place or column}: {value} is wrong",
    }


@pytest.mark.parametrize(
    ("text", "given", "marked"),
    [
        ('{"id": "a", "amount": "x"}', reason("amount", '"x"'), '"x"'),
        ('{"id": "a", "amount": "x"}', reason("id", "a"), '"a"'),
        ('{"amount":null}', reason("amount", None), "null"),
        ('{"id": "a"}', reason("amount", None), None),
        ('{"amount": 1, "amount": 2}', reason("amount", "1"), "1"),
        ('{"x": {"amount": 1}, "amount": -2.50}', reason("amount", "-2.50"), "-2.50"),
        ('{"am\\u006funt": 3}', reason("amount", "3"), "3"),
        ('{"customer": {"home town": 7}}', reason("city", "7"), "7"),
        ('{"customer": []}', reason("city", None), None),
        (
            '{"items": [{"unit price": 1}, {"unit price": 0.001}]}',
            reason("items", "0.001", "items[*].unit price"),
            "0.001",
        ),
        ('{"items": {"sku": 1}}', reason("items", "object", "items"), '{"sku": 1}'),
        ('{"tags": {"a": 1, "b": "x"}}', reason("tags", '"x"', "tags.*"), '"x"'),
        ('{"id": "a"}', reason("who", None), None),
        ('{"id": "a"}', reason("gone", None), None),
        ('{"amount": 12345678901234567890…', reason("id", "1"), None),
        (f'{{"amount": "{"9" * 200}"}}', reason("amount", '"' + "9" * 99 + "…"), '"' + "9" * 200 + '"'),
    ],
)
def test_the_place_of_a_reason(text: str, given: dict[str, str | None], marked: str | None) -> None:
    """The value that broke the rule; nothing where nothing stands, or the text is no JSON."""
    place = place_of(text, CONTRACT, given)
    assert (None if place is None else text[slice(*place)]) == marked


def test_a_guess_is_not_made_for_another_text() -> None:
    """Where the text may not be the one that was refused, only the very value is pointed at."""
    assert place_of('{"amount": 5}', CONTRACT, reason("amount", "6")) == (11, 12)
    assert place_of('{"amount": 5}', CONTRACT, reason("amount", "6"), surely=True) is None


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ('{"a": 1', 7),
        ("{", 1),
        ("", 0),
        ('{"a" 1}', 5),
        ('{"a": NaN}', 6),
        ('{"a": 1} x', 9),
        ('{"a": "x', 6),
    ],
)
def test_where_a_text_stops_being_json(text: str, at: int) -> None:
    """The first character that cannot stand there."""
    found = broken_at(text)
    assert found is not None
    assert found[0] == at
    assert found[1]


@given(
    st.recursive(
        st.none() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_any_json_is_whole_and_any_member_is_found(value: object) -> None:
    """JSON has no broken place, and a member is found whatever stands beside it."""
    text = json.dumps({"before": value, "amount": "here", "after": value})
    assert broken_at(text) is None
    place = place_of(text, CONTRACT, reason("amount", '"here"'))
    assert place is not None
    assert text[slice(*place)] == '"here"'


@given(st.text(), st.text(min_size=1), st.text())
def test_any_text_can_be_pointed_into(before: str, marked: str, after: str) -> None:
    """Two printable lines, no longer than they may be, whatever the text holds."""
    line, carets = caret(before + marked + after, len(before), len(before) + len(marked))
    assert line.isprintable()
    assert set(carets.strip()) == {"^"}
    assert len(line) <= 10 * WIDTH + 2  # a character may be shown as an escape


def test_the_caret_stands_under_the_value() -> None:
    """Also behind wide characters, in a long line, and in a text of several lines."""
    assert caret('{"a": 1}', 6, 7) == ('{"a": 1}', "      ^")
    assert caret('{"a":\n  12}', 8, 10) == ("  12}", "  ^^")
    assert caret("日本x", 2, 3) == ("日本x", "    ^")
    line, carets = caret("a" * 500 + "XY" + "b" * 500, 500, 502)
    assert line[carets.index("^") : len(carets)] == "XY"
    assert line.startswith("…")
    assert line.endswith("…")
    assert caret("{", 1, 2) == ("{", " ^")
