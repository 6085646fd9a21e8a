"""Ended or disturbed at a change of a file, a load leaves nothing half done (all points: syscalls.py)."""

from __future__ import annotations

import pytest

from tests.crash.power import SYNCS
from tests.crash.scenes import kafka_scene, load_scene
from tests.crash.syscalls import ENDED, HOWS, count, try_point
from tests.pipelines import KINDS
from tests.servers.command import Cli

WITH_KAFKA = [how for how in HOWS if how != "eio-kill"]
MOST_SYNCS = 4
POINTS = 2  # of each kind, spread over the load
AFTER_COMMIT = {"ducklake": 0.9, "duckdb": 0.5}  # the share of the calls that come before closing
KINDS_OF_CALL = {  # what a load must at least do, or the library does not see it
    "ducklake": {"write", "fsync"},
    "duckdb": {"fsync"},
}


@pytest.mark.fault(9)
@pytest.mark.parametrize("kind", KINDS)
def test_what_kafka_was_told_survives_a_power_cut(cli: Cli, kind: str) -> None:
    """The power goes when a load has ended, and when it was about to close the warehouse."""
    with load_scene(cli, kind) as prepared:
        calls = count(prepared)
        closing = next(call.number for call in calls if call.number > len(calls) * AFTER_COMMIT[kind])
        for at in (closing, len(calls) + 1):
            try_point(prepared, at, "power")


@pytest.mark.fault(47)
@pytest.mark.parametrize("kind", KINDS)
def test_a_commit_that_could_not_be_synced_is_settled(cli: Cli, kind: str) -> None:
    """Each sync that the warehouse's file needs fails once, and the process dies before its next call.

    Whether the batch is there then or not, it is there once after the next load.
    """
    with load_scene(cli, kind) as prepared:
        own = str(prepared.pipeline.warehouse)
        syncs = [call for call in count(prepared) if call.name in SYNCS and call.path.startswith(own)]
        assert syncs
        for call in syncs[:MOST_SYNCS]:
            try_point(prepared, call.number, "eio-kill")


@pytest.mark.slow
@pytest.mark.parametrize("how", WITH_KAFKA)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.fault(2, 9, 46, 47)
def test_a_load_disturbed_at_a_file_is_exact_afterwards(kafka: str, cli: Cli, kind: str, how: str) -> None:
    """Killed, without power, refused once, or out of space at some calls: the next load makes it whole."""
    with kafka_scene(cli, kind, kafka) as prepared:
        calls = count(prepared)
        assert {call.name for call in calls} >= KINDS_OF_CALL[kind], calls
        step = max(1, len(calls) // POINTS)
        hits = [try_point(prepared, at, how) for at in range(step // 2 + 1, len(calls) + 1, step)]
    assert len(hits) >= POINTS
    assert how not in ENDED or {code for code, hit in hits if hit != "the end"} == {-9}
