"""`loader runs`: what ran when, and how it ended."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from loader.errors import ConfigError
from loader.plural import counted
from loader.printable import printable

if TYPE_CHECKING:
    from loader.cli.context import Context


def runs(
    ctx: typer.Context,
    job: Annotated[str | None, typer.Option(help="Only this job, such as load.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many runs.")] = 20,
) -> None:
    """Show what ran when and how it ended, newest first: scheduled jobs, and upkeep that was typed."""
    from loader.config.jobs import JOBS
    from loader.warehouse.reading import Reader

    context: Context = ctx.obj
    with Reader(context.config()) as reader:
        rows = reader.of_pipeline("read/runs", job=job, most=limit)
    if job and not rows and job not in JOBS:
        raise ConfigError(f"no job {job}", address="--job", hint=f"one of {', '.join(JOBS)}")
    found = [{**row, "counts": json.loads(row["counts"])} for row in rows]
    result = {"pipeline": context.config().pipeline, "runs": found}
    context.emit(result, lambda: _print(context, found))


def _print(context: Context, found: list[dict[str, Any]]) -> None:
    from rich.table import Table
    from rich.text import Text

    if not found:
        context.output.print("no run yet")
        return
    table = Table("started", "job", "by", "seconds", "outcome", "exit", "counts")
    for run in found:
        counts = ", ".join(
            counted(count, name.replace("_", " ")) for name, count in run["counts"].items() if count
        )
        said = "; ".join(part for part in (run["error"], counts) if part)
        cells = (run["started_at"], run["job"], run["started_by"], f"{run['seconds']:.1f}", run["outcome"])
        table.add_row(*map(Text, (*cells, str(run["exit_code"]), printable(said))))
    context.output.print(table)
