"""A topic out of a file in place of Kafka, for commands that are run very often: all else is the real loader.

`PLAYED_STORY` names a file with a record in each line (partition, value in hex or null), `PLAYED_TOLD` the
file that takes what Kafka's group would have on record.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Self

from loader.config import Config
from loader.kafka import look, source
from loader.model import Position
from loader.testing.source import MemorySource, MemoryTopic, Record
from tests import oracle
from tests.servers.topics import Message

TIME = 1_772_000_000_000  # milliseconds: of every record


class Played(MemorySource):
    """Reads the story; what is acknowledged is in the other file before anything else happens."""

    @classmethod
    def from_config(cls, config: Config, **_: bool) -> Self:
        """In place of the one that reads from Kafka."""
        lines = Path(os.environ["PLAYED_STORY"]).read_text().splitlines()
        records = [
            Record(p, None if value is None else bytes.fromhex(value), time=TIME)
            for p, value in map(json.loads, lines)
        ]
        topic = MemoryTopic(
            partitions=1 + max(record.partition for record in records), name=config.kafka.topic
        )
        topic.tell(records)
        topic.acknowledged = told(Path(os.environ["PLAYED_TOLD"]))
        return cls(topic, until_end=True)

    def acknowledge(self, positions: Mapping[int, Position]) -> None:
        """As the port says."""
        super().acknowledge(positions)
        Path(os.environ["PLAYED_TOLD"]).write_text(json.dumps(self.topic.acknowledged))


def play() -> None:
    """From now on the commands of this process read the story."""
    source.KafkaSource = Played  # type: ignore[misc, assignment]
    look.broker = lambda config, **_: Played.from_config(config)  # type: ignore[assignment]


def told(file: Path) -> dict[int, int]:
    """What the group has on record: the next offset by partition."""
    if not file.exists():
        return {}
    return {int(partition): offset for partition, offset in json.loads(file.read_text()).items()}


def write_story(file: Path, messages: Iterable[Message]) -> list[oracle.Record]:
    """Write the file; the records as the oracle would read them from a topic."""
    ends: Counter[int] = Counter()
    records, lines = [], []
    for message in messages:
        partition: Any = message.partition
        lines.append(json.dumps([partition, None if message.value is None else message.value.hex()]))
        records.append(oracle.Record(partition, ends[partition], None, message.value, TIME))
        ends[partition] += 1
    file.write_text("\n".join(lines) + "\n")
    return records
