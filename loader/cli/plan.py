"""`loader plan`: what the next load would do, without doing anything."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Annotated, Any

import typer

from loader.cli.words import of_copy, rounded
from loader.errors import ActionNeeded, ConfigError
from loader.plural import counted
from loader.printable import printable

if TYPE_CHECKING:
    from loader.cli.context import Context
    from loader.config import Config
    from loader.kafka.identity import Broker
    from loader.model import LogRange
    from loader.warehouse.foresight import Foresight

BEGINS = ("committed", "earliest")
SHOWN = 20  # reasons printed; --json has all


def plan(
    ctx: typer.Context,
    max_records: Annotated[
        int, typer.Option(min=1, help="How many records to read, evenly over the partitions.")
    ] = 10_000,
    from_: Annotated[
        str,
        typer.Option("--from", help="committed (where the next load begins), or earliest (of the log)."),
    ] = "committed",
    new_warehouse: Annotated[
        bool, typer.Option("--new-warehouse", help="What a load with this flag would do.")
    ] = False,
) -> None:
    """Read real messages and say what a load would do with them; nothing is changed anywhere."""
    if from_ not in BEGINS:
        raise ConfigError(f"{from_} is not one of {', '.join(BEGINS)}", address="--from")
    context: Context = ctx.obj
    result = foreseen(context.config(), max_records, from_, new_warehouse=new_warehouse)
    context.emit(result, lambda: _print(context, result))
    if not result["ok"]:
        raise typer.Exit(ActionNeeded.exit_code)


def foreseen(config: Config, max_records: int, from_: str, *, new_warehouse: bool) -> dict[str, Any]:
    """The table, a sample of the records and where they would end.

    Raises what `load` would raise: TopicMissing, TopicReplaced, OffsetsLost, BrokerAway, WarehouseBusy,
    and ActionNeeded where the group has loaded into another warehouse.
    """
    from loader.kafka.look import broker
    from loader.kafka.sample import sample
    from loader.warehouse.foresight import Foresight
    from loader.warehouse.rehearse import rehearse

    rehearse(config)
    with Foresight(config) as foresight, closing(broker(config)) as asked:
        log = _ahead(config, foresight, asked, from_, new_warehouse=new_warehouse)
        table = foresight.table()
        result = {
            "pipeline": config.pipeline,
            "ok": table["state"] != "refused",
            "table": table,
            "published_age_s": rounded(foresight.age),
        }
        if not result["ok"]:
            return result
        ahead = sum(part.end - part.low for part in log.values())
        batch = sample(config, asked, log, max_records)
        outcome = foresight.outcome(batch, ahead)
        read = {str(span.partition): {"begin": span.begin, "end": span.end} for span in batch.spans}
        consumed = outcome["records"]["consumed"]
        is_all = all(log[span.partition].end <= span.end for span in batch.spans)
        about = {
            "from": from_,
            "records": consumed,
            "of": ahead,
            "complete": is_all and len(read) == sum(part.end > part.low for part in log.values()),
            "partitions": read,
        }
        return {**result, "sample": about, **outcome}


def _ahead(
    config: Config, foresight: Foresight, asked: Broker, from_: str, *, new_warehouse: bool
) -> dict[int, LogRange]:
    """What there is to read of each partition, after the checks that `load` makes before it reads."""
    from loader.guards import not_loaded_elsewhere, same_topic, within_log
    from loader.model import LogRange

    identity, recorded, known = asked.identity(), foresight.recorded, foresight.offsets
    log = asked.log(range(identity.partitions))
    if recorded is None and not new_warehouse:
        not_loaded_elsewhere(identity.topic, asked.acknowledged())
    if recorded:
        same_topic(identity, recorded, known)
        within_log(identity.topic, known, log)
    if from_ == "earliest":
        return log
    missing = log.keys() - known.keys()
    starts = dict.fromkeys(missing, 0) if recorded else asked.starts(sorted(missing), config.kafka.start)
    begins = {**starts, **{partition: at.offset for partition, at in known.items()}}
    return {p: LogRange(min(begins[p], log[p].end), log[p].end) for p in sorted(log)}


def _print(context: Context, result: dict[str, Any]) -> None:
    for line in _lines(context.config(), result):
        context.output.print(line, markup=False)


def _lines(config: Config, result: dict[str, Any]) -> list[str]:
    lines = [f"plan for the pipeline {result['pipeline']}; nothing was changed"]
    if result["published_age_s"] is not None:
        lines.append(f"({of_copy(result['published_age_s'])})")
    lines += _table(result["table"])
    if not result["ok"]:
        return [*lines, "a load would refuse to begin; nothing was read"]
    return [*lines, *_sample(result["sample"]), *_records(config, result), *_estimate(config, result)]


def _table(table: dict[str, Any]) -> list[str]:
    words = {
        "new": "would be created",
        "same": "is as the contract says",
        "changed": "would be changed with the first batch",
        "refused": "cannot follow the contract",
    }
    lines = [f"table {table['name']} {words[table['state']]}"]
    if table["state"] == "new":
        wide = max(len(column["name"]) for column in table["columns"])
        for column in table["columns"]:
            needed = "" if column["required"] else "  (may be missing)"
            lines.append(f"  {column['name']:<{wide}}  {column['type']}{needed}")
        if table["partition_by"]:
            lines.append(f"  its files are parted by {table['partition_by']}")
    return lines + [f"  {words}" for words in (*table["changes"], *table["refused"])]


def _sample(sample: dict[str, Any]) -> list[str]:
    where = "where the next load begins" if sample["from"] == "committed" else "the beginning of the log"
    if sample["complete"]:
        return [f"read all {counted(sample['records'], 'records')} from {where}"]
    return [f"read a sample: {sample['records']:,} of up to {counted(sample['of'], 'records')} from {where}"]


def _records(config: Config, result: dict[str, Any]) -> list[str]:
    topic, counts = config.kafka.topic, result["records"]
    lines = [f"  {counts['loaded']:,} would be loaded"]
    if first := result["duplicate"]:
        known = first["first_offset"] is not None  # else the loader did not write that row
        where = f"stands at {topic}[{first['first_partition']}]@{first['first_offset']}"
        place = f"{topic}[{first['partition']}]@{first['offset']}"
        example = f"e.g. {place}: {first['id']} {where if known else 'is there'}"
        lines.append(f"  {counted(counts['duplicates'], 'duplicates')}, {printable(example)}")
    if counts["quarantined"]:
        lines.append(f"  {counts['quarantined']:,} would go to quarantine")
    for reason in result["reasons"][:SHOWN]:
        example = f"e.g. {topic}[{reason['partition']}]@{reason['offset']} {reason['message']}"
        lines.append(f"    {reason['records']:,} x {reason['reason']}, {printable(example)}")
    if (more := len(result["reasons"]) - SHOWN) > 0:
        lines.append(f"    and {counted(more, 'more reasons')}: --json")
    if first := result["skipped"]:
        example = f"e.g. {topic}[{first['partition']}]@{first['offset']}"
        lines.append(f"  {counts['skipped']:,} would be skipped, {example}")
    if result["stops"]:
        limit = f"limits.quarantine = {config.limits.quarantine:g}"
        lines.append(f"the load would stop: too many would go to quarantine ({limit})")
    return lines


def _estimate(config: Config, result: dict[str, Any]) -> list[str]:
    found = result["estimate"]
    if not found["rows"]:
        return []
    place = f"in {counted(found['files'], 'files')}" if found["files"] else "inside the catalogue"
    if found["folders"]:
        place += f" in {counted(len(found['folders']), 'folders')}"
    if config.warehouse.kind == "duckdb":
        place = "in the DuckDB file"
    batches = counted(found["batches"], "batches")
    amount = f"{counted(found['rows'], 'rows')} in {batches}, {_size(found['bytes'])} {place}"
    return [f"about {amount}, if the rest is like the sample" if not result["sample"]["complete"] else amount]


def _size(count: int) -> str:
    size, unit = float(count), "bytes"
    for larger in ("kB", "MB", "GB", "TB"):
        if size < 1_000:  # noqa: PLR2004 - what the prefixes mean
            break
        size, unit = size / 1_000, larger
    return f"{size:.3g} {unit}" if unit != "bytes" else f"{count} bytes"
