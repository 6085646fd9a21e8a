"""Ended or disturbed at a change of a file, a load leaves nothing half done (all points: syscalls.py)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.crash.syscalls import HOWS, count, stage, try_point
from tests.pipelines import KINDS
from tests.servers.command import Cli

POINTS = 2  # of each kind, spread over the load
KINDS_OF_CALL = {  # what a load must at least do, or the library does not see it
    "ducklake": {"write", "fsync"},
    "duckdb": {"fsync"},
}


@pytest.mark.slow
@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.fault(2)
@pytest.mark.fault(46)
@pytest.mark.fault(47)
def test_a_load_disturbed_at_a_file_is_exact_afterwards(
    kafka: str, cli: Cli, tmp_path: Path, kind: str, how: str
) -> None:
    """Killed, refused once, or out of space at some of its calls: the next load makes it whole."""
    with stage(cli, kafka, kind, tmp_path) as prepared:
        calls = count(prepared)
        assert {call.split(" ")[1] for call in calls} >= KINDS_OF_CALL[kind], calls
        step = max(1, len(calls) // POINTS)
        hits = [try_point(prepared, at, how) for at in range(step // 2 + 1, len(calls) + 1, step)]
    assert len(hits) >= POINTS
    assert how != "kill" or {code for code, hit in hits if hit} == {-9}
