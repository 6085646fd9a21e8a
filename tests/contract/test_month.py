"""A part of the simulated month (`python -m tests.month`): schedule, upkeep, every shipped query."""

from __future__ import annotations

import json
from pathlib import Path

from tests.month.clock import run_simulated


def test_a_schedule_in_simulated_time(tmp_path: Path) -> None:
    """Each time has its run, none overlaps, few files stay, every answer is that over the raw data."""
    done = run_simulated(tmp_path, "tests.month", "--days", "0.0625", "--per-day", "24000")
    result = json.loads(done.stdout)
    assert (done.returncode, result["wrong"]) == (0, [])
    assert (result["loads"], result["maintains"]) == (18, 2)
    assert result["records"]["duplicates"] > 0
    assert result["daily"][0]["files"] < 20
