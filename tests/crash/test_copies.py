"""Started several times by mistake, or on a disk that is full for a while: exact in the end."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import MakeTopic
from tests.crash.scenes import shim
from tests.pipelines import KINDS, Pipeline, committed, tell, until
from tests.servers import topics
from tests.servers.command import Cli

COPIES = 3


@pytest.mark.fault(8)
@pytest.mark.parametrize("kind", KINDS)
def test_three_copies_at_once(kafka: str, topic: MakeTopic, cli: Cli, kind: str) -> None:
    """The same load three times: each is complete or busy (75), and every record is there once."""
    pipeline, story = Pipeline(cli, kafka, topic(partitions=3), kind), tell(1_500, seed=8)
    topics.produce(kafka, pipeline.topic, story.messages)
    small = ("--set", "batch.records=500")
    copies = [pipeline.start("load", *small) for _ in range(COPIES)]
    assert {copy.wait(120).code for copy in copies} <= {0, 75}
    assert pipeline("load").code == 0
    assert pipeline.check() == story.expected
    pipeline.verify()


@pytest.mark.fault(46)
@pytest.mark.parametrize("kind", KINDS)
def test_a_stream_waits_for_room(kafka: str, topic: MakeTopic, cli: Cli, tmp_path: Path, kind: str) -> None:
    """The disk fills while a stream runs: it says so, again and again, and goes on when there is room."""
    pipeline, story = Pipeline(cli, kafka, topic(partitions=2), kind), tell(400, seed=8, partitions=2)
    half, full = len(story.messages) // 2, tmp_path / "full"
    env = {
        "LD_PRELOAD": str(shim()),
        "SHIM_FOLDER": str(pipeline.folder),
        "SHIM_AT": "1",
        "SHIM_HOW": "full",
        "SHIM_WHILE": str(full),
    }
    topics.produce(kafka, pipeline.topic, story.messages[:half])
    running = pipeline.start("run", "--set", "batch.wait=200ms", env=env)
    until(lambda: committed(running), "the first half is committed")
    full.touch()
    topics.produce(kafka, pipeline.topic, story.messages[half:])
    until(lambda: running.err.count("disk is full") >= 2, "it has said twice that the disk is full")
    assert running.process.poll() is None, running.err
    full.unlink()
    until(lambda: pipeline.acknowledged() == topics_ends(pipeline), "the second half is committed")
    assert running.terminate().code == 0
    assert pipeline.check() == story.expected
    pipeline.verify()


def topics_ends(pipeline: Pipeline) -> dict[int, int]:
    """Where the topic ends."""
    return {p: end for p, (_, end) in topics.ends(pipeline.bootstrap, pipeline.topic).items()}
