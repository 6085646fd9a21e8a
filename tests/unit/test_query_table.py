"""How a result is shown: whole where there is room, and never less without a word."""

from __future__ import annotations

import sys
from decimal import Decimal

import pyarrow as pa
import pytest

from loader.cli.cells import cells
from loader.cli.context import Context
from loader.cli.query import answer, fitting, table
from loader.errors import ActionNeeded

WIDE = pa.table({f"column_{n}": ["x" * 30] for n in range(12)} | {"last": [7]})


def shown(capsys: pytest.CaptureFixture[str], result: pa.Table) -> tuple[list[str], str]:
    """The lines on stdout, and stderr."""
    table(Context(), result)
    out, err = capsys.readouterr()
    return out.splitlines(), err


def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let standard output be a terminal of 80 columns."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)


@pytest.mark.parametrize(
    ("wanted", "room", "widths"),
    [
        ([5, 5], 17, [5, 5]),
        ([5, 5], 16, [5]),
        ([60, 5], 80, [60, 5]),
        ([100, 5], 80, [40, 5]),
        ([100, 100, 5], 80, [40]),
        ([100], 20, [16]),
        ([1], 2, [1]),
        ([], 80, []),
    ],
)
def test_columns_fit_whole_or_cut_or_not_at_all(wanted: list[int], room: int, widths: list[int]) -> None:
    """As wanted where everything fits; else long values are cut, and columns left out from the right."""
    assert fitting(wanted, room) == widths


def test_a_file_gets_everything(capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody can widen a file: however wide the table, no value and no column is lost."""
    lines, err = shown(capsys, WIDE)
    assert (lines[3].count("x" * 30), lines[3].split()[-2], err) == (12, "7", "")
    assert len({len(line) for line in lines}) == 1


def test_a_narrow_terminal_says_what_it_does_not_show(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The columns that have room, whole lines, and a word about the others."""
    narrow(monkeypatch)
    lines, err = shown(capsys, WIDE)
    assert (len(lines[0]), len(lines[3]), lines[3].count("x" * 30)) == (67, 67, 2)
    assert err == "2 of 13 columns; everything: --format csv\n"
    _, err = shown(capsys, pa.table({"a": ["y" * 200] * 300}))
    assert err == "200 of 300 rows, long values cut; everything: --format csv\n"


def test_a_plan_is_drawn(capsys: pytest.CaptureFixture[str]) -> None:
    """What EXPLAIN answers is several lines, and is printed as such; a record cannot draw."""
    lines, _ = shown(capsys, pa.table({"explain_key": ["physical_plan"], "explain_value": ["┌──┐\n│\x1b │"]}))
    assert lines == ["┌──┐", "│\\x1b │"]
    lines, _ = shown(capsys, pa.table({"note": ["two\nlines"]}))
    assert "two\\nlines" in lines[3]


SPAN = pa.month_day_nano_interval()
ODD = pa.table(
    {
        "map": pa.array([[("k", Decimal("1.5"))], [], None], pa.map_(pa.string(), pa.decimal128(3, 1))),
        "nested": pa.array(
            [{"a": [[(1, "x")]]}, {"a": []}, None],
            pa.struct({"a": pa.list_(pa.map_(pa.int32(), pa.string()))}),
        ),
        "span": pa.array([(14, 3, 14_405_500_000_000), (-3, -1, 0), (0, 0, -10_799_000_000_000)], SPAN),
        "none": pa.array([(0, 0, 0), None, (0, 1, 1_000)], SPAN),
    }
)


def test_maps_are_objects_and_intervals_are_texts() -> None:
    """Also where they stand inside of others; an interval is written as DuckDB writes it."""
    assert [cells(column) for column in ODD.columns] == [
        [{"k": "1.5"}, {}, None],
        [{"a": [{"1": "x"}]}, {"a": []}, None],
        ["1 year 2 months 3 days 04:00:05.5", "-3 months -1 day", "-02:59:59"],
        ["00:00:00", None, "1 day 00:00:00.000001"],
    ]


def test_no_type_of_duckdb_ends_a_format(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    """CSV has texts for what Arrow cannot write itself; what Parquet cannot hold is said, with the way on."""
    answer(Context(), ODD, "csv")
    lines = capsysbinary.readouterr().out.decode().splitlines()
    assert (
        lines[1]
        == '''"{""k"": ""1.5""}","{""a"": [{""1"": ""x""}]}","1 year 2 months 3 days 04:00:05.5","00:00:00"'''
    )
    with pytest.raises(ActionNeeded, match="Parquet has no such type") as refused:
        answer(Context(), ODD, "parquet")
    assert "CAST" in refused.value.hint
