"""The lag that metrics show, asked of a real broker."""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path
from typing import Any

from loader.kafka.lag import Lagging
from tests.conftest import MakeTopic
from tests.making import make_config
from tests.pipelines import Pipeline, order
from tests.servers import topics
from tests.servers.command import Cli
from tests.servers.topics import Message


def lagging(folder: Path, kafka: str, topic: str, *, shared: bool, **changes: Any) -> Any:
    """Something to ask; close it."""
    where = {"bootstrap": kafka, "topic": topic, "group": f"orders-{topic}", **changes}
    return closing(Lagging(make_config(folder, kafka=where), shared=shared))


def sent(kafka: str, topic: str, ages: list[float]) -> None:
    """An order of each age (seconds) into partition 0, the oldest first."""
    now = time.time()
    stamps = [int((now - age) * 1000) for age in ages]
    messages = [Message(order(n), partition=0, timestamp=stamp) for n, stamp in enumerate(stamps)]
    topics.produce(kafka, topic, messages)


def test_lag_is_what_lies_behind_the_offsets(kafka: str, topic: MakeTopic, tmp_path: Path) -> None:
    """Records by partition, and the age of the first one that waits; nothing waits at the end."""
    name = topic(partitions=2)
    sent(kafka, name, [5_000, 900, 800, 10])
    with lagging(tmp_path, kafka, name, shared=False) as asked:
        found = asked.ask({0: 1, 1: 0})
        assert found.records == {0: 3, 1: 0}
        assert 900 <= found.seconds < 960
        assert asked.ask({0: 4, 1: 0}).seconds == 0
        assert asked.ask({}).records == {}


def test_what_others_of_the_group_load_is_no_lag(kafka: str, topic: MakeTopic, cli: Cli) -> None:
    """Kafka knows how far they are; before anybody has begun, the lag is what a start would read."""
    pipeline = Pipeline(cli, kafka, topic(partitions=2))
    sent(kafka, pipeline.topic, [10, 10, 10])
    with lagging(pipeline.folder, kafka, pipeline.topic, shared=True) as asked:
        assert asked.ask({}).records == {0: 3, 1: 0}
        assert asked.ask({0: 2}).records == {0: 1, 1: 0}
        assert pipeline("load").code == 0
        assert asked.ask({0: 2}).records == {0: 0, 1: 0}
    with lagging(pipeline.folder, kafka, topic(partitions=1), shared=True, start="latest") as asked:
        assert asked.ask({}).records == {0: 0}
