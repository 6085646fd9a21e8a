"""Reading datasets: JSONL (also from standard input), Parquet and CSV, as small blocks of records.

JSONL is described in `records.py`. Parquet needs a column `value` (binary or text) and may have `key`,
`timestamp` and `headers` (a map of text to binary or text). CSV has a header; a row becomes a JSON
object of texts without its empty cells. A record without a key of its own is keyed by its id.
A name that ends in .gz (JSONL, CSV) is unpacked on the way.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import sys
import zlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Protocol, cast

import pyarrow as pa
import pyarrow.parquet as pq

from loader.errors import ActionNeeded, ConfigError
from loader.replay.records import Block, KeyOf, Record, block_of, from_line, key_reader

BLOCK_BYTES = 256 << 10  # of a text file, read at a time: about 1,000 orders
BLOCK_ROWS = 2_000  # of a Parquet or CSV file
STDIN = "-"
FORMS = "JSONL has an object in each line, CSV a header and as many cells in each row, Parquet a column value"
_TEXT = (".jsonl", ".ndjson")
_HEADERS = pa.map_(pa.string(), pa.binary())


class Readable(Protocol):
    """A binary file that hands out what is there, without waiting for more."""

    def read1(self, size: int, /) -> bytes:
        """Return up to `size` bytes, none at the end."""


def read_dataset(name: str, id_columns: Sequence[str] = ("order_id",)) -> Iterator[Block]:
    """Open a dataset file, or `-` for JSONL on standard input, and iterate over its blocks.

    Raises ConfigError at once if there is no such file or its ending is unknown; while reading,
    ActionNeeded with file and line (or row group) at the first thing that is no record.
    """
    key_of = key_reader(id_columns)
    if name == STDIN:
        return _lines(cast("Readable", sys.stdin.buffer), "stdin", key_of)
    file = Path(name)
    if not file.is_file():
        raise ConfigError("no such file", address=name, hint="loader generate --help")
    kind = Path(file.stem).suffix if file.suffix == ".gz" else file.suffix
    if kind == ".parquet" and file.suffix != ".gz":
        return _parquet(file, key_of)
    if kind == ".csv":
        return _csv(file, key_of)
    if kind in _TEXT:
        return _jsonl(file, key_of)
    raise ConfigError("the name must end in .jsonl, .ndjson, .csv (each also .gz) or .parquet", address=name)


def _opened(file: Path) -> IO[bytes]:
    return cast("IO[bytes]", gzip.open(file, "rb")) if file.suffix == ".gz" else file.open("rb")


def _jsonl(file: Path, key_of: KeyOf) -> Iterator[Block]:
    with _opened(file) as raw:
        yield from _lines(cast("Readable", raw), str(file), key_of)


def _lines(raw: Readable, name: str, key_of: KeyOf) -> Iterator[Block]:
    first = 1
    for lines in _split(raw, name):
        yield _block(lines, name, first, key_of)
        first += len(lines)


def _split(raw: Readable, name: str) -> Iterator[list[bytes]]:
    """Yield the lines of the file, as many at a time as have arrived."""
    rest = b""
    while chunk := _read(raw, name):
        lines = (rest + chunk).split(b"\n")
        rest = lines.pop()
        yield lines
    if rest:
        yield [rest]


def _read(raw: Readable, name: str) -> bytes:
    try:
        return raw.read1(BLOCK_BYTES)
    except (OSError, EOFError, zlib.error) as error:
        message, hint = f"cannot be read to its end: {error}", "make or fetch the file again"
        raise ActionNeeded(message, address=name, hint=hint) from error


def _block(lines: list[bytes], name: str, first: int, key_of: KeyOf) -> Block:
    block = []
    for number, line in enumerate(lines, start=first):
        text = line.rstrip(b"\r")
        if not text:
            continue
        try:
            block.append(from_line(text, key_of))
        except (ValueError, RecursionError) as error:
            raise ActionNeeded(f"not a record: {error}", address=f"{name}:{number}", hint=FORMS) from error
    return block


def _csv(file: Path, key_of: KeyOf) -> Iterator[Block]:
    with io.TextIOWrapper(_opened(file), encoding="utf-8-sig", newline="") as text:
        rows = csv.reader(text, strict=True)
        header, block = _next_row(rows, file) or [], Block()
        while (row := _next_row(rows, file)) is not None:
            if row:
                block.append(_from_row(header, row, f"{file}:{rows.line_num}", key_of))
            if len(block) == BLOCK_ROWS:
                yield block
                block = []
        yield block


def _next_row(rows: Any, file: Path) -> list[str] | None:
    try:
        return cast("list[str] | None", next(rows, None))
    except (csv.Error, UnicodeDecodeError, OSError, EOFError, zlib.error) as error:
        address = f"{file}:{rows.line_num + 1}"
        raise ActionNeeded(f"not a CSV row: {error}", address=address, hint=FORMS) from error


def _from_row(header: list[str], row: list[str], address: str, key_of: KeyOf) -> Record:
    if len(row) != len(header):
        message = f"{len(row)} cells under a header of {len(header)}"
        raise ActionNeeded(message, address=address, hint=FORMS)
    cells = {name: cell for name, cell in zip(header, row, strict=True) if cell}
    value = json.dumps(cells, ensure_ascii=False, separators=(",", ":")).encode()
    return Record(key_of(value), value)


def _parquet(file: Path, key_of: KeyOf) -> Iterator[Block]:
    try:
        with pq.ParquetFile(file) as opened:
            names = opened.schema_arrow.names
            if "value" not in names:
                message = f"has no column value, only {', '.join(names)}"
                raise ActionNeeded(message, address=str(file), hint=FORMS)
            for batch in opened.iter_batches(BLOCK_ROWS, columns=_wanted(names)):
                yield _rows(batch, key_of)
    except (pa.ArrowException, OSError) as error:
        raise ActionNeeded(f"not a dataset: {error}", address=str(file), hint=FORMS) from error


def _wanted(names: list[str]) -> list[str]:
    return [name for name in ("value", "key", "timestamp", "headers") if name in names]


def _rows(batch: pa.RecordBatch, key_of: KeyOf) -> Block:
    """Turn rows into records; a file without a column `key` is keyed by the values."""
    have = dict(zip(batch.schema.names, batch.columns, strict=True))
    values = have["value"].cast(pa.binary()).to_pylist()
    nothing = [None] * len(values)
    keys = have["key"].cast(pa.binary()).to_pylist() if "key" in have else _keys(values, key_of)
    times = _milliseconds(have["timestamp"]) if "timestamp" in have else nothing
    return block_of(keys, values, times, _maps(have["headers"]) if "headers" in have else nothing)


def _maps(headers: pa.Array) -> list[dict[str, bytes | None] | None]:
    return [dict(pairs) if pairs else None for pairs in headers.cast(_HEADERS).to_pylist()]


def _keys(values: list[bytes | None], key_of: KeyOf) -> list[bytes | None]:
    return [None if value is None else key_of(value) for value in values]


def _milliseconds(times: pa.Array) -> list[int | None]:
    if not pa.types.is_integer(times.type):
        times = times.cast(pa.timestamp("ms", tz="UTC"), safe=False)
    return cast("list[int | None]", times.cast(pa.int64()).to_pylist())


def with_event_times(blocks: Iterable[Block], column: str) -> Iterator[Block]:
    """Give each record without a recorded time the event time in its value, for pacing."""
    for block in blocks:
        yield [record._replace(timestamp_ms=event_time_ms(record, column)) for record in block]


def event_time_ms(record: Record, column: str) -> int | None:
    """Return the recorded time, else the event time inside the value, in ms since 1970, or None."""
    if record.timestamp_ms is not None or record.value is None:
        return record.timestamp_ms
    try:
        when = datetime.fromisoformat(json.loads(record.value)[column])
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return round(when.replace(tzinfo=when.tzinfo or UTC).timestamp() * 1000)
