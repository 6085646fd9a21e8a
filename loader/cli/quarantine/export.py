"""`loader quarantine export`: refused records as a dataset, with everything that is known of them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from loader.cli.quarantine import filters
from loader.cli.quarantine.entry import from_base64
from loader.cli.words import bytes_as_json
from loader.errors import ActionNeeded, ConfigError
from loader.plural import counted

if TYPE_CHECKING:
    import pyarrow as pa

    from loader.cli.context import Context

FORMATS = (".jsonl", ".parquet")


def export(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(help="The file to write; it ends in .jsonl or .parquet.")],
    positions: filters.Positions = None,
    reason: filters.Reason = None,
    column: filters.Column = None,
    since: filters.Since = None,
    until: filters.Until = None,
    partition: filters.Partition = None,
    id_: filters.Id = None,
    batch: filters.Batch = None,
    state: filters.State = "open",
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there.")] = False,
) -> None:
    """Write refused records, with their reasons, into a file that `loader replay` can send."""
    from loader.warehouse.reading import Reader

    context: Context = ctx.obj
    if file.suffix not in FORMATS:
        raise ConfigError("the name must end in .jsonl or .parquet", address=str(file))
    if file.exists() and not force:
        raise ActionNeeded("is there already", address=str(file), hint="another name, or --force")
    wanted = filters.wanted(
        context, positions=positions, reason=reason, column=column, since=since, until=until,
        partition=partition, id_=id_, batch=batch, state=filters.state_of(state),
    )  # fmt: skip
    with Reader(context.config()) as reader:
        records = reader.of_wanted("read/quarantine_count", wanted)[0]["records"]
        if records:
            batches = reader.batches_of_wanted("read/quarantine_export", wanted)
            records = _write(file, batches, context.config().kafka.topic)
    if not records:
        filters.refuse_unknown(context, wanted)
    result = {"file": str(file) if records else None, "records": records}
    said = (
        f"{counted(records, 'records')} written to {file}"
        if records
        else "no entry matches, no file is written"
    )
    context.emit(result, said)


def _write(file: Path, batches: Iterator[pa.RecordBatch], topic: str) -> int:
    """Write under another name, make it durable, and rename: the file is whole, or not there."""
    from loader.warehouse.files import sync_new_file

    part = file.with_name(f".{file.name}.{os.getpid()}.part")
    write = _jsonl if file.suffix == ".jsonl" else _parquet
    try:
        records = write(part, batches, topic)
        sync_new_file(part)
        part.replace(file)
        sync_new_file(file)
    finally:
        part.unlink(missing_ok=True)
    return records


def _jsonl(part: Path, batches: Iterator[pa.RecordBatch], topic: str) -> int:
    from loader.replay.records import Record, wrapped

    records = 0
    with part.open("wb") as out:
        for row in (row for batch in batches for row in batch.to_pylist()):
            headers = _headers(row)
            sent = Record(row["key"], row["value"], _milliseconds(row), dict(headers))
            line = {**wrapped(sent), "quarantine": _facts(row, headers, topic)}
            out.write(json.dumps(line, separators=(",", ":")).encode() + b"\n")
            records += 1
    return records


def _facts(row: dict[str, Any], headers: list[tuple[str, bytes | None]], topic: str) -> dict[str, Any]:
    """What `loader replay` does not send: where the record stood, and why it was refused."""
    return {
        "topic": topic,
        **{name: row[name] for name in ("partition", "offset", "id", "state", "batch")},
        "reasons": json.loads(row["reasons"]),
        "headers": [{"key": key, **bytes_as_json(value, "value")} for key, value in headers],
        **(bytes_as_json(row["original"], "original") if row["is_edited"] else {}),
    }


def _milliseconds(row: dict[str, Any]) -> int | None:
    return None if row["timestamp"] is None else round(row["timestamp"].timestamp() * 1000)


def _headers(row: dict[str, Any]) -> list[tuple[str, bytes | None]]:
    return [(each["key"], from_base64(each["value"])) for each in json.loads(row["headers"] or "[]")]


def _parquet(part: Path, batches: Iterator[pa.RecordBatch], topic: str) -> int:
    import pyarrow as pa
    import pyarrow.parquet as pq

    times, headers = pa.timestamp("ms", tz="UTC"), pa.map_(pa.string(), pa.binary())
    kinds = {"timestamp": times, "key": pa.binary(), "value": pa.binary(), "headers": headers}
    plain = {"id": pa.string(), "state": pa.string(), "reasons": pa.string(), "batch": pa.int64()}
    places = {"topic": pa.string(), "partition": pa.int32(), "offset": pa.int64()}
    schema = pa.schema(places | kinds | plain | {"is_edited": pa.bool_(), "original": pa.binary()})
    records = 0
    with pq.ParquetWriter(part, schema) as out:
        for batch in batches:
            rows = [{**row, "topic": topic, "headers": _headers(row)} for row in batch.to_pylist()]
            out.write_table(pa.Table.from_pylist(rows, schema))
            records += len(rows)
    return records
