"""What `make bench` makes of what it has measured: shares within a round, medians, targets, files."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import asdict, fields
from datetime import UTC, datetime
from pathlib import Path

import pytest

from loader.replay.generate import GenerateOptions, generate
from tests.benchmarks.children import Child, run, run_python
from tests.benchmarks.dataset import notes, padded
from tests.benchmarks.experiments import EXPERIMENTS
from tests.benchmarks.figures import (
    CEILING,
    FIGURES,
    MB,
    Run,
    Spread,
    aligned,
    of_ceiling,
    of_first,
    phases_of_a_batch,
    shown,
    spread,
    table,
)
from tests.benchmarks.history import batches
from tests.benchmarks.loads import Warehouse
from tests.benchmarks.machine import machine
from tests.benchmarks.peers.known import COLUMNS, PEERS, of_lake
from tests.benchmarks.results import Result, read
from tests.benchmarks.sets import ALL, BASE, DEFAULT, POISON, REPLAY, DataSet
from tests.benchmarks.short import imported
from tests.benchmarks.targets import TARGETS, verdicts
from tests.benchmarks.trickle import lateness, percentile


def rounds(who: str, *rates: float, what: str = "base", figure: str = "rate") -> list[Run]:
    """One run for each figure, round after round."""
    return [Run(number, what, who, {figure: rate}) for number, rate in enumerate(rates, start=1)]


def test_spread_is_the_median_and_the_range() -> None:
    """Of an even number of values the median lies between the middle two."""
    assert spread([3.0, 1.0, 10.0]) == Spread(3.0, 1.0, 10.0)
    assert spread(iter([1.0, 2.0])) == Spread(1.5, 1.0, 2.0)


def test_a_load_is_compared_with_the_ceiling_of_its_own_round_and_topic() -> None:
    """A slow machine in one round, or another topic, does not change the ratio."""
    runs = [*rounds(CEILING, 1000, 500), *rounds(CEILING, 10, what="1 KB"), *rounds("ducklake", 250, 250)]
    assert [run.figures["ratio"] for run in of_ceiling(runs)] == [1, 1, 1, 0.25, 0.5]


def test_a_set_is_compared_with_the_first_one_of_its_own_round() -> None:
    """Each warehouse with itself; what lacks the figure gets no share."""
    runs = [*rounds("ducklake", 100, 50), *rounds("ducklake", 90, 50, what="10% poison")]
    runs += [Run(1, "10% poison", "duckdb", {})]
    assert [run.figures.get("of_base") for run in of_first(runs, "of_base", "rate")] == [1, 1, 0.9, 1, None]
    assert of_first([], "of_base", "rate") == []


def test_others_are_compared_with_our_lake() -> None:
    """And our own two loaders with nothing."""
    runs = [
        *rounds("ducklake", 400, figure="process_rate"),
        *rounds("duckdb", 500, figure="process_rate"),
        *rounds("dlt, merge", 10, figure="process_rate"),
    ]
    assert [run.figures.get("of_lake") for run in of_lake(runs)] == [None, None, 0.025]


@pytest.mark.parametrize(
    ("experiment", "what", "figure", "values", "ok"),
    [
        ("sets", "base", "ratio", (0.30, 0.40, 0.45), True),
        ("sets", "base", "ratio", (0.39, 0.39, 0.45), False),
        ("sets", "1 KB", "peak", (400 * MB, 500 * MB), True),
        ("sets", "1 KB", "peak", (400 * MB, 400 * MB, 501 * MB), False),
        ("sets", POISON[0].name, "of_base", (0.94, 0.95, 0.95), True),
        ("sets", POISON[1].name, "of_base", (0.49,), False),
        ("sets", REPLAY.name, "of_base", (0.99,), False),
        ("history", "50 M ids", "growth", (1.0, 1.2, 2.0), True),
        ("latency", "100 records/s", "latest", (0.101,), False),
        ("producer", "flat out", "rate", (300_000,), True),
        ("peers", "base", "of_lake", (0.21,), False),
    ],
)
def test_a_target_is_met_or_not(
    experiment: str, what: str, figure: str, values: tuple[float, ...], ok: bool
) -> None:
    """Medians count; of memory each round, because it is a bound."""
    (verdict,) = verdicts(experiment, rounds("ducklake", *values, what=what, figure=figure))
    assert verdict.ok is ok
    assert verdict.text.startswith(f"{what}, ducklake: {FIGURES[figure].heading}: ")
    assert verdict.text.endswith(": yes" if ok else ": NO")


def test_the_ceiling_has_no_target_and_neither_has_a_figure_that_is_missing() -> None:
    """Its ratio is 1 by definition."""
    assert verdicts("sets", rounds(CEILING, 1.0, figure="ratio")) == []
    assert verdicts("history", rounds("ducklake", 1.0)) == []


def test_every_figure_of_a_target_and_of_a_table_is_known() -> None:
    """A table or a verdict never meets a name that it cannot show."""
    names = {target.figure for targets in TARGETS.values() for target in targets}
    names |= {name for experiment in EXPERIMENTS.values() for name in experiment.columns} | set(COLUMNS)
    assert names <= FIGURES.keys()
    assert TARGETS.keys() <= {*EXPERIMENTS, "peers"}


def test_the_table_has_median_and_range_of_each_case() -> None:
    """What was not measured is left empty; all lines are as wide as their columns."""
    runs = [*rounds("ducklake", 200, 100, 300), Run(1, "base", CEILING, {"peak": 5 * MB})]
    cells = table(runs, ["rate", "peak"])
    assert cells[1:] == [
        ["base", "ducklake", "200 (100-300)", ""],
        ["base", CEILING, "", "5"],
    ]
    assert [len(line) for line in aligned(cells).splitlines()][:1] == [len(aligned(cells).splitlines()[2])]


def test_a_range_is_shown_only_where_there_is_one() -> None:
    """In the units of the figure."""
    assert shown("cpu_each", Spread(2e-6, 1e-6, 3e-6)) == "2.00 (1.00-3.00)"
    assert shown("share", Spread(0.05, 0.05, 0.05)) == "5.0%"


def test_phases_are_those_of_the_first_case() -> None:
    """Medians; a phase that a round does not have counts as 0 there."""
    runs = [
        Run(1, "base", CEILING, {}),
        Run(1, "base", "ducklake", {}, {"parse": 4.0, "write": 2.0}),
        Run(2, "base", "ducklake", {}, {"parse": 6.0}),
        Run(1, "1 KB", "ducklake", {}, {"parse": 99.0}),
    ]
    assert phases_of_a_batch(runs) == {"ducklake": {"parse": 5.0, "write": 1.0}}


def test_each_set_differs_from_the_base_in_one_thing() -> None:
    """The whole matrix has every value that was asked for, and the default sets are the first of it."""
    for data in ALL[1:]:
        assert sum(getattr(data, each.name) != getattr(BASE, each.name) for each in fields(DataSet)) == 1
    assert ALL[: len(DEFAULT)] == DEFAULT
    assert {data.compression for data in ALL} == {"lz4", "zstd", "gzip", "none"}
    assert {data.partitions for data in ALL} == {4, 12}
    assert {data.poison for data in ALL} == {0.0, 0.00001, 0.1}
    assert {data.duplicates for data in ALL} == {0.0, 0.05, 1.0}
    assert [data.name for data in DEFAULT] == [
        "base", "1 KB", "0.001% poison", "10% poison", "5% duplicates", "100% duplicates",
    ]  # fmt: skip


def test_a_set_says_where_its_records_must_end() -> None:
    """So a load that lost some is no figure."""
    assert POISON[1].expected(1_000) == {"loaded": 900, "duplicates": 0, "quarantined": 100}
    assert REPLAY.expected(1_000) == {"loaded": 0, "duplicates": 1_000, "quarantined": 0}


def test_a_larger_order_has_the_size_and_is_the_same_order() -> None:
    """Only a note is added."""
    (chunk,) = generate(GenerateOptions(200))
    large = padded(chunk, notes(1_024, 10))
    sizes = [len(text) for text in large.texts]
    assert 1_000 < sum(sizes) / len(sizes) < 1_048
    orders = [json.loads(text) for text in large.texts]
    assert [{k: v for k, v in order.items() if k != "note"} for order in orders] == [
        json.loads(text) for text in chunk.texts
    ]


def test_a_result_is_read_as_it_was_saved(tmp_path: Path) -> None:
    """With machine and command; each run stands on a line of its own."""
    runs = [Run(1, "base", "ducklake", {"rate": 1.5}, {"parse": 0.25}), *rounds(CEILING, 2.0)]
    result = Result("sets", "python -m tests.benchmarks", {"cores": "2"}, runs)
    result.save(tmp_path / "sets.json")
    assert read(tmp_path / "sets.json") == result
    assert json.dumps(asdict(runs[0])) in (tmp_path / "sets.json").read_text()


def line(second: float, event: str, **more: object) -> str:
    """A log line of the loader."""
    moment = datetime.fromtimestamp(second, UTC).isoformat()
    return json.dumps({"event": event, "timestamp": moment, **more})


def test_batch_times_lie_between_commits_and_the_making_of_the_set_is_none() -> None:
    """The first batch has no commit before it, and the one that waits for the set is not counted."""
    made = "ids read in 1.5 s; their set takes 107 MiB, and 12 MiB on disk"
    events = [(1, "committed"), (1.2, "committed"), (1.4, "committed"), (2, "reading the ids of 5 rows")]
    events += [(3, made), (3.5, "committed"), (3.6, "committed")]
    found = batches("\n".join(["not a log line", *(line(*event) for event in events)]))
    assert found.figures == pytest.approx(
        {"before": 0.2, "batch": 0.1, "set_seconds": 1.5, "set_memory": 107, "set_disk": 12}
    )


def test_a_load_that_never_makes_the_set_has_no_figures_of_it() -> None:
    """As one of few batches into a large table."""
    said = "\n".join([line(1, "committed"), line(1.5, "committed")])
    assert batches(said).figures == {"before": 0.5}


def test_a_batch_is_late_from_its_oldest_record_on_beyond_the_wait() -> None:
    """Batches that began before the clock ran, or whose commit was not told, do not count."""
    said = "\n".join(line(10 + number, "committed", batch=number) for number in range(3))
    assert lateness(said, {0: 8.0, 1: 9.95, 2: 10.9, 7: 11.0}, since=9.0) == pytest.approx([0.05, 0.1])


def test_a_percentile_is_one_of_the_values() -> None:
    """Of few values the 99th is the largest."""
    assert percentile([3.0, 1.0, 2.0], 0.99) == 3.0
    assert percentile([float(value) for value in range(1, 201)], 0.99) == 198.0


def test_imports_are_the_sum_of_what_each_module_took_alone() -> None:
    """What a module imports is counted with that; the heading is no number."""
    said = "import time: self [us] | cumulative | imported package\n"
    said += "import time:       100 |        100 |   _io\nimport time:       250 |        350 | io\n"
    assert imported(said) == pytest.approx(0.00035)


def test_a_warehouse_can_be_put_back(tmp_path: Path) -> None:
    """With what came later in the log of writes ahead of it."""
    warehouse = Warehouse("ducklake", tmp_path)
    warehouse.file.write_text("before")
    warehouse.keep()
    warehouse.file.write_text("after")
    (tmp_path / "catalog.sqlite-wal").write_text("more")
    warehouse.restore()
    assert warehouse.file.read_text() == "before"
    assert not (tmp_path / "catalog.sqlite-wal").exists()


def test_every_peer_says_what_it_guarantees_and_its_program_is_there() -> None:
    """A name stands once."""
    folder = Path(sys.modules[of_lake.__module__].__file__ or "").parent
    assert len({peer.name for peer in PEERS}) == len(PEERS)
    for peer in PEERS:
        assert peer.guarantee
        for file in peer.program[:1]:
            assert (folder / f"{file.rpartition('.')[2]}.py").exists() or (folder / file).exists()


def test_a_program_is_measured_and_its_json_read(tmp_path: Path) -> None:
    """Result, wall time, CPU and peak memory (a Python needs some MB, not GB) are the child's own."""
    file = tmp_path / "given.json"
    file.write_text('{"loaded": 3}')
    done = run_python("json.tool", str(file))
    assert done.result == {"loaded": 3}
    assert 1 * MB < done.peak < 1_000 * MB
    assert done.wall > 0
    assert done.cpu == done.user + done.system > 0


def test_a_program_that_fails_says_why(tmp_path: Path) -> None:
    """A benchmark never goes on after a failed load; the error shows what the program said."""
    with pytest.raises(RuntimeError, match=r"absent\.json"):
        run_python("json.tool", str(tmp_path / "absent.json"))


def test_what_a_program_says_on_stderr_is_kept() -> None:
    """Beside its result."""
    assert run(sys.executable, "-c", "import sys; print('hm', file=sys.stderr); print({})").said == "hm\n"


def test_a_program_ends_with_its_block() -> None:
    """Also where the block fails before anybody waits for it."""
    with pytest.raises(KeyError), Child("sleep", "60") as child:
        raise KeyError
    assert not Path(f"/proc/{child.pid}").exists()


def test_the_machine_is_described_with_versions_and_commit() -> None:
    """A table without it means nothing."""
    facts = machine("4.3.1")
    assert facts["kafka"] == "4.3.1"
    assert {"cores", "memory", "python", "date", "duckdb", "pyarrow", "confluent-kafka"} <= facts.keys()
    assert re.fullmatch(r"[0-9a-f]{10}(-dirty)?|unknown", facts["commit"])
