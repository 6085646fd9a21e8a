"""Read a range of a partition again, as the loader read it: for `verify --deep`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from loader.kafka.chunks import to_batches
from loader.kafka.look import broker, consumer, messages_in
from loader.model import CHUNK_SCHEMA, Span, next_offset

if TYPE_CHECKING:
    from loader.config import Config

RECORDS = 50_000  # in what is given at once, about
BYTES = 32 * 2**20  # and its size, about


@dataclass(frozen=True, slots=True)
class Reread:
    """The records of a span that were found, none where it is all holes; as CHUNK_SCHEMA."""

    span: Span
    records: pa.Table


def read_again(config: Config, span: Span, *, embedded: bool = False) -> Iterator[Reread]:
    """The records in a span, read-committed, in pieces whose spans form a chain over it.

    Raises BrokerAway, and the errors of the client's first contact.
    """
    with (
        closing(broker(config, embedded=embedded)) as asked,
        closing(consumer(config, asked)) as reading,
    ):
        begin, found, size = span.begin, [], 0
        for messages in messages_in(reading, config.kafka.topic, span):
            found.extend(to_batches(messages, config.limits.message_bytes))
            size += found[-1].nbytes
            if sum(batch.num_rows for batch in found) >= RECORDS or size >= BYTES:
                end = next_offset(found[-1]["offset"][-1].as_py())
                yield _reread(span.partition, begin, end, found)
                begin, found, size = end, [], 0
        yield _reread(span.partition, begin, span.end, found)


def _reread(partition: int, begin: int, end: int, found: list[pa.RecordBatch]) -> Reread:
    return Reread(Span(partition, begin, end), pa.Table.from_batches(found, CHUNK_SCHEMA))
