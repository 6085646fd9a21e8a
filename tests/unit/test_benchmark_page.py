"""docs/benchmarks.md, its pictures and the README's paragraph about speed say what the results say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import matplotlib.image as pictures
import numpy as np
import pytest

from tests.benchmarks.charts import charts
from tests.benchmarks.experiments import EXPERIMENTS
from tests.benchmarks.figures import CEILING, MB, Run
from tests.benchmarks.page import PAGE, PICTURES, README, SPEED, draw, markdown, page, speed
from tests.benchmarks.results import Result, committed
from tests.benchmarks.texts import ABOUT

ALIKE = 0.01  # of full brightness, in the mean: other versions of a font differ less, another bar more


def result(experiment: str, *runs: Run) -> dict[str, Result]:
    """The results of one measurement."""
    return {experiment: Result(experiment, f"make {experiment}", {"cores": "2"}, runs)}


def load(who: str, rate: float, what: str = "base") -> Run:
    """A run with all that the paragraph needs."""
    return Run(1, what, who, {"rate": rate, "ratio": 0.414, "peak": 480 * MB}, {"parse": 0.1, "write": 0.05})


SETS = result("sets", load(CEILING, 1e6), load("ducklake", 412_345), load("duckdb", 434_567))


def test_the_page_is_what_the_committed_results_give() -> None:
    """`python -m tests.benchmarks.page` would change nothing."""
    assert (PAGE.read_text(encoding="utf-8") if PAGE.exists() else "") == page(committed())
    assert SPEED.findall(README.read_text(encoding="utf-8")) == [speed(committed())]


def test_what_was_tried_stands_where_a_target_is_missed() -> None:
    """And nowhere else."""
    tried = "What was tried for the share of the ceiling"
    assert tried not in page(SETS)
    assert tried in page(
        result("sets", load(CEILING, 1e6), replace(load("ducklake", 1), figures={"ratio": 0.1}))
    )


def test_the_pictures_are_what_the_committed_results_give(tmp_path: Path) -> None:
    """Each is drawn again and compared, point by point; there is no other."""
    draw(committed(), tmp_path)
    drawn = {file.name for file in tmp_path.iterdir()}
    assert drawn == {file.name for file in PICTURES.glob("*")}
    for name in drawn:
        ours, theirs = pictures.imread(tmp_path / name), pictures.imread(PICTURES / name)
        assert ours.shape == theirs.shape, name
        assert np.abs(ours - theirs).mean() < ALIKE, name


def test_a_picture_of_other_figures_would_be_noticed(tmp_path: Path) -> None:
    """The comparison above can fail."""
    slower = result(
        "sets", load("ducklake", 1.0), Run(1, "base", "duckdb", {}, {"parse": 0.2, "write": 0.01})
    )
    for name, results in (("a", SETS), ("b", slower)):
        draw(results, tmp_path / name)
    one, other = (pictures.imread(tmp_path / name / "sets.png") for name in ("a", "b"))
    assert np.abs(one - other).mean() > ALIKE


def test_every_measurement_has_its_words() -> None:
    """And nothing else has."""
    assert ABOUT.keys() == {*EXPERIMENTS, "peers"}


@pytest.mark.parametrize("experiment", ABOUT)
def test_a_section_has_figures_command_and_machine(experiment: str) -> None:
    """For each measurement that was made; the others have none."""
    text = page(result(experiment, load("ducklake", 5.0)))
    assert text.count("\n## ") == 1
    assert "| base | ducklake |" in text
    assert f"Again: `make {experiment}`. Measured on: cores 2." in text


def test_there_is_no_page_without_results() -> None:
    """And the README then says how to measure."""
    assert page({}) == ""
    assert speed({}) == "Speed: `make bench`."


def test_the_paragraph_names_rate_ratio_and_memory_of_both_warehouses() -> None:
    """The rates rounded to thousands, of the base set alone; one line, so that it can be put in its place."""
    more = [*SETS["sets"].runs, load("ducklake", 1.0, what="1 KB")]
    text = speed(result("sets", *more))
    assert "412,000 into a lake and 435,000 into a DuckDB file a second, 0.41 and 0.41 of" in text
    assert "`make sets` repeats it" in text
    assert "in at most 480 MB" in text
    assert SPEED.fullmatch(text)


def test_targets_are_told_with_the_figures() -> None:
    """Missed ones too."""
    assert "* base, ducklake: of ceiling A: 0.414, at least 0.400: yes" in page(SETS)


def test_columns_without_a_figure_are_left_out() -> None:
    """As where no load made the set of ids."""
    table = markdown([["", "x", "y"], ["a", "1", ""]])
    assert table.splitlines() == ["|  | x |", "| --- | --- |", "| a | 1 |"]


def test_charts_have_a_bar_for_each_case_and_loader() -> None:
    """In the units of the heading; the ceiling is no loader."""
    runs = [load(who, 1.0, what) for what in ("0.5 M", "1 M") for who in (CEILING, "ducklake", "duckdb")]
    title, chart = charts(result("backlog", *runs))["backlog"]
    assert (title, chart.values, chart.labels) == ("Memory against backlog", "peak MB", ("0.5 M", "1 M"))
    assert chart.series == {"ducklake": (480.0, 480.0), "duckdb": (480.0, 480.0)}


def test_what_was_measured_only_with_the_set_has_a_gap() -> None:
    """A history for which the set was never made has no bar there."""
    runs = [
        Run(1, "1 M ids", "ducklake", {"before": 0.05, "batch": 0.02}),
        Run(1, "10 M ids", "ducklake", {"before": 0.25}),
    ]
    _, chart = charts(result("history", *runs))["history"]
    assert chart.labels == ("1 M", "10 M")
    assert chart.series == {"ducklake": (20.0, None), "ducklake, table asked": (50.0, 250.0)}
