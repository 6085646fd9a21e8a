"""The pictures of docs/benchmarks.md, as charts that `loader query --plot` draws. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from loader.cli.plot.chart import Chart
from tests.benchmarks.figures import CEILING, FIGURES, Run, grouped, median, phases_of_a_batch
from tests.benchmarks.results import Result

Titled = tuple[str, Chart]
Series = dict[str, tuple[float | None, ...]]


def charts(results: Mapping[str, Result]) -> dict[str, Titled]:
    """Title and chart by the name of the file, for the results that there are."""
    made = {}
    for experiment, draw in DRAWN.items():
        if experiment in results:
            title, chart = draw(results[experiment].runs)
            made[experiment] = (title, chart)
    return made


def _phases(runs: Sequence[Run]) -> Titled:
    found = phases_of_a_batch(runs)
    names = tuple(dict.fromkeys(name for seconds in found.values() for name in seconds))
    series: Series = {
        who: tuple(1000 * seconds.get(name, 0.0) for name in names) for who, seconds in found.items()
    }
    return "Phases of a batch", Chart("phase", "ms in a batch", names, series)


def _batch_size(runs: Sequence[Run]) -> Titled:
    return "Speed against batch size", _against(runs, "records in a batch", {"": "rate"})


def _backlog(runs: Sequence[Run]) -> Titled:
    return "Memory against backlog", _against(runs, "records to be loaded", {"": "peak"})


def _history(runs: Sequence[Run]) -> Titled:
    figures = {"": "batch", ", table asked": "before"}
    chart = _against(runs, "ids in the table before", figures)
    return "Batch time against history", Chart(chart.axis, "ms in a batch", chart.labels, chart.series)


def _against(runs: Sequence[Run], axis: str, figures: Mapping[str, str]) -> Chart:
    """Medians of figures (by what is added to the loader's name) over the cases."""
    groups = grouped(run for run in runs if run.who != CEILING)
    cases = tuple(dict.fromkeys(what for what, _ in groups))
    series: Series = {
        f"{who}{more}": tuple(_value(groups.get((what, who), []), name) for what in cases)
        for who in dict.fromkeys(who for _, who in groups)
        for more, name in figures.items()
    }
    known = {name: values for name, values in series.items() if any(value is not None for value in values)}
    labels = tuple(what.removesuffix(" ids") for what in cases)
    return Chart(axis, FIGURES[next(iter(figures.values()))].heading, labels, known)


def _value(runs: Sequence[Run], name: str) -> float | None:
    found = median(runs, name)
    return None if found is None else found / FIGURES[name].unit


DRAWN = {"sets": _phases, "batch-size": _batch_size, "history": _history, "backlog": _backlog}
