"""`loader quarantine retry`: send refused records through contract and duplicates again."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import typer

from loader.cli.courier import send_rest
from loader.cli.quarantine import filters
from loader.cli.quarantine.entry import shown
from loader.plural import counted

if TYPE_CHECKING:
    from loader.cli.context import Context

PLACES = ("loaded", "duplicates", "skipped")


def retry(
    ctx: typer.Context,
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
    """Try open entries again, edited or as they came, by the contract as it is now; beside loads too."""
    from loader.warehouse.retry import opened
    from loader.warehouse.retry import retry as again

    context: Context = ctx.obj
    wanted = filters.wanted(
        context, positions=positions, reason=reason, column=column, since=since, until=until,
        partition=partition, id_=id_, batch=batch,
    )  # fmt: skip
    wanted = filters.narrowed(wanted, everything, "retry")
    with opened(context.config(), time.sleep) as quarantine:
        done = again(quarantine, wanted, time.sleep, dry_run=dry_run)
        unsent = None if dry_run else send_rest(context.config(), quarantine)
    if not done.totals.consumed:
        filters.refuse_unknown(context, wanted)
    result = {
        "dry_run": dry_run,
        "batches": done.batches,
        "retried": done.totals.consumed,
        **{name: getattr(done.totals, name) for name in PLACES},
        "refused": done.totals.quarantined,
        "by_reason": dict(done.reasons.most_common()),
    }
    context.emit(result, lambda: _print(context, result))
    if unsent:
        raise unsent


def _print(context: Context, result: dict[str, Any]) -> None:
    if not result["retried"]:
        context.output.print("no open entry matches")
        return
    counts = [counted(result[name], name) for name in PLACES if result[name]]
    counts += [f"{result['refused']:,} refused again"] if result["refused"] else []
    dry = " (dry run: nothing was changed)" if result["dry_run"] else ""
    context.output.print(f"{result['retried']:,} tried again: {', '.join(counts)}{dry}")
    for name, records in result["by_reason"].items():
        context.output.print(shown(f"{records:>9,} x {name}"))
