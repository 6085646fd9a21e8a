"""`loader rewind`: undo partitions from an offset on."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from loader.cli.courier import send_rest
from loader.cli.places import offsets, time_of
from loader.errors import ActionNeeded, ConfigError, LoaderError
from loader.plural import counted

if TYPE_CHECKING:
    from datetime import datetime

    from loader.cli.context import Context
    from loader.config import Config
    from loader.kafka.identity import Broker
    from loader.model import LogRange
    from loader.warehouse.rewind import Undo, Undoing

THINGS = {"rows": "rows", "quarantined": "quarantine entries", "duplicates": "duplicates"}


def rewind(
    ctx: typer.Context,
    to_offset: Annotated[
        list[str] | None,
        typer.Option(metavar="P:N", help="Partition P goes on at offset N; repeatable."),
    ] = None,
    to_datetime: Annotated[
        str | None,
        typer.Option(
            metavar="TIME", help="All partitions go on at the first record from this Kafka time on."
        ),
    ] = None,
    to_earliest: Annotated[
        bool,
        typer.Option("--to-earliest", help="All partitions go on where their log (or the pipeline) begins."),
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be removed.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Really remove it.")] = False,
) -> None:
    """Undo partitions from an offset on: rows, quarantine and duplicates go, the next load reads again."""
    from loader.kafka.look import broker
    from loader.warehouse.retry import patiently
    from loader.warehouse.rewind import Undo

    context: Context = ctx.obj
    config = context.config()
    if [bool(to_offset), bool(to_datetime), to_earliest].count(True) != 1:
        hint = "one of --to-offset P:N, --to-datetime TIME, --to-earliest"
        raise ConfigError("say where to go on", address="rewind", hint=hint)
    wanted = offsets(to_offset) if to_offset else time_of(to_datetime, "--to-datetime")
    with (
        closing(patiently(partial(Undo, config), time.sleep)) as warehouse,
        closing(broker(config)) as asked,
    ):
        standing = _standing(config, warehouse, asked)
        log = asked.log(standing)
        places = _places(config.kafka.topic, wanted, standing, log, asked)
        recount = partial(_recount, config, log)
        if dry_run or not yes:
            undoing, batch = patiently(partial(warehouse.foresee, places, recount), time.sleep), 0
            if not dry_run and undoing.places:
                raise _unconfirmed(config, undoing)
        else:
            undoing, batch = patiently(partial(warehouse.rewind, places, recount), time.sleep)
        group = _set_group_back(asked, undoing) if batch else ""
        unsent = send_rest(config, warehouse) if batch else None
    result = _result(undoing, batch, group, dry_run=dry_run)
    context.emit(result, lambda: _print(context, config, result))
    if unsent:
        raise unsent


def _standing(config: Config, warehouse: Undo, asked: Broker) -> dict[int, tuple[int, int]]:
    """Where each partition began and stands. Raises ActionNeeded, TopicReplaced, BrokerAway."""
    from loader.guards import same_topic

    recorded = warehouse.recorded()
    if recorded is None:
        message = "this pipeline has loaded nothing here"
        raise ActionNeeded(message, address=config.pipeline, hint="loader load")
    same_topic(asked.identity(), recorded, warehouse.offsets())
    return warehouse.standing()


def _places(
    topic: str,
    wanted: dict[int, int] | datetime | None,
    standing: Mapping[int, tuple[int, int]],
    log: Mapping[int, LogRange],
    asked: Broker,
) -> dict[int, int]:
    """Where the partitions shall go on. Raises ActionNeeded where an offset cannot be gone back to."""
    if not isinstance(wanted, dict):
        found = asked.starts(standing, wanted or "earliest")
        return {partition: max(at, standing[partition][0]) for partition, at in found.items()}
    for partition, place in wanted.items():
        if refused := _refused(topic, partition, place, standing, log):
            raise refused
    return wanted


def _refused(
    topic: str,
    partition: int,
    place: int,
    standing: Mapping[int, tuple[int, int]],
    log: Mapping[int, LogRange],
) -> ActionNeeded | None:
    address = f"{topic}[{partition}]@{place}"
    if partition not in standing:
        message = f"nothing was loaded from this partition; there are {', '.join(map(str, standing))}"
        return ActionNeeded(message, address=address, hint="loader status")
    baseline, committed = standing[partition]
    low, end = log[partition].low, log[partition].end
    if place > committed:
        message = f"the next offset to load is {committed}, there is nothing behind it to undo"
        return ActionNeeded(message, address=address, hint="loader status")
    if place > end:
        message = f"the log ends at {end}: loading could not go on there"
        return ActionNeeded(
            message, address=address, hint=f"loader rewind --to-offset {partition}:{end} --yes"
        )
    if place < low:
        message = f"the log begins at {low}: what was undone before it could not be loaded again"
        hint = f"loader rewind --to-offset {partition}:{low} --yes"
        return ActionNeeded(message, address=address, hint=hint if low <= committed else "loader status")
    if place < baseline:
        message = f"this pipeline began at {baseline}, there is nothing before it to undo"
        hint = f"loader rewind --to-offset {partition}:{baseline} --yes"
        return ActionNeeded(message, address=address, hint=hint)
    return None


def _recount(config: Config, log: Mapping[int, LogRange], partition: int, begin: int, end: int) -> int | None:
    from loader.kafka.recheck import records_in

    return records_in(config, log, partition, begin, end)


def _unconfirmed(config: Config, undoing: Undoing) -> ActionNeeded:
    counts = {name: sum(row[name] for row in undoing.removed) for name in THINGS}
    first, more = undoing.places[0], len(undoing.places) - 1
    others = f" and {counted(more, 'more partitions')}" if more else ""
    message = f"this removes {_counted(counts)} from here{others} on"
    address = f"{config.kafka.topic}[{first['partition']}]@{first['place']}"
    return ActionNeeded(message, address=address, hint="the same with --dry-run to see more, or with --yes")


def _set_group_back(asked: Broker, undoing: Undoing) -> str:
    """What became of the group's offsets in Kafka. Nothing depends on them: a failure is only said."""
    try:
        ahead = asked.lower({row["partition"]: row["place"] for row in undoing.places})
    except LoaderError as error:
        return f"still ahead until the next commit: {error.message}"
    return "set back too" if ahead else "not ahead"


def _result(undoing: Undoing, batch: int, group: str, *, dry_run: bool) -> dict[str, Any]:
    removed = {row["partition"]: {name: row[name] for name in THINGS} for row in undoing.removed}
    return {
        "dry_run": dry_run,
        "batch": batch or None,
        "partitions": {
            str(row["partition"]): {
                "committed": row["committed"],
                "place": row["place"],
                **removed[row["partition"]],
            }
            for row in undoing.places
        },
        "voided_spans": len(undoing.spans),
        "cut_spans": len(undoing.cuts),
        "orphaned": list(undoing.orphaned),
        "group": group or None,
    }


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(counted(counts[name], words) for name, words in THINGS.items())


def _print(context: Context, config: Config, result: dict[str, Any]) -> None:
    out, topic = context.output, config.kafka.topic
    for partition, row in result["partitions"].items():
        done = "would be removed" if result["dry_run"] else "removed"
        line = f"{topic}[{partition}]: back from {row['committed']} to {row['place']}, {_counted(row)} {done}"
        out.print(line, markup=False)
    for row in result["orphaned"]:
        again = f"to have them read again too: --to-offset {row['partition']}:{row['first']}"
        way = "they are of a former topic, and cannot be read again" if row["former"] else again
        line = f"{counted(row['records'], 'duplicates')} left, though the first record is undone; {way}"
        out.print(f"{topic}[{row['partition']}]: {line}", markup=False)
    if not result["partitions"]:
        out.print("nothing to undo")
    elif not result["dry_run"]:
        out.print(f"the group's offsets in Kafka: {result['group']}", markup=False)
        out.print("the next load reads on from there")
