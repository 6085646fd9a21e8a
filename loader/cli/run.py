"""`loader run`: stream until SIGTERM or SIGINT."""

from __future__ import annotations

from typing import Annotated

import typer

from loader.cli.places import AcceptLoss, NewTopic, ranges


def run(
    ctx: typer.Context,
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
    """Load as a stream, as a member of the consumer group, until SIGTERM or SIGINT."""
    from loader.cli.watching import load_metrics
    from loader.cli.wiring import Bounds, stream

    bounds = Bounds(
        batch_run=False,
        accept_quarantine=accept_quarantine,
        new_warehouse=new_warehouse,
        accept_loss=ranges(ctx.obj.config(), accept_loss),
        new_topic=new_topic,
    )
    with load_metrics(ctx.obj.config()) as metrics:
        result, _ = stream(ctx.obj.config(), bounds, ctx.obj.tell, metrics)
    ctx.obj.tell(result)
