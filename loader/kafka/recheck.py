"""Read spans with holes again: a hole is only one if the broker still gives no record there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from confluent_kafka import Consumer

from loader.guards import range_text
from loader.kafka.look import broker, consumer, messages_in
from loader.model import LogRange, Span
from loader.plural import counted

if TYPE_CHECKING:
    from loader.config import Config


@dataclass(frozen=True, slots=True)
class Recount:
    """What reading spans again has shown."""

    findings: list[str]  # what differs, one line each
    compacted: int  # records that were consumed and that compaction has removed since
    gone: int  # spans that could not be read because retention has removed their begin


def recounted(
    config: Config, spans: Sequence[Mapping[str, Any]], log: Mapping[int, LogRange], *, embedded: bool = False
) -> Recount:
    """Read each span (partition, begin_offset, end_offset, consumed) again, read-committed.

    Where the topic is compacted, only more records than were consumed are a finding. Raises BrokerAway.
    """
    topic, asked = config.kafka.topic, broker(config, embedded=embedded)
    kept = [row for row in spans if row["begin_offset"] >= log[row["partition"]].low]
    with closing(asked), closing(consumer(config, asked)) as reading:
        found = [(row, _count(reading, topic, _span(row))) for row in kept]
        fewer = sum(max(0, row["consumed"] - count) for row, count in found)
        compacted = fewer if fewer and asked.is_compacted() else 0
    findings = [
        f"{range_text(topic, _span(row))}: the topic has {counted(count, 'records')}, "
        f"consumed were {row['consumed']}"
        for row, count in found
        if count > row["consumed"] or (count < row["consumed"] and not compacted)
    ]
    return Recount(findings, compacted, len(spans) - len(kept))


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


def _span(row: Mapping[str, Any]) -> Span:
    return Span(row["partition"], row["begin_offset"], row["end_offset"])


def _count(reading: Consumer, topic: str, span: Span) -> int:
    return sum(map(len, messages_in(reading, topic, span)))
