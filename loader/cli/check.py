"""`loader check`: whether the configuration is right, and broker and warehouse are in reach."""

from __future__ import annotations

import os
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from loader.errors import ActionNeeded, LoaderError, NothingLoaded, all_of
from loader.plural import counted

if TYPE_CHECKING:
    from loader.config import Config


def check(
    ctx: typer.Context,
    connect: Annotated[
        bool, typer.Option("--connect", help="Also reach broker and warehouse, and compare the table.")
    ] = False,
) -> None:
    """Check configuration, contract and SQL files; every mistake is reported, not only the first."""
    config = ctx.obj.config()
    done = {"configuration": "ok", **_offline(config)}
    failure: LoaderError | None = None
    for name, look in LOOKS.items() if connect else ():
        try:
            done[name] = look(config)
        except LoaderError as error:
            done[name] = str(error)
            failure = failure or error
    ctx.obj.emit(
        {"ok": failure is None, "checks": done, "config": config.describe()},
        "\n".join(f"{name}: {result}" for name, result in done.items()),
    )
    if failure:
        raise typer.Exit(failure.exit_code)


def _offline(config: Config) -> dict[str, str]:
    """What needs no server. Raises ConfigError with every mistake of contract, schedule, derived tables."""
    from loader.cli.jobs import refuse_wrong_args
    from loader.contract import Contract
    from loader.warehouse.derivation import derivations
    from loader.warehouse.rehearse import rehearse

    contract = Contract.from_config(config.table, config.limits.message_bytes)
    all_of(
        str(config.file or "configuration"),
        partial(rehearse, config),
        partial(refuse_wrong_args, config.schedule),
        partial(derivations, config, contract),
    )
    done = {"contract": f"ok, {counted(len(config.table.columns), 'columns')}", "sql": "ok"}
    if config.derive:
        done["derived tables"] = f"ok, {', '.join(derived.table for derived in config.derive)}"
    return done


def _broker(config: Config) -> str:
    from loader.kafka.look import broker

    with closing(broker(config)) as asked:
        identity = asked.identity()
        log = asked.log(range(identity.partitions))
    records = sum(part.end - part.low for part in log.values())
    parts = counted(identity.partitions, "partitions")
    return f"ok, topic {identity.topic} with {parts} and up to {counted(records, 'records')}"


def _warehouse(config: Config) -> str:
    from loader.warehouse.reading import Reader

    try:
        with Reader(config) as reader:
            recorded = reader.recorded()
            totals: dict[str, Any] = reader.of_pipeline("read/totals")[0]
    except NothingLoaded:
        _can_be_made(config.warehouse.file)
        _may_begin(config)
        return f"ok, new: it will be created as {config.warehouse.file}"
    if recorded is None:
        _may_begin(config)
        return "ok, and this pipeline is new in it"
    return f"ok, {counted(totals['loaded'], 'rows')} loaded so far"


def _may_begin(config: Config) -> None:
    """Raise ActionNeeded where the group has loaded elsewhere; nothing where the broker cannot tell."""
    from loader.guards import not_loaded_elsewhere
    from loader.kafka.look import broker

    try:
        with closing(broker(config)) as asked:
            acknowledged = asked.acknowledged()
    except LoaderError:  # the look at the broker says why
        return
    not_loaded_elsewhere(config.kafka.topic, acknowledged)


def _table(config: Config) -> str:
    """What the next batch changes in the table. Raises WarehouseMismatch where it cannot follow."""
    from loader.warehouse.reading import Reader

    try:
        with Reader(config) as reader:
            reader.follower().refuse_other_pairs()
            change = reader.follower().foresee(strict=True)
    except NothingLoaded:
        change = None
    if change is None:
        return "ok, new"
    if change.steps:
        return f"ok, the next batch changes it: {'; '.join(change.steps)}"
    return "ok, as the contract says"


def _can_be_made(file: Path) -> None:
    """Raise ActionNeeded where the warehouse's folder is none, or cannot be written."""
    folder = next(parent for parent in file.parents if parent.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise ActionNeeded(
            "is not a folder that can be written", address=str(folder), hint="check warehouse.path"
        )


LOOKS = {"broker": _broker, "warehouse": _warehouse, "table": _table}
