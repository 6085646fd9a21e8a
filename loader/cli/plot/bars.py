"""A chart as bars in the terminal: one line for each label and series."""

from __future__ import annotations

from itertools import cycle
from typing import TYPE_CHECKING

from loader.cli.plot.chart import Chart

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

LINES = 60
COLOURS = ("cyan", "yellow", "green", "magenta", "blue", "red")
NARROWEST = 10  # columns of a bar
WIDEST = 120  # columns of all


def draw(chart: Chart, console: Console, notes: Console) -> None:
    """Print the bars; the newest or first LINES of them, and a note where there are more."""
    lines = [
        (label, name, value)
        for place, label in enumerate(chart.labels)
        for name, values in chart.series.items()
        if (value := values[place]) is not None
    ]
    shown = lines[-LINES:] if chart.is_time else lines[:LINES]
    console.print(f"{chart.values} by {chart.axis}", markup=False)
    console.print(_table(shown, console.width))
    if len(lines) > len(shown):
        which = "last" if chart.is_time else "first"
        notes.print(f"the {which} {len(shown)} of {len(lines):,} bars; all of them: --plot FILE.png")


def _table(lines: list[tuple[str, str, float]], width: int) -> Table:
    from rich.bar import Bar
    from rich.table import Table
    from rich.text import Text

    values = [0.0, *(value for *_, value in lines)]
    low, high = min(values), max(values)
    names = dict.fromkeys(name for _, name, _ in lines)
    colours = dict(zip(names, cycle(COLOURS), strict=False))
    table = Table.grid(padding=(0, 1))
    table.width = min(width, WIDEST)
    table.add_column(no_wrap=True, overflow="ellipsis")
    table.add_column(no_wrap=True, overflow="ellipsis")
    table.add_column(ratio=1, min_width=NARROWEST)
    table.add_column(no_wrap=True, justify="right")
    before = None
    for label, name, value in lines:
        span = (min(0.0, value) - low, max(0.0, value) - low)
        bar = Bar((high - low) or 1.0, *span, color=colours[name])
        amount = Text(f"{value:,.2f}".removesuffix(".00"))
        table.add_row(Text("" if label == before else label), Text(name), bar, amount)
        before = label
    return table
