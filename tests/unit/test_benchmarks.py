"""What `make bench` says about the runs it has measured: ratios within a round, medians, verdicts."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.benchmarks.children import run_python
from tests.benchmarks.summary import (
    CEILING,
    MB,
    Run,
    Spread,
    Subject,
    as_json,
    by_subject,
    phases,
    spread,
    table,
    verdicts,
    with_ratios,
)

LAKE = Run(1, "ducklake", 1_000, 4.0, 5.0, 500 * MB, 3.0, 1.0)
A = Run(1, CEILING, 1_000, 1.0, 2.0, 100 * MB, 0.5, 0.5)


def rounds(*seconds: tuple[float, float], peaks: tuple[int, ...] = ()) -> list[Run]:
    """Runs of the ceiling and of the lake that took so many seconds, and MB, round after round."""
    runs = []
    for number, (ceiling, lake) in enumerate(seconds, start=1):
        peak = (peaks[number - 1] if peaks else 500) * MB
        runs += [
            replace(A, round=number, seconds=ceiling),
            replace(LAKE, round=number, seconds=lake, peak=peak),
        ]
    return runs


@pytest.mark.parametrize(
    ("share", "seconds", "ok"),
    [(0.00001, 4.2, True), (0.00001, 4.3, False), (0.1, 8.0, True), (0.1, 8.1, False)],
)
def test_poison_may_cost_a_twentieth_when_it_is_rare_and_half_when_it_is_not(
    share: float, seconds: float, ok: bool
) -> None:
    """Its load is compared with the clean one of the same round, whatever the ceiling was."""
    subject = Subject("ducklake", share)
    runs = rounds((1.0, 4.0), (9.0, 4.0))
    runs += [replace(LAKE, round=number, what=subject.name, seconds=seconds) for number in (1, 2)]
    poison = verdicts(runs)[-1]
    assert subject.name in poison.text
    assert poison.ok is ok


def test_spread_is_the_median_and_the_range() -> None:
    """Of an even number of values the median lies between the middle two."""
    assert spread([3.0, 1.0, 10.0]) == Spread(3.0, 1.0, 10.0)
    assert spread(iter([1.0, 2.0])) == Spread(1.5, 1.0, 2.0)


def test_a_run_is_compared_with_the_ceiling_of_its_own_round() -> None:
    """A slow machine in one round does not change the ratio of another."""
    rows = by_subject(with_ratios(rounds((1.0, 4.0), (2.0, 4.0))))
    assert [row.ratio for row in rows["ducklake"]] == [0.25, 0.5]
    assert [row.wall_ratio for row in rows["ducklake"]] == [0.2, 0.4]
    assert [row.ratio for row in rows[CEILING]] == [1.0, 1.0]


@pytest.mark.parametrize(("seconds", "ok"), [(4.0, True), (4.1, False)])
def test_the_ratio_must_reach_a_quarter_in_the_median(seconds: float, ok: bool) -> None:
    """Exactly a quarter is enough, and one bad round of three does not fail the target."""
    fast, _ = verdicts(rounds((1.0, seconds), (1.0, 3.0), (1.0, 9.0)))
    assert fast.ok is ok
    assert f"median {1 / seconds:.3f}" in fast.text


@pytest.mark.parametrize(("peak", "ok"), [(699, True), (700, False)])
def test_no_round_may_pass_the_memory(peak: int, ok: bool) -> None:
    """A peak is a bound: the highest counts, not the median."""
    _, small = verdicts(rounds((1.0, 2.0), (1.0, 2.0), (1.0, 2.0), peaks=(400, peak, 400)))
    assert small.ok is ok
    assert "median 400 MB" in small.text
    assert f"highest {peak} MB" in small.text


def test_the_table_has_each_run_then_median_and_range_of_each_subject() -> None:
    """All lines have the same columns under the same headings."""
    lines = table(rounds((1.0, 4.0), (1.0, 2.0), (1.0, 5.0))).splitlines()
    assert [line.split("  ")[0].strip() for line in lines[1:]] == [*"112233", *["median", "min-max"] * 2]
    assert lines[-2].split()[:4] == ["median", "ducklake", "250", "0.250"]
    assert lines[-1].split()[:3] == ["min-max", "200-500", "0.200-0.500"]
    assert len({len(line) for line in lines}) == 1


def test_phases_are_medians_longest_first() -> None:
    """A phase that a round does not have counts as 0 there; without any there is a sentence."""
    ceilings = [A, replace(A, round=2)]
    loads = [
        replace(LAKE, phases={"write": 2.0, "parse": 4.0}),
        replace(LAKE, round=2, phases={"parse": 6.0}),
    ]
    assert phases([*ceilings, *loads]) == "ducklake: parse 5.00 s, write 1.00 s"
    assert phases([A, LAKE]) == "the results of `loader load` have no phases"


def test_everything_can_be_written_as_json() -> None:
    """The file says what the table says, and whether all targets are met."""
    found = json.loads(json.dumps(as_json({"cores": "2"}, [A, LAKE])))
    assert found["machine"] == {"cores": "2"}
    assert [run["ratio"] for run in found["runs"]] == [1.0, 0.25]
    assert found["ok"] is True
    assert len(found["verdicts"]) == 2


def test_a_program_is_measured_and_its_json_read(tmp_path: Path) -> None:
    """Result, wall time, CPU and peak memory (a Python needs some MB, not GB) are the child's own."""
    file = tmp_path / "given.json"
    file.write_text('{"loaded": 3}')
    done = run_python("json.tool", str(file))
    assert done.result == {"loaded": 3}
    assert 1 * MB < done.peak < 1_000 * MB
    assert done.wall > 0
    assert done.user + done.system > 0


def test_a_program_that_fails_says_why(tmp_path: Path) -> None:
    """A benchmark never goes on after a failed load; the error shows what the program said."""
    with pytest.raises(RuntimeError, match=r"absent\.json"):
        run_python("json.tool", str(tmp_path / "absent.json"))
