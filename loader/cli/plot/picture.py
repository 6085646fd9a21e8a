"""A chart as a picture, drawn by matplotlib: lines over time, else bars."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loader.cli.plot.chart import Chart
from loader.errors import ConfigError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SUFFIXES = (".png", ".svg", ".pdf")
COLOURS = ("#4269d0", "#efb118", "#3ca951", "#ff725c", "#a463f2", "#6cc5b0", "#97bbf5", "#9c6b4e")
"""Told apart by eyes that see few colours, too; by Observable's categorical scheme."""

GREY = "#6b7280"
TICKS = 12  # times of a day along the axis
DOTS = 40  # on a line; more of them are smaller
FEWEST = 3  # labels for which a line says more than bars
LONG = 8  # letters of a label; longer ones make the bars lie down
ROOM = 110  # letters that labels have side by side
LETTERS = 40  # of a label or name that are shown
BARS = 60  # places for bars that lie; the picture grows with them
SLOTS = 4  # places that a bar shares the picture with at least: one alone would fill it
SIZE = (10.0, 5.6)  # inches
PLACE = 0.24  # inches that a bar that lies has at least
DPI = 150


def draw(chart: Chart, title: str, file: Path) -> None:
    """Draw into a file that appears complete. Raises ConfigError (matplotlib is missing), OSError."""
    from loader.warehouse.replacing import replaced

    figure = drawn(chart, title)
    with replaced(file, folder=False) as temporary:
        figure.savefig(temporary, format=file.suffix.removeprefix("."), dpi=DPI)


def drawn(chart: Chart, title: str) -> Figure:
    """The picture; its title says what of the chart it has no room for. Raises ConfigError."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        message, hint = (
            "pictures are drawn by matplotlib, which is missing",
            "pip install 'loader-kafka[plot]'",
        )
        raise ConfigError(message, address="--plot", hint=hint) from None

    lies = _lies(chart.labels) and not chart.is_time
    chart, left_out = _cut(chart, BARS if lies else len(chart.labels))
    height = max(SIZE[1], PLACE * len(chart.labels) + 1) if lies else SIZE[1]
    figure = Figure(figsize=(SIZE[0], height), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    if chart.is_time and len(chart.labels) >= FEWEST:
        along = _lines(axes, chart)
    else:
        along = _bars(axes, chart, lies=lies)
    _dress(axes, chart, along, lies=lies)
    axes.set_title("\n".join([title, *left_out]), loc="left", fontsize=12, fontweight="bold", wrap=True)
    if len(chart.series) > 1:
        figure.legend(frameon=False, loc="outside right upper")
    return figure


def _lies(labels: tuple[str, ...]) -> bool:
    """Whether bars lie, so that their names have room; numbers side by side may be left out instead."""
    numbers = all(re.fullmatch(r"-?[\d.]+", label) for label in labels)
    return max(map(len, labels)) > LONG or (not numbers and _width(labels) > ROOM)


def _width(labels: tuple[str, ...]) -> int:
    return sum(len(label) + 1 for label in labels)


def _cut(chart: Chart, most: int) -> tuple[Chart, list[str]]:
    """The first labels and the largest series, no more than can be told apart; and what that leaves out."""
    notes = []
    if len(chart.labels) > most:
        notes.append(f"the first {most} of {len(chart.labels):,}")
    series = {name: values[:most] for name, values in chart.series.items()}
    if len(series) > len(COLOURS):
        notes.append(f"the {len(COLOURS)} largest of {len(series):,} series")
        large = sorted(series, key=lambda name: -sum(abs(value or 0) for value in series[name]))
        series = {name: values for name, values in series.items() if name in large[: len(COLOURS)]}
    return replace(chart, labels=chart.labels[:most], series=series), notes


def _short(text: str) -> str:
    return text if len(text) <= LETTERS else f"{text[: LETTERS - 1]}…"


def _lines(axes: Axes, chart: Chart) -> str:
    """Draw a line for each series; what to call the axis."""
    from matplotlib.dates import ConciseDateFormatter

    places = _moments(chart.labels)
    for colour, (name, values) in zip(COLOURS, chart.series.items(), strict=False):
        known = [math.nan if value is None else value for value in values]  # the line breaks there
        style: Any = {"color": colour, "lw": 1.8, "marker": "o" if len(known) <= DOTS else "."}
        axes.plot(list(places), known, label=_short(name), markersize=4, **style)
    axes.margins(x=0.02)
    if isinstance(places, range):
        step = max(1, -(-len(places) // TICKS))
        axes.set_xticks(places[::step], chart.labels[::step])
        return chart.axis
    axes.xaxis.set_major_formatter(ConciseDateFormatter(axes.xaxis.get_major_locator()))
    return f"{chart.axis}, UTC" if places[0].tzinfo else chart.axis  # matplotlib's own zone


def _moments(labels: tuple[str, ...]) -> Sequence[Any]:
    """The labels as times, so that gaps show; times of a day have no date and stand one after the other."""
    try:
        return [datetime.fromisoformat(label) for label in labels]
    except ValueError:
        return range(len(labels))


def _bars(axes: Axes, chart: Chart, *, lies: bool) -> str:
    """Draw a bar for each label and series; what to call the axis."""
    thick = 0.8 / len(chart.series)
    put: Any = axes.barh if lies else axes.bar
    for number, (name, values) in enumerate(chart.series.items()):
        middle = (number - (len(chart.series) - 1) / 2) * thick
        known = [(place + middle, value) for place, value in enumerate(values) if value is not None]
        put(*zip(*known, strict=True), thick, label=_short(name), color=COLOURS[number])
    places, labels = range(len(chart.labels)), [_short(label) for label in chart.labels]
    edge = max(0.6, (SLOTS - len(places)) / 2)
    ends = (-edge, len(places) - 1 + edge)
    if lies:
        axes.set_yticks(places, labels)
        axes.set_ylim(*reversed(ends))
    else:
        step = -(-_width(chart.labels) // ROOM)
        axes.set_xticks(places[::step], labels[::step])
        axes.set_xlim(*ends)
    return chart.axis


def _dress(axes: Axes, chart: Chart, name: str, *, lies: bool) -> None:
    from matplotlib.ticker import FuncFormatter

    along, up = (axes.yaxis, axes.xaxis) if lies else (axes.xaxis, axes.yaxis)
    along.set_label_text(name, color=GREY)
    up.set_label_text(chart.values, color=GREY)
    up.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    axes.grid(axis="x" if lies else "y", color="#e5e7eb", lw=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left" if not lies else "bottom"]].set_visible(False)
    axes.tick_params(length=0, colors=GREY)
    lowest = min(value for values in chart.series.values() for value in values if value is not None)
    if lowest >= 0:
        (axes.set_xlim if lies else axes.set_ylim)(0, None)
    else:
        (axes.axvline if lies else axes.axhline)(0, color=GREY, lw=0.8)
