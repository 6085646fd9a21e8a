"""Read spans with holes again: a hole is only one if the broker still gives no record there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import closing
from typing import TYPE_CHECKING, Any

from confluent_kafka import Consumer

from loader.kafka.look import broker, consumer, messages_in
from loader.model import LogRange, Span
from loader.plural import counted

if TYPE_CHECKING:
    from loader.config import Config


def miscounted(
    config: Config, spans: Iterable[Mapping[str, Any]], log: Mapping[int, LogRange], *, embedded: bool = False
) -> tuple[list[str], int]:
    """Read each span (partition, begin_offset, end_offset, consumed) again, read-committed.

    Returns what differs, one line each, and how many spans could not be read because retention has
    removed their begin. Raises BrokerAway.
    """
    kafka = config.kafka
    asked = broker(config, embedded=embedded)
    with closing(asked), closing(consumer(config, asked)) as reading:
        findings, gone = [], 0
        for span in spans:
            partition = span["partition"]
            if span["begin_offset"] < log[partition].low:
                gone += 1
                continue
            found = _count(reading, kafka.topic, Span(partition, span["begin_offset"], span["end_offset"]))
            if found != span["consumed"]:
                place = f"{kafka.topic}[{partition}]:{span['begin_offset']}-{span['end_offset']}"
                findings.append(
                    f"{place}: the topic has {counted(found, 'records')}, consumed were {span['consumed']}"
                )
        return findings, gone


def records_in(
    config: Config, log: Mapping[int, LogRange], partition: int, begin: int, end: int
) -> int | None:
    """How many records the topic holds in [begin, end), read-committed; None where its log does not reach.

    Raises BrokerAway.
    """
    if begin < log[partition].low or end > log[partition].end:
        return None
    asked = broker(config)
    with closing(asked), closing(consumer(config, asked)) as reading:
        return _count(reading, config.kafka.topic, Span(partition, begin, end))


def _count(reading: Consumer, topic: str, span: Span) -> int:
    return sum(map(len, messages_in(reading, topic, span)))
