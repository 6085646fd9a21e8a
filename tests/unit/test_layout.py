"""`table.partition_by`: what may be written there, and the folders that it gives."""

from __future__ import annotations

from pathlib import Path

import pytest

from loader.config import config_from
from loader.errors import ConfigError
from loader.layout import Layout, parse_layout
from tests.making import ORDER_COLUMNS


@pytest.mark.parametrize(
    ("text", "layout"),
    [
        ("day(timestamp)", Layout("day", "timestamp")),
        (" HOUR ( at ) ", Layout("hour", "at")),
        ('month("the ""time""")', Layout("month", 'the "time"')),
    ],
)
def test_what_can_be_written(text: str, layout: Layout) -> None:
    """A unit of a column, whose name may be quoted as in SQL."""
    assert parse_layout(text) == layout


@pytest.mark.parametrize(
    "text", ["", "timestamp", "week(timestamp)", "day()", "day(a, b)", "day(a) x", "day(1)"]
)
def test_what_cannot(text: str) -> None:
    """Everything else."""
    with pytest.raises(ValueError, match="year, month, day or hour"):
        parse_layout(text)


def test_a_day_is_named_with_its_year_and_month() -> None:
    """DuckLake's day is the day of the month: alone it would put twelve days of a year together."""
    assert parse_layout("day(at)").keys == ("year", "month", "day")
    assert parse_layout("day(at)").folder([2026, 3, 1]) == "year=2026/month=3/day=1"
    none = "__HIVE_DEFAULT_PARTITION__"
    assert parse_layout("month(at)").folder(None) == f"year={none}/month={none}"


@pytest.mark.parametrize(
    ("by", "path", "columns", "said"),
    [
        (
            "day(timestamp)",
            "w.duckdb",
            {},
            "is for a lake only: a DuckDB file has no files to part; take it out",
        ),
        ("day(timestmp)", "", {}, "no column timestmp; did you mean timestamp?"),
        ("day(amount)", "", {}, "column amount is DECIMAL(18,2), which has no day"),
        ("hour(on)", "", {"on": {"type": "DATE"}}, "column on is DATE, which has no hour"),
        (
            "day(timestamp)",
            "",
            {"Month": {"type": "INTEGER"}},
            "the folders would be called as the column Month",
        ),
        ("daily(timestamp)", "", {}, "must be year, month, day or hour of a column"),
    ],
)
def test_mistakes_are_told(by: str, path: str, columns: dict[str, object], said: str, tmp_path: Path) -> None:
    """With the key, before anything is loaded."""
    tree = {
        "pipeline": "orders",
        "kafka": {"bootstrap": "localhost:1", "topic": "orders"},
        "warehouse": {"path": path or "ducklake:sqlite:catalog.sqlite"},
        "table": {"name": "orders", "id": "order_id", "partition_by": by, "columns": ORDER_COLUMNS | columns},
    }
    with pytest.raises(ConfigError) as refused:
        config_from(tree, tmp_path)
    assert "table.partition_by: " in str(refused.value)
    assert said in str(refused.value)
