"""`loader trace`: where the record with an id came from, and what became of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from loader.cli.places import place_of
from loader.cli.words import as_json, bytes_as_json, of_copy, rounded
from loader.errors import ActionNeeded, BrokerAway, ConfigError, LoaderError
from loader.printable import printable

if TYPE_CHECKING:
    from loader.cli.context import Context
    from loader.config import Config
    from loader.kafka.peek import Peek

SHOWN = 20  # duplicates and refused records that are printed; --json has them all
INLINED = "ducklake_inlined_data_"  # what DuckLake gives as the file of a row that is in none yet
FETCHED = 100  # messages that --message fetches at most
FORMER = "not in Kafka any more: its topic was deleted, the one that is there now was created anew"


def trace(
    ctx: typer.Context,
    id_: Annotated[
        list[str], typer.Argument(metavar="ID", help="The id; of several columns one word each, or a|b.")
    ],
    message: Annotated[
        bool, typer.Option("--message", help="Also fetch the original records from Kafka.")
    ] = False,
) -> None:
    """Show where an id came from: batch, partition, offset, file, time; its duplicates and refusals."""
    context: Context = ctx.obj
    result = found(context, id_)
    if message:
        _fetch_all(context.config(), result)
    context.emit(result, lambda: _print(context, result))


def found(context: Context, words: list[str]) -> dict[str, Any]:
    """Everything that the warehouse knows of an id. Raises ActionNeeded where it knows nothing."""
    from loader.warehouse.reading import Reader

    config = context.config()
    columns = config.table.id
    if not columns:
        message = 'the table has no id (table.duplicates is "off"), so there is none to follow'
        hint = "ask with loader query, by the columns of the record"
        raise ConfigError(message, address="ID", hint=hint)
    if len(words) not in {1, len(columns)}:
        message = f"the id has {len(columns)} columns ({', '.join(columns)}), not {len(words)}"
        raise ConfigError(message, address="ID", hint=f"loader trace {' '.join(c.upper() for c in columns)}")
    joined = "|".join(words)
    with Reader(config, tells=False) as reader:
        reader.refuse_without_table()
        result = {
            "pipeline": config.pipeline,
            "table": config.table.name,
            "generation": reader.generation(),
            "id": joined,
            "rows": [_row(row, config) for row in reader.rows_of_id(words)],
            "duplicates": reader.of_pipeline("read/trace_duplicates", id=joined),
            "quarantine": [
                {**row, "reasons": json.loads(row["reasons"])}
                for row in reader.of_pipeline("read/trace_quarantine", id=joined)
            ],
            "published_age_s": rounded(reader.age),
        }
        (kept,) = reader.of_pipeline("read/retained")
        removed = kept["quarantined"] + kept["duplicates"]
    if not (result["rows"] or result["duplicates"] or result["quarantine"]):
        message = "this id is nowhere: no row, no duplicate, nothing in the quarantine"
        if removed:
            message += f" ({removed:,} closed entries and duplicates were removed by retention)"
        raise ActionNeeded(message, address=joined, hint="loader status")
    return result


def _row(row: dict[str, Any], config: Config) -> dict[str, Any]:
    """A row as --json prints it; `file` is null while it stands in the catalogue of a lake."""
    file: str | None = str(config.warehouse.file)
    if config.warehouse.kind == "ducklake":
        file = None if (row["file"] or "").startswith(INLINED) else row["file"]
    return {**row, "file": file, "row": {name: as_json(value) for name, value in row["row"].items()}}


# ---------------------------------------------------------------- the original records


def _fetch_all(config: Config, result: dict[str, Any]) -> None:
    """Add to each entry its `message`, or null and the reason why it is not to be had."""
    from loader.kafka.peek import Peek

    entries = [entry for name in ("rows", "duplicates", "quarantine") for entry in result[name]][:FETCHED]
    for entry in entries:
        entry["message"], entry["message_missing"] = None, ""
    try:
        with Peek(config) as peek:
            generation, log = _same_topic(config, peek), peek.log()
            for entry in entries:
                if entry["generation"] not in {None, generation}:
                    entry["message_missing"] = FORMER
                    continue
                entry["message"], entry["message_missing"] = _fetched(config, peek, log, entry)
    except LoaderError as error:
        away = isinstance(error, BrokerAway)
        reason = f"no broker in reach: {error.message}" if away else error.message
        for entry in entries:
            if entry["message"] is None:
                entry["message_missing"] = entry["message_missing"] or reason


def _same_topic(config: Config, peek: Peek) -> int:
    """The generation of the topic, which must be the one in force. Raises TopicReplaced."""
    from loader.guards import same_topic
    from loader.warehouse.reading import Reader

    with Reader(config, tells=False) as reader:
        recorded = reader.recorded()
    if recorded is None:
        return 0
    same_topic(peek.identity(), recorded)
    return recorded.generation


def _fetched(
    config: Config, peek: Peek, log: dict[int, Any], entry: dict[str, Any]
) -> tuple[dict[str, Any] | None, str]:
    partition, offset = entry["partition"], entry["offset"]
    part = log.get(partition)
    if part is None:
        return None, f"the topic has no partition {partition}"
    if offset < part.low:
        return None, f"not in Kafka any more: retention removed it, the log begins at offset {part.low}"
    record = peek.record(partition, offset, config.limits.message_bytes)
    if record is None:
        return None, "not in Kafka any more: compacted away"
    [fields] = record.to_pylist()
    headers = [{"key": h["key"], **bytes_as_json(h["value"], "value")} for h in fields["headers"] or []]
    time = fields["kafka_time"]
    return {
        "kafka_time": time.isoformat(timespec="milliseconds").replace("+00:00", "Z") if time else None,
        **bytes_as_json(fields["key"], "key"),
        **bytes_as_json(fields["value"], "value"),
        "headers": headers,
    }, ""


# ---------------------------------------------------------------- for people


def _print(context: Context, result: dict[str, Any]) -> None:
    topic = context.config().kafka.topic
    lines = [f"{result['id']} in {result['table']}"]
    if result["published_age_s"] is not None:
        lines.append(f"({of_copy(result['published_age_s'])})")
    for row in result["rows"]:
        lines += [f"loaded from {place_of(topic, row, result['generation'])}", *_where(row)]
        lines += [f"  {name:<12} {_flat(value)}" for name, value in row["row"].items()]
    if not result["rows"]:
        lines.append("not in the table")
    for name, entries, told in (
        ("duplicates", result["duplicates"], _duplicate),
        ("refused", result["quarantine"], _refused),
    ):
        lines.append(f"{name}: {len(entries):,}" if entries else f"{name}: none")
        for entry in entries[:SHOWN]:
            lines += [f"  {place_of(topic, entry, result['generation'])} {told(topic, entry, result)}"]
            lines += _message(entry, "    ")
        if len(entries) > SHOWN:
            lines.append(f"  and {len(entries) - SHOWN:,} more: loader trace … --json")
    context.output.print("\n".join(printable(line) for line in lines), markup=False)


def _where(row: dict[str, Any]) -> list[str]:
    facts = [("Kafka time", row["kafka_time"] or "(none)"), ("batch", row["batch"])]
    if row["committed_at"]:
        facts += [("committed", f"{row['committed_at']} by {row['worker']}, change {row['seq']}")]
    facts += [("file", row["file"] or "none yet: the row stands in the catalogue of the lake")]
    return [*(f"  {name:<12} {value}" for name, value in facts), *_message(row, "  ")]


def _duplicate(topic: str, entry: dict[str, Any], result: dict[str, Any]) -> str:
    first = {name: entry[f"first_{name}"] for name in ("generation", "partition", "offset")}
    of = "" if first["offset"] is None else f"of {place_of(topic, first, result['generation'])}, "
    return f"{of}batch {entry['batch']}, committed {entry['committed_at']}"


def _refused(_topic: str, entry: dict[str, Any], _result: dict[str, Any]) -> str:
    reasons = "; ".join(reason["message"] for reason in entry["reasons"])
    edited = ", edited" if entry["edited"] else ""
    return f"{entry['state']}{edited}, batch {entry['batch']}: {reasons}"


def _message(entry: dict[str, Any], indent: str) -> list[str]:
    """The original record of an entry as lines; nothing where it was not asked for."""
    if "message" not in entry:
        return []
    message = entry["message"]
    if message is None:
        return [f"{indent}{'message':<12} {entry['message_missing']}"]
    lines = [f"{indent}{'key':<12} {message['key']}"] if message["key"] is not None else []
    lines += [f"{indent}header {h['key']}: {h['value']}" for h in message["headers"]]
    value = "(null: a tombstone)" if message["value"] is None else message["value"]
    return [*lines, f"{indent}{'message':<12} {value}"]


def _flat(value: Any) -> str:
    if value is None:
        return "NULL"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict) else str(value)
