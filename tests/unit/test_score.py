"""The score: equal content passes however it is typed, and every difference is found and counted."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from loader.errors import ConfigError
from loader.replay.answers import Answers, read_answers
from loader.replay.generate import GenerateOptions, write
from loader.replay.score import canonical, score

OPTIONS = GenerateOptions(2_000, faults={"duplicates": 0.05, "tombstones": 0.01, "malformed": 0.02})
COUNTS = {"duplicates": 100, "quarantined": 60, "skipped": 0}
Rows = list[tuple[str, dict[str, Any]]]


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Answers:
    """The answer key of OPTIONS."""
    written = write(OPTIONS, tmp_path_factory.mktemp("score") / "orders.jsonl")
    assert written.answers is not None
    return read_answers(written.answers)


def typed(content: bytes) -> dict[str, Any]:
    """Return an order as a warehouse gives it: decimals with two places, instants in a local zone."""
    order: dict[str, Any] = json.loads(content, parse_float=Decimal)
    zone = timezone(timedelta(hours=2))
    order["timestamp"] = datetime.fromisoformat(order["timestamp"]).astimezone(zone)
    return order | {"_partition": 3}


@pytest.fixture
def rows(answers: Answers) -> Rows:
    """What a warehouse with everything in its place holds."""
    return [(order_id, typed(content)) for order_id, content in answers.contents()]


def test_a_perfect_warehouse_is_ok(answers: Answers, rows: Rows) -> None:
    """All ids with their content and all counts as expected: nothing differs."""
    result = score(answers, reversed(rows), COUNTS).as_json()
    assert result["ok"] is True
    assert result["expected"] == result["found"]
    assert result["found"]["loaded"] == 1_840
    assert result["missing"] == result["extra"] == result["wrong"] == []


def spoiled_amount(rows: Rows) -> None:
    """Change one amount by a cent."""
    rows[7][1]["amount"] += Decimal("0.01")


def spoiled_item(rows: Rows) -> None:
    """Change a quantity inside an item."""
    rows[7][1]["items"][0]["quantity"] += 1


def spoiled_time(rows: Rows) -> None:
    """Move an instant by a millisecond."""
    rows[7][1]["timestamp"] += timedelta(milliseconds=1)


def null_currency(rows: Rows) -> None:
    """Lose a field."""
    rows[7][1]["currency"] = None


def lost(rows: Rows) -> None:
    """Lose a row."""
    del rows[7]


def doubled(rows: Rows) -> None:
    """Load a row twice."""
    rows.append(rows[7])


def invented(rows: Rows) -> None:
    """Add a row that nobody sent."""
    rows.append(("ORDX", rows[7][1]))


@pytest.mark.parametrize(
    ("change", "found"),
    [(spoiled_amount, "wrong"), (spoiled_item, "wrong"), (spoiled_time, "wrong"), (null_currency, "wrong"),
     (lost, "missing"), (doubled, "extra"), (invented, "extra")],
)  # fmt: skip
def test_one_difference_is_found(
    answers: Answers, rows: Rows, change: Callable[[Rows], None], found: str
) -> None:
    """One cent, one unit, one millisecond, one field, one row: each is named."""
    name = "ORDX" if change is invented else rows[7][0]
    change(rows)
    result = score(answers, rows, COUNTS).as_json()
    assert not result["ok"]
    assert result[found] == [name]
    assert result["found"][found] == 1


def test_a_wrong_count_is_not_ok(answers: Answers, rows: Rows) -> None:
    """Rows alone do not pass: duplicates and quarantine must agree too."""
    for name, count in COUNTS.items():
        assert not score(answers, rows, COUNTS | {name: count + 1}).ok


def test_lists_are_capped_and_totals_are_not(answers: Answers) -> None:
    """An empty warehouse misses everything; twenty ids are named."""
    result = score(answers, [], {}).as_json()
    assert len(result["missing"]) == 20
    assert result["found"]["missing"] == 1_840


def test_a_table_with_fewer_columns_is_compared_on_those(answers: Answers, rows: Rows) -> None:
    """What the contract leaves out is not missed."""
    few = [(order_id, {"order_id": order_id, "amount": row["amount"]}) for order_id, row in rows]
    assert score(answers, few, COUNTS).ok


def test_skipped_tombstones_move_from_quarantine(answers: Answers, rows: Rows) -> None:
    """A pipeline with tombstones = "skip" is expected to skip them."""
    counts = COUNTS | {"quarantined": 40, "skipped": 20}
    assert score(answers.with_tombstones("skip"), rows, counts).ok
    assert answers.with_tombstones("quarantine") is answers


@pytest.mark.parametrize(
    ("left", "right"),
    [(12.5, Decimal("12.50")), (100, Decimal("1E+2")), (0, Decimal("-0.00")),
     ("2026-03-01T10:00:00Z", datetime(2026, 3, 1, 10, tzinfo=UTC)),
     ("2026-03-01 12:00:00+02", "2026-03-01T10:00:00.000Z"), ("2026-03-01T10:00:00", "2026-03-01T10:00:00Z"),
     ({"a": 1, "b": None}, {"a": 1}), ((1, 2), [1, 2])],
)  # fmt: skip
def test_equal_content_has_one_form(left: Any, right: Any) -> None:
    """Numbers by value, instants in UTC, null as absent."""
    assert canonical(left) == canonical(right)


@pytest.mark.parametrize(
    ("left", "right"),
    [("12.5", 12.5), (True, 1), ("true", True), ("2026-13-01T00:00:00Z", "x"), ([1], [1, None])],
)
def test_different_content_has_different_forms(left: Any, right: Any) -> None:
    """Text is not a number, a truth value is not one, a list keeps its nulls."""
    assert canonical(left) != canonical(right)


def test_what_is_no_answer_key_is_refused(tmp_path: Path) -> None:
    """A missing file and a dataset in its place are mistakes of the command line."""
    (tmp_path / "orders.jsonl").write_text('{"order_id":"ORD1"}\n')
    for name in ("none.jsonl", "orders.jsonl"):
        with pytest.raises(ConfigError):
            read_answers(tmp_path / name)
