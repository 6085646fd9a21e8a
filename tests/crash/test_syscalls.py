"""Ended or disturbed at a change of a file, a load leaves nothing half done (all points: syscalls.py)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import pytest

from tests.crash.power import SYNCS, Call
from tests.crash.scenes import Scene, kafka_scene, load_scene
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


class Counted(NamedTuple):
    """A scene, made once and put back by each test, and the calls of its undisturbed command."""

    scene: Scene
    calls: list[Call]


@pytest.fixture(scope="module", params=KINDS)
def counted(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Counted]:
    """With a topic out of a file."""
    with load_scene(Cli(tmp_path_factory.mktemp("scene")), request.param) as scene:
        yield Counted(scene, count(scene))


@pytest.fixture(scope="module", params=KINDS)
def counted_with_kafka(
    request: pytest.FixtureRequest, kafka: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Counted]:
    """With a real topic."""
    with kafka_scene(Cli(tmp_path_factory.mktemp("scene")), request.param, kafka) as scene:
        yield Counted(scene, count(scene))


@pytest.mark.fault(9)
def test_what_kafka_was_told_survives_a_power_cut(counted: Counted) -> None:
    """The power goes when a load has ended, and when it was about to close the warehouse."""
    scene, calls = counted
    scene.reset()
    committed = len(calls) * AFTER_COMMIT[scene.pipeline.kind]
    closing = next(call.number for call in calls if call.number > committed)
    for at in (closing, len(calls) + 1):
        try_point(scene, at, "power")


@pytest.mark.fault(47)
def test_a_commit_that_could_not_be_synced_is_settled(counted: Counted) -> None:
    """Each sync that the warehouse's file needs fails once, and the process dies before its next call.

    Whether the batch is there then or not, it is there once after the next load.
    """
    scene, calls = counted
    scene.reset()
    own = str(scene.pipeline.warehouse)
    syncs = [call for call in calls if call.name in SYNCS and call.path.startswith(own)]
    assert syncs
    for call in syncs[:MOST_SYNCS]:
        try_point(scene, call.number, "eio-kill")


@pytest.mark.slow
@pytest.mark.parametrize("how", WITH_KAFKA)
@pytest.mark.fault(2, 9, 46, 47)
def test_a_load_disturbed_at_a_file_is_exact_afterwards(counted_with_kafka: Counted, how: str) -> None:
    """Killed, without power, refused once, or out of space at some calls: the next load makes it whole."""
    scene, calls = counted_with_kafka
    scene.reset()
    assert {call.name for call in calls} >= KINDS_OF_CALL[scene.pipeline.kind], calls
    step = max(1, len(calls) // POINTS)
    hits = [try_point(scene, at, how) for at in range(step // 2 + 1, len(calls) + 1, step)]
    assert len(hits) >= POINTS
    assert how not in ENDED or {code for code, hit in hits if hit != "the end"} == {-9}
