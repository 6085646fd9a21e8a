"""Messages become columns: byte for byte, quickly, and never a failure because of one value."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from confluent_kafka import TIMESTAMP_CREATE_TIME, TIMESTAMP_NOT_AVAILABLE
from hypothesis import given
from hypothesis import strategies as st

from loader.kafka import chunks
from loader.kafka.chunks import UNREADABLE, to_batches, to_records
from loader.model import CHUNK_SCHEMA

LIMIT = 1_000


class FakeMessage:
    """What a consumed message answers."""

    def __init__(
        self,
        value: bytes | None,
        key: bytes | None = None,
        headers: list[tuple[str, bytes | None]] | None = None,
        stamp: tuple[int, int] = (TIMESTAMP_CREATE_TIME, 1),
        place: tuple[int, int] = (0, 0),
    ) -> None:
        self.value, self.key, self.timestamp = (lambda: value), (lambda: key), (lambda: stamp)
        self.partition, self.offset = (lambda: place[0]), (lambda: place[1])
        self._headers = headers

    def headers(self) -> list[tuple[str, bytes | None]] | None:
        """As the client: raises for a key that is not UTF-8."""
        if self._headers and self._headers[0][0] == "broken":
            raise UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte")
        return self._headers


def records(*messages: FakeMessage) -> pa.RecordBatch:
    """The messages as one batch that satisfies the schema."""
    found = to_records(list[Any](messages), LIMIT)
    found.validate(full=True)
    assert found.schema == CHUNK_SCHEMA
    return found


def of_values(*values: bytes | None) -> pa.RecordBatch:
    """Messages with these values."""
    return records(*map(FakeMessage, values))


def test_valid_text_shares_the_memory_of_the_value() -> None:
    """The value is not copied a second time."""
    found = of_values(b'{"a": 1}', b"", None, "ü".encode())
    assert found["text"].to_pylist() == ['{"a": 1}', "", None, "ü"]
    assert found["text"].buffers()[2].address == found["value"].buffers()[2].address


def test_one_invalid_value_costs_only_its_own_text() -> None:
    """The neighbours of invalid UTF-8 keep their text."""
    found = of_values(b"a", b"\xff\xfe", b"b", None)
    assert found["text"].to_pylist() == ["a", None, "b", None]
    assert found["value"].to_pylist() == [b"a", b"\xff\xfe", b"b", None]


def test_an_encoded_surrogate_is_not_text() -> None:
    """CESU-8 and the like look like UTF-8 and are not."""
    assert of_values(b"\xed\xa0\x80").column("text").to_pylist() == [None]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (b"\0\0\0\0\x01payload", None),
        (b"\0\0\0\0\x01", None),
        (b"\0\0\0\0", "\0\0\0\0"),
        (b"\0", "\0"),
        (b"a\0\0\0\0\0", "a\0\0\0\0\0"),
        (b"x" * LIMIT, "x" * LIMIT),
        (b"x" * (LIMIT + 1), None),
    ],
)
def test_framed_and_oversized_values_have_no_text(value: bytes, text: str | None) -> None:
    """A zero and four bytes are a schema id, even where they are valid UTF-8; the bytes stay."""
    found = of_values(b"first", value, None, b"last")
    assert found["text"].to_pylist() == ["first", text, None, "last"]
    assert found["value"].to_pylist()[1] == value


def test_only_nulls() -> None:
    """A chunk of tombstones."""
    assert of_values(None, None)["text"].to_pylist() == [None, None]


@given(st.lists(st.none() | st.binary(max_size=20), min_size=1, max_size=30))
def test_text_is_the_value_or_null(values: list[bytes | None]) -> None:
    """For all bytes: values survive, text is their decoding or null."""
    found = of_values(*values)
    assert found["value"].to_pylist() == values
    for value, text in zip(values, found["text"].to_pylist(), strict=True):
        assert text is None or text.encode() == value


@pytest.mark.fault(43)
def test_headers_keep_order_duplicates_and_nulls() -> None:
    """A message without headers has null, not an empty list."""
    pairs: list[tuple[str, bytes | None]] = [("a", b"1"), ("b", None), ("a", b""), ("c", b"\xff")]
    found = records(FakeMessage(b"x"), FakeMessage(b"y", headers=pairs), FakeMessage(b"z", headers=[]))
    first, second, third = found["headers"].to_pylist()
    assert [(h["key"], h["value"]) for h in second] == pairs
    assert first is None
    assert third is None


def test_no_headers_at_all() -> None:
    """The quick way gives the same column."""
    assert of_values(b"x", b"y")["headers"].to_pylist() == [None, None]


def test_a_header_key_that_is_not_utf8_is_named_as_such() -> None:
    """The client cannot give such headers; the record itself is not lost."""
    found = records(FakeMessage(b"x", headers=[("broken", b"")]), FakeMessage(b"y", headers=[("a", b"1")]))
    assert [[h["key"] for h in hs] for hs in found["headers"].to_pylist()] == [[UNREADABLE], ["a"]]


@pytest.mark.parametrize(
    ("stamp", "known"),
    [
        ((TIMESTAMP_CREATE_TIME, 1_700_000_000_000), True),
        ((TIMESTAMP_CREATE_TIME, 0), True),  # 1970 is a time
        ((TIMESTAMP_CREATE_TIME, -1), False),  # Kafka's "no timestamp"
        ((TIMESTAMP_NOT_AVAILABLE, 0), False),
        ((TIMESTAMP_NOT_AVAILABLE, -1), False),
    ],
)
def test_time_is_null_where_there_is_none(stamp: tuple[int, int], *, known: bool) -> None:
    """The neighbours keep theirs."""
    found = records(FakeMessage(b"x", stamp=stamp), FakeMessage(b"y"))
    times = found["kafka_time"].cast(pa.int64()).to_pylist()
    assert times == [stamp[1] if known else None, 1]


def test_more_than_one_array_can_hold_becomes_several_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Halved until it fits; order and number stay."""
    real = chunks.to_records

    def small(messages: list[Any], message_bytes: int) -> pa.RecordBatch:
        if len(messages) > 2:
            raise chunks.TooLarge
        return real(messages, message_bytes)

    monkeypatch.setattr(chunks, "to_records", small)
    found = to_batches([FakeMessage(b"%d" % n) for n in range(7)], LIMIT)  # type: ignore[misc]
    assert [value for batch in found for value in batch["value"].to_pylist()] == [b"%d" % n for n in range(7)]
    assert max(batch.num_rows for batch in found) <= 2


def test_a_column_that_arrow_splits_is_too_large() -> None:
    """Arrow answers with several arrays when 2 GiB are exceeded: noticed, not passed on."""
    with pytest.raises(chunks.TooLarge):
        chunks._one(pa.chunked_array([[b"a"], [b"b"]]))
