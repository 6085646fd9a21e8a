"""What is drawn of a result, in the terminal and as a picture."""

from __future__ import annotations

import io
import sys
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pytest
from rich.console import Console

from loader.analytics import Drawing, analytics
from loader.cli.plot import bars, picture
from loader.cli.plot.chart import Chart, chart
from loader.errors import ActionNeeded, ConfigError

REVENUE = pa.table(
    {
        "day": ["2026-03-02", "2026-03-02", "2026-03-01"],
        "currency": ["EUR", "USD", "EUR"],
        "revenue": [Decimal("20.50"), Decimal("5.00"), Decimal("-10.25")],
        "orders": [3, 1, 1],
    }
)


def test_a_result_is_drawn_by_its_columns() -> None:
    """Axis, series, value; times in their order; what is missing is no zero."""
    found = chart(REVENUE, None)
    assert (found.axis, found.values, found.labels) == ("day", "revenue", ("2026-03-01", "2026-03-02"))
    assert found.series == {"EUR": (-10.25, 20.5), "USD": (None, 5.0)}
    assert found.is_time


def test_a_header_may_name_several_values() -> None:
    """Each becomes a series."""
    found = chart(REVENUE.slice(0, 1), Drawing(("revenue", "orders"), "day", ("currency",)))
    assert found.series == {"EUR revenue": (20.5,), "EUR orders": (3.0,)}


def test_numbers_along_the_axis_are_in_their_order() -> None:
    """10 stands behind 9, whatever the query's order."""
    table = pa.table({"hour": [10, 9, 10], "day": ["mo", "mo", "tu"], "orders": [1, 2, 3]})
    assert chart(table, None).labels == ("9", "10")


@pytest.mark.parametrize(
    ("table", "told"),
    [
        (pa.table({"a": ["x"], "b": ["y"]}), "no column to draw"),
        (pa.table({"a": ["x"], "b": pa.array([None], pa.int64())}), "nothing to draw"),
        (pa.table({"a": ["x", "y"], "b": [float("inf"), float("nan")]}), "nothing to draw"),
        (REVENUE.slice(0, 0), "nothing to draw"),
        (pa.table([[1], [2]], names=["a", "a"]), "same name"),
    ],
)
def test_what_cannot_be_drawn_is_said(table: pa.Table, told: str) -> None:
    """One line, not an empty picture."""
    with pytest.raises(ActionNeeded, match=told):
        chart(table, None)


def test_every_analytic_says_how_to_draw_it() -> None:
    """And those with a parameter show how to give it."""
    for each in analytics().values():
        assert each.drawing, each.name
        for name in each.parameters:
            assert f"--param {name}=" in each.about
    assert analytics()["one_day"].title == "One day, hour by hour and currency, in UTC"
    assert analytics()["one_day"].parameters == ("day",)


def drawn(made: Chart, width: int) -> tuple[list[str], str]:
    """The lines of the bars, and the note."""
    out, notes = (Console(file=io.StringIO(), width=width, color_system=None) for _ in range(2))
    bars.draw(made, out, notes)
    return out.file.getvalue().splitlines(), notes.file.getvalue()  # type: ignore[attr-defined]


def test_bars_are_as_long_as_their_values() -> None:
    """The largest fills its column; below zero goes to the left of it; a label stands once."""
    (title, *lines), note = drawn(chart(REVENUE, None), 60)
    assert (title, note) == ("revenue by day", "")
    lengths = [line.count("█") for line in lines]
    assert lengths[1] > lengths[0] > lengths[2] > 0
    assert lines[0].index("█") < lines[1].index("█")
    assert [line[:10].strip() for line in lines] == ["2026-03-01", "2026-03-02", ""]
    assert lines[1].endswith("20.50")


def test_bars_fit_into_a_narrow_terminal_and_a_long_result_is_cut() -> None:
    """No line is wrapped; of times the last ones are shown."""
    days = pa.table({"day": [f"2026-{m:02}-{d:02}" for m in (1, 2, 3) for d in range(1, 29)], "n": range(84)})
    (_, *lines), note = drawn(chart(days, None), 30)
    assert len(lines) == bars.LINES
    assert max(map(len, lines)) <= 30
    assert lines[-1].startswith("2026-03-28")
    assert "the last 60 of 84 bars" in note


@pytest.mark.parametrize("suffix", picture.SUFFIXES)
def test_a_picture_appears_complete(tmp_path: Path, suffix: str) -> None:
    """A file of its kind, and no other."""
    file = tmp_path / f"out{suffix}"
    picture.draw(chart(REVENUE, None), "Revenue", file)
    magic = {".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}[suffix]
    assert file.read_bytes().startswith(magic)
    assert list(tmp_path.iterdir()) == [file]


def test_times_become_lines_and_names_bars(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three days in a row are a line for each series, products are bars."""
    made: list[str] = []
    for name in ("_lines", "_bars"):
        real = getattr(picture, name)

        def noted(*words: object, name: str = name, real: object = real, **more: object) -> None:
            made.append(name)
            real(*words, **more)  # type: ignore[operator]

        monkeypatch.setattr(picture, name, noted)
    days = pa.table({"day": ["2026-03-01", "2026-03-02", "2026-03-05"], "n": [1, 2, 3]})
    skus = pa.table({"sku": ["SKU-0000001", "SKU-0000002"], "n": [1, -2]})
    for table in (days, skus):
        picture.draw(chart(table, None), "t", tmp_path / "out.png")
    assert made == ["_lines", "_bars"]


def test_without_matplotlib_there_is_one_line_with_the_way_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is an extra."""
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ConfigError) as told:
        picture.draw(chart(REVENUE, None), "t", tmp_path / "out.png")
    assert told.value.hint == "pip install 'loader-kafka[plot]'"
    assert list(tmp_path.iterdir()) == []


def crowd(count: int, label: str) -> pa.Table:
    """So many labels, with one value each."""
    return pa.table({"name": [label.format(n) for n in range(count)], "n": range(count)})


DAYS = [f"2026-03-{day:02}" for day in range(1, 31)]
CROWDED = {
    "numbers": pa.table({"hour": range(168), "n": range(168)}),
    "short names": crowd(60, "c{}"),
    "long names": crowd(20, "A product whose name says its colour and its size, number {}"),
    "many names": crowd(500, "SKU-{:07}"),
    "many series": pa.table(
        {"day": DAYS * 24, "sku": [f"SKU-{n // 30}" for n in range(720)], "n": range(720)}
    ),
    "one row": pa.table({"day": DAYS[:1], "n": [5]}),
}


@pytest.mark.parametrize("name", CROWDED)
def test_nothing_in_a_picture_covers_another_thing(name: str) -> None:
    """Labels stand apart and inside, the legend beside the lines, and one bar does not fill the picture."""
    figure = picture.drawn(chart(CROWDED[name], None), "A title")
    figure.canvas.draw()
    [axes] = figure.axes
    inside, plotted = figure.bbox, axes.get_window_extent()
    for axis in (axes.xaxis, axes.yaxis):
        low, high = sorted(axis.get_view_interval())
        ticks = zip(axis.get_ticklocs(), axis.get_ticklabels(), strict=True)
        boxes = [label.get_window_extent() for place, label in ticks if low <= place <= high]
        assert boxes
        assert not any(one.overlaps(next_) for one, next_ in pairwise(boxes))
        assert all(inside.x0 <= box.x0 and box.x1 <= inside.x1 for box in boxes)
    for legend in figure.legends:
        box = legend.get_window_extent()
        assert not box.overlaps(plotted)
        assert inside.y0 <= box.y0 < box.y1 <= inside.y1
    if len(axes.patches) == 1:
        assert axes.patches[0].get_window_extent().width < 0.5 * plotted.width
    assert plotted.width > 0.4 * inside.width


def test_what_a_picture_has_no_room_for_is_said_in_its_title() -> None:
    """The first sixty names; of many series those with the largest values, in eight colours."""
    names = picture.drawn(chart(CROWDED["many names"], None), "Products")
    assert names.axes[0].get_title(loc="left") == "Products\nthe first 60 of 500"
    series = picture.drawn(chart(CROWDED["many series"], None), "Sales")
    assert series.axes[0].get_title(loc="left") == "Sales\nthe 8 largest of 24 series"
    assert [text.get_text() for text in series.legends[0].get_texts()] == [f"SKU-{n}" for n in range(16, 24)]


def test_the_axis_says_the_zone_of_its_times() -> None:
    """Times with a zone are shown in UTC; days have none."""
    times = [f"2026-03-03 1{n}:00:00+02:00" for n in range(4)]
    for labels, told in ((times, "hour, UTC"), (DAYS[:4], "hour")):
        made = picture.drawn(chart(pa.table({"hour": labels, "n": [1, 2, 3, 4]}), None), "t")
        assert made.axes[0].get_xlabel() == told
