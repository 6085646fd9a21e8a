"""`loader load`: catch up to the ends frozen at the start, commit, exit."""

from __future__ import annotations

from typing import Annotated

import typer

from loader.cli.places import AcceptLoss, NewTopic, ranges


def load(
    ctx: typer.Context,
    max_records: Annotated[int | None, typer.Option(min=1, help="Stop after so many records.")] = None,
    max_seconds: Annotated[float | None, typer.Option(min=0, help="Stop after so many seconds.")] = None,
    accept_quarantine: Annotated[
        bool,
        typer.Option(
            "--accept-quarantine",
            help="Load although more than limits.quarantine would be refused; it is kept in quarantine.",
        ),
    ] = False,
    new_warehouse: Annotated[
        bool,
        typer.Option("--new-warehouse", help="Make a new warehouse although the group has loaded before."),
    ] = False,
    accept_loss: AcceptLoss = None,
    new_topic: NewTopic = "",
) -> None:
    """Catch up and exit: load everything that the topic holds when it starts."""
    from loader.cli.wiring import Bounds, stream

    bounds = Bounds(
        batch_run=True,
        max_records=max_records,
        max_seconds=max_seconds,
        accept_quarantine=accept_quarantine,
        new_warehouse=new_warehouse,
        accept_loss=ranges(ctx.obj.config(), accept_loss),
        new_topic=new_topic,
    )
    result, signal = stream(ctx.obj.config(), bounds, ctx.obj.tell)
    ctx.obj.tell(result)
    if result["outcome"] == "stopped":
        raise typer.Exit(128 + signal)
