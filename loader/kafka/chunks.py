"""Messages of the client as Arrow columns: one list comprehension per column, nothing per field.

The columns are `model.CHUNK_SCHEMA`. `text` is the value where it can be parsed as text: null for
null values, invalid UTF-8, schema-registry framing and values above the size limit. `value` shares
the memory of `text`.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from confluent_kafka import TIMESTAMP_NOT_AVAILABLE, Message

from loader.model import CHUNK_SCHEMA

HEADERS = CHUNK_SCHEMA.field("headers").type
LAST_TIME = 253_402_300_799_999  # the end of the year 9999, in milliseconds
TIME = CHUNK_SCHEMA.field("kafka_time").type
FRAMING = 5  # bytes: a zero and the four of the schema's id
UNREADABLE = "(a header whose key is not UTF-8)"

Headers = Any  # a list of (key, value) or None; the client's own type allows what it never gives


class TooLarge(Exception):
    """The messages need more than one record batch."""


def to_records(messages: Sequence[Message], message_bytes: int) -> pa.RecordBatch:
    """The messages, none of them an error, as one record batch; `message_bytes` limits `text`.

    Raises TooLarge when a column would need more than the 2 GiB that one array can hold.
    """
    values = [message.value() for message in messages]
    value = _one(pa.array(values, pa.binary()))
    return pa.RecordBatch.from_arrays(
        [
            pa.array([message.partition() for message in messages], pa.int32()),
            pa.array([message.offset() for message in messages], pa.int64()),
            _times(messages),
            _one(pa.array([message.key() for message in messages], pa.binary())),
            value,
            _text(value, values, message_bytes),
            _headers(messages),
        ],
        schema=CHUNK_SCHEMA,
    )


def to_batches(messages: Sequence[Message], message_bytes: int) -> list[pa.RecordBatch]:
    """As `to_records`, in several batches where one could not hold all the bytes."""
    try:
        return [to_records(messages, message_bytes)]
    except TooLarge:
        half = len(messages) // 2
        return [*to_batches(messages[:half], message_bytes), *to_batches(messages[half:], message_bytes)]


def _text(value: pa.Array, values: list[bytes | None], message_bytes: int) -> pa.Array:
    """The values as text, in the same memory; null where one is framed, too large or not UTF-8."""
    bounds = np.frombuffer(value.buffers()[1], np.int32, count=len(value) + 1)
    sizes = np.diff(bounds)
    readable = np.asarray(value.is_valid()) & (sizes <= message_bytes)
    begins = bounds[:-1][sizes >= FRAMING]
    if len(begins):
        readable[sizes >= FRAMING] &= np.frombuffer(value.buffers()[2], np.uint8)[begins] != 0
    try:
        text = _masked(value, readable)
        text.validate(full=True)
    except pa.ArrowInvalid:
        text = _masked(value, readable & [_is_text(each) for each in values])
    return text


def _masked(value: pa.Array, readable: npt.NDArray[np.bool_]) -> pa.Array:
    _, bounds, data = value.buffers()
    valid = None if readable.all() else pa.array(readable).buffers()[1]
    return pa.Array.from_buffers(pa.string(), len(value), [valid, bounds, data])


def _is_text(value: bytes | None) -> bool:
    try:
        return value is not None and value.decode() is not None
    except UnicodeDecodeError:
        return False


def _times(messages: Sequence[Message]) -> pa.Array:
    """Kafka's time in milliseconds; null where the producer or the log gave none, or nonsense."""
    times = pa.array([message.timestamp()[1] for message in messages], pa.int64())
    bounds = pc.min_max(times).as_py()
    if bounds["min"] > 0 and bounds["max"] <= LAST_TIME:
        return times.view(TIME)
    stamps = [message.timestamp() for message in messages]
    known = [
        time if kind != TIMESTAMP_NOT_AVAILABLE and 0 <= time <= LAST_TIME else None for kind, time in stamps
    ]
    return pa.array(known, pa.int64()).view(TIME)


def _headers(messages: Sequence[Message]) -> pa.Array:
    """Headers in their order, duplicates kept; a message without headers has null."""
    try:
        headers = [message.headers() for message in messages]
    except UnicodeDecodeError:
        headers = [_header(message) for message in messages]
    return _header_array(headers) if any(headers) else pa.nulls(len(headers), HEADERS)


def _header(message: Message) -> Headers:
    try:
        return message.headers()
    except UnicodeDecodeError:  # the client gives no other way to the bytes of such a key
        return [(UNREADABLE, None)]


def _header_array(headers: list[Headers]) -> pa.Array:
    flat = [header for some in headers for header in some or ()]
    pairs = pa.StructArray.from_arrays(
        [
            _one(pa.array([key for key, _ in flat], pa.string())),
            _one(pa.array([_as_bytes(value) for _, value in flat], pa.binary())),
        ],
        fields=list(HEADERS.value_type),
    )
    ends = accumulate((len(some or ()) for some in headers), initial=0)
    return pa.ListArray.from_arrays(
        pa.array(ends, pa.int32()), pairs, type=HEADERS, mask=pa.array([not some for some in headers])
    )


def _as_bytes(value: bytes | str | None) -> bytes | None:
    return value.encode() if isinstance(value, str) else value


def _one(array: pa.Array | pa.ChunkedArray) -> pa.Array:
    if isinstance(array, pa.ChunkedArray):
        raise TooLarge
    return array
