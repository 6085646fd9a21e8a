"""Writing datasets: JSONL or Parquet, by the ending of the file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from loader.errors import ConfigError
from loader.replay.records import key_reader, to_line

if TYPE_CHECKING:
    from loader.replay.generate import Chunk

JSONL = (".jsonl", ".ndjson")
SCHEMA = pa.schema(
    [("key", pa.binary()), ("value", pa.binary()), ("timestamp", pa.timestamp("ms", tz="UTC"))]
)


class Sink(Protocol):
    """A file that takes chunks of generated records."""

    def write(self, chunk: Chunk) -> None:
        """Append the records of a chunk."""


@contextmanager
def open_sink(file: Path) -> Iterator[Sink]:
    """Open a dataset file for writing; ConfigError if its ending is unknown or it cannot be written."""
    if file.suffix not in (*JSONL, ".parquet"):
        raise ConfigError("the name must end in .jsonl, .ndjson or .parquet", address=str(file))
    try:
        raw = file.open("wb")
    except OSError as error:
        raise ConfigError(f"cannot be written: {error.strerror}", address=str(file)) from error
    with raw:
        if file.suffix in JSONL:
            yield JsonLines(raw)
            return
        with pq.ParquetWriter(raw, SCHEMA, compression="zstd", use_dictionary=False) as writer:
            yield ParquetRows(writer)


class JsonLines:
    """Writes each record as one line."""

    def __init__(self, raw: IO[bytes]) -> None:
        self._raw = raw
        self._key_of = key_reader()

    def write(self, chunk: Chunk) -> None:
        """Append the records of a chunk; their times are not written, an order carries its own."""
        lines = chunk.texts.copy()
        for place, record in chunk.changed.items():
            lines[place] = to_line(record._replace(timestamp_ms=None), self._key_of).decode()
        lines.append("")
        self._raw.write("\n".join(lines).encode())


class ParquetRows:
    """Writes each record as one row, each chunk as one row group."""

    def __init__(self, writer: pq.ParquetWriter) -> None:
        self._writer = writer

    def write(self, chunk: Chunk) -> None:
        """Append the records of a chunk."""
        keys: list[str | bytes | None] = [*chunk.ids]
        values: list[str | bytes | None] = [*chunk.texts]
        for place, record in chunk.changed.items():
            keys[place], values[place] = record.key, record.value
        times = pa.array(chunk.sent_ms, pa.int64()).cast(SCHEMA.field("timestamp").type)
        columns = [pa.array(keys, pa.binary()), pa.array(values, pa.binary()), times]
        self._writer.write_batch(pa.record_batch(columns, schema=SCHEMA))
