"""`loader quarantine drop`: give refused records up; they stay, and the ledger counts them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from loader.cli.quarantine import filters
from loader.errors import ConfigError

if TYPE_CHECKING:
    from loader.cli.context import Context


def drop(
    ctx: typer.Context,
    note: Annotated[str, typer.Option(metavar="TEXT", help="Why; kept in the ledger.")],
    positions: filters.Positions = None,
    reason: filters.Reason = None,
    column: filters.Column = None,
    since: filters.Since = None,
    until: filters.Until = None,
    partition: filters.Partition = None,
    id_: filters.Id = None,
    batch: filters.Batch = None,
    everything: filters.All = False,
    dry_run: filters.DryRun = False,
) -> None:
    """Settle open entries as dropped: they are not tried again, but kept, with your note."""
    from loader.warehouse.reading import Reader
    from loader.warehouse.retry import drop as give_up
    from loader.warehouse.retry import opened

    context: Context = ctx.obj
    wanted = filters.wanted(
        context, positions=positions, reason=reason, column=column, since=since, until=until,
        partition=partition, id_=id_, batch=batch,
    )  # fmt: skip
    wanted = filters.narrowed(wanted, everything, "drop")
    if not note.strip():
        raise ConfigError("says nothing", address="--note", hint="say why they may be dropped")
    if dry_run:
        with Reader(context.config()) as reader:
            records = reader.of_wanted("read/quarantine_count", wanted)[0]["records"]
    else:
        with opened(context.config(), time.sleep) as quarantine:
            records = give_up(quarantine, wanted, note, time.sleep)
    if not records:
        filters.refuse_unknown(context, wanted)
    result = {"dry_run": dry_run, "dropped": records, "note": note}
    dry = " (dry run: nothing was changed)" if dry_run else ""
    context.emit(result, f"{records:,} dropped{dry}" if records else "no open entry matches")
