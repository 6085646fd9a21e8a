"""Brokers that go and come back, where others take over."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pipelines import Pipeline, committed, tell, until
from tests.servers import topics
from tests.servers.cluster import GROUPS, addresses, cluster, in_step, place
from tests.servers.command import Cli
from tests.servers.kafka import KafkaServer

PART = 600


@pytest.fixture
def brokers(tmp_path: Path) -> Iterator[list[KafkaServer]]:
    """Three: the first two lead and follow the topic's partitions, the third coordinates all groups."""
    with cluster(tmp_path) as three:
        place(three, "orders", [1, 2], [2, 1], [2, 1])
        place(three, GROUPS, [3], **{"cleanup.policy": "compact"})
        yield three


@pytest.mark.fault(22, 23)
def test_leaders_move_and_the_coordinator_is_away(brokers: list[KafkaServer], cli: Cli) -> None:
    """Without its coordinator a stream loads on, and acknowledges later; a killed leader has an heir."""
    story = tell(4 * PART, seed=31)
    parts = [story.messages[at : at + PART] for at in range(0, len(story.messages), PART)]
    pipeline = Pipeline(cli, addresses(brokers), "orders")  # a session of 45 s outlasts the coordinator
    running, sent = pipeline.start("run", "--set", "batch.wait=200ms"), 0

    def goes_on() -> None:
        nonlocal sent
        sent += len(parts[0])
        topics.produce(pipeline.bootstrap, "orders", parts.pop(0))
        until(lambda: committed(running) and sum(pipeline.positions().values()) == sent, "it is loaded")

    _, leader, coordinator = brokers
    goes_on()
    coordinator.kill()
    goes_on()
    coordinator.start()
    goes_on()
    until(lambda: pipeline.acknowledged() == pipeline.positions(), "what was committed is acknowledged")
    leader.kill()
    goes_on()
    leader.start()
    until(lambda: in_step(brokers, "orders"), "the leader is back")
    while parts:
        goes_on()
    assert running.terminate().code == 0
    assert pipeline.check() == story.expected
    pipeline.verify()
