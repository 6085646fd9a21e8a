"""`loader quarantine list`: what was refused, and why."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from loader.cli.places import place_of
from loader.cli.quarantine import filters
from loader.cli.quarantine.entry import shown

if TYPE_CHECKING:
    from loader.cli.context import Context


def list_(
    ctx: typer.Context,
    positions: filters.Positions = None,
    reason: filters.Reason = None,
    column: filters.Column = None,
    since: filters.Since = None,
    until: filters.Until = None,
    partition: filters.Partition = None,
    id_: filters.Id = None,
    batch: filters.Batch = None,
    state: filters.State = "open",
    limit: Annotated[int, typer.Option(min=1, help="At most so many entries.")] = 50,
) -> None:
    """List refused records, oldest first, each with all its reasons."""
    from loader.warehouse.reading import Reader
    from loader.warehouse.wanted import Wanted

    context: Context = ctx.obj
    wanted = filters.wanted(
        context, positions=positions, reason=reason, column=column, since=since, until=until,
        partition=partition, id_=id_, batch=batch, state=filters.state_of(state),
    )  # fmt: skip
    with Reader(context.config()) as reader:
        generation = reader.generation()
        rows = reader.of_wanted("read/quarantine_list", wanted, most=limit)
        matching = reader.of_wanted("read/quarantine_count", wanted)[0]["records"]
        by_state = {row["state"]: row["records"] for row in reader.of_pipeline("read/quarantine_states")}
        reasons = reader.of_wanted("read/quarantine_reasons", Wanted())
    if not matching:
        filters.refuse_unknown(context, wanted)
    result = {
        "open": by_state.get("open", 0),
        "by_state": by_state,
        "by_reason": {row["reason"]: row["records"] for row in reasons},
        "matching": matching,
        "generation": generation,
        "entries": [{**row, "reasons": json.loads(row["reasons"])} for row in rows],
    }
    context.emit(result, lambda: _print(context, result))


def _print(context: Context, result: dict[str, Any]) -> None:
    from rich.table import Table

    topic, out = context.config().kafka.topic, context.output
    table = Table("position", "time", "id", "state", "reasons")
    for entry in result["entries"]:
        place = place_of(topic, entry, result["generation"])
        state = f"{entry['state']}, edited" if entry["edited"] else entry["state"]
        reasons = "; ".join(reason["message"] for reason in entry["reasons"])
        table.add_row(*map(shown, (place, entry["kafka_time"] or "", entry["id"] or "", state, reasons)))
    if result["entries"]:
        out.print(table)
    states = ", ".join(f"{records:,} {state}" for state, records in result["by_state"].items())
    out.print(f"{len(result['entries']):,} of {result['matching']:,} shown; in all: {states or 'nothing'}")
    if result["by_reason"]:
        out.print("open entries by reason (for --reason):")
    for name, records in result["by_reason"].items():
        out.print(shown(f"{records:>9,} x {name}"))
