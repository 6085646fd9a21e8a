"""Killed in the transaction of a rewind, or of an accepted loss: all of it happened or nothing."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.conftest import MakeTopic
from tests.pipelines import KINDS, Pipeline, tell
from tests.servers import topics
from tests.servers.command import Cli

BEFORE = ("before_begin", "mid_change", "before_commit")  # places where nothing is committed yet


def fail(place: str, log: Path) -> dict[str, str]:
    """The environment that kills the command at a place."""
    return {"LOADER_FAIL": f"{place}:kill", "LOADER_FAIL_LOG": str(log)}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.fault(1)
def test_killed_in_a_rewind(kafka: str, topic: MakeTopic, cli: Cli, kind: str) -> None:
    """SIGKILL at each place; then the balance holds, and the same command and a load give the whole table."""
    pipeline, story = Pipeline(cli, kafka, topic(partitions=2), kind), tell(600, seed=5, partitions=2)
    topics.produce(kafka, pipeline.topic, story.messages)
    words = ("rewind", "--to-offset", "0:150", "--to-offset", "1:7", "--yes")
    for places in (BEFORE, ("after_commit",)):
        assert pipeline("load").code == 0
        before = pipeline.positions()
        for place in places:
            log = cli.folder / f"hits-{place}"
            killed = pipeline(*words, env=fail(place, log))
            assert killed.code == -signal.SIGKILL, killed.err
            assert log.read_text() == f"{place}\n"
            assert pipeline.positions() == (before if place in BEFORE else {0: 150, 1: 7})
        pipeline.verify()
        again = pipeline(*words)
        assert (again.code, bool(again.json["partitions"])) == (0, places == BEFORE), again.err
    assert pipeline("load").code == 0
    assert pipeline.check() == story.expected
    pipeline.verify()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("place", ["before_commit", "after_commit"])
@pytest.mark.fault(1, 31)
def test_killed_in_an_accepted_loss(kafka: str, topic: MakeTopic, cli: Cli, kind: str, place: str) -> None:
    """The same command again goes on behind the gap, which is recorded once."""
    pipeline = Pipeline(cli, kafka, topic(partitions=1), kind)
    story = tell(300, seed=6, partitions=1, duplicates=0, conflicts=0, poison=0)
    topics.produce(kafka, pipeline.topic, story.messages)
    assert pipeline("load", "--max-records", 100).code == 0
    topics.delete_records(kafka, pipeline.topic, {0: 250})
    words = ("load", "--accept-loss", f"{pipeline.topic}[0]:100-250")
    killed = pipeline(*words, env=fail(place, cli.folder / "hits"))
    assert killed.code == -signal.SIGKILL, killed.err
    assert pipeline.positions() == {0: 250 if place == "after_commit" else 100}
    assert pipeline(*words).code == 0
    assert len(pipeline("status").json["gaps"]) == 1
    assert pipeline.rows("SELECT count(*) AS n FROM orders") == [{"n": 150}]
    pipeline.verify()
