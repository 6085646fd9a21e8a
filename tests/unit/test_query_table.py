"""How a result is shown: whole where there is room, and never less without a word."""

from __future__ import annotations

import sys

import pyarrow as pa
import pytest

from loader.cli.context import Context
from loader.cli.query import fitting, table

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
