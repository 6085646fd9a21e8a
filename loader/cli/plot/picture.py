"""A chart as a picture, drawn by matplotlib: lines over time, else bars."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loader.cli.plot.chart import Chart
from loader.errors import ConfigError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SUFFIXES = (".png", ".svg", ".pdf")
COLOURS = ("#4269d0", "#efb118", "#3ca951", "#ff725c", "#a463f2", "#6cc5b0", "#97bbf5", "#9c6b4e")
"""Told apart by eyes that see few colours, too; by Observable's categorical scheme."""

GREY = "#6b7280"
TICKS = 12  # times of a day along the axis
DOTS = 40  # on a line; more of them are smaller
FEWEST = 3  # labels for which a line says more than bars
LONG = 8  # letters of a label; longer ones make the bars lie down
SIZE = (10.0, 5.6)  # inches
DPI = 150


def draw(chart: Chart, title: str, file: Path) -> None:
    """Draw into a file that appears complete. Raises ConfigError (matplotlib is missing), OSError."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        message, hint = (
            "pictures are drawn by matplotlib, which is missing",
            "pip install 'loader-kafka[plot]'",
        )
        raise ConfigError(message, address="--plot", hint=hint) from None
    from loader.warehouse.replacing import replaced

    figure = Figure(figsize=SIZE, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    lies = not chart.is_time and max(map(len, chart.labels)) > LONG
    if chart.is_time and len(chart.labels) >= FEWEST:
        _lines(axes, chart)
    else:
        _bars(axes, chart, lies=lies)
    _dress(axes, chart, title, lies=lies)
    with replaced(file, folder=False) as temporary:
        figure.savefig(temporary, format=file.suffix.removeprefix("."), dpi=DPI)


def _colour(number: int) -> str:
    return COLOURS[number % len(COLOURS)]


def _lines(axes: Axes, chart: Chart) -> None:
    from matplotlib.dates import ConciseDateFormatter

    places = _moments(chart.labels)
    for number, (name, values) in enumerate(chart.series.items()):
        known = [math.nan if value is None else value for value in values]  # the line breaks there
        style: Any = {"color": _colour(number), "lw": 1.8, "marker": "o" if len(known) <= DOTS else "."}
        axes.plot(list(places), known, label=name, markersize=4, **style)
    if isinstance(places, range):
        step = max(1, -(-len(places) // TICKS))
        axes.set_xticks(places[::step], chart.labels[::step])
    else:
        axes.xaxis.set_major_formatter(ConciseDateFormatter(axes.xaxis.get_major_locator()))
    axes.margins(x=0.02)


def _moments(labels: tuple[str, ...]) -> Sequence[Any]:
    """The labels as times, so that gaps show; times of a day have no date and stand one after the other."""
    try:
        return [datetime.fromisoformat(label) for label in labels]
    except ValueError:
        return range(len(labels))


def _bars(axes: Axes, chart: Chart, *, lies: bool) -> None:
    thick = 0.8 / len(chart.series)
    put: Any = axes.barh if lies else axes.bar
    for number, (name, values) in enumerate(chart.series.items()):
        middle = (number - (len(chart.series) - 1) / 2) * thick
        known = [(place + middle, value) for place, value in enumerate(values) if value is not None]
        put(*zip(*known, strict=True), thick, label=name, color=_colour(number))
    places = list(range(len(chart.labels)))
    if lies:
        axes.set_yticks(places, list(chart.labels))
        axes.invert_yaxis()
    else:
        axes.set_xticks(places, list(chart.labels))


def _dress(axes: Axes, chart: Chart, title: str, *, lies: bool) -> None:
    from matplotlib.ticker import FuncFormatter

    axes.set_title(title, loc="left", fontsize=12, fontweight="bold", wrap=True)
    along, up = (axes.yaxis, axes.xaxis) if lies else (axes.xaxis, axes.yaxis)
    along.set_label_text(chart.axis, color=GREY)
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
    if len(chart.series) > 1:
        axes.legend(frameon=False, loc="best")
