"""A part of the simulated month (`python -m tests.month`): schedule, upkeep, every shipped query."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.month.clock import run_simulated


@pytest.mark.fault(58)
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize(
    ("days", "per_day", "loads", "maintains"), [(0.0625, 24_000, 18, 2), (1, 12_000, 288, 24)]
)
def test_a_schedule_in_simulated_time(
    tmp_path: Path, days: float, per_day: int, loads: int, maintains: int
) -> None:
    """Each time has its run, none overlaps, few files stay, every answer is that over the raw data."""
    done = run_simulated(tmp_path, "tests.month", "--days", str(days), "--per-day", str(per_day))
    result = json.loads(done.stdout)
    assert (done.returncode, result["wrong"]) == (0, [])
    assert (result["loads"], result["maintains"]) == (loads, maintains)
    assert result["records"]["duplicates"] > 0
    assert result["daily"][0]["files"] < 20
