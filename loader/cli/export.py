"""`loader export`: the table or an analytic as files for others."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from loader.cli.history import noted
from loader.cli.query import parameters
from loader.errors import ConfigError

if TYPE_CHECKING:
    from loader.cli.context import Context

FORMATS = {".parquet": "parquet", ".csv": "csv", ".json": "json", ".jsonl": "json", ".ndjson": "json"}


def export(
    ctx: typer.Context,
    what: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="An analytics name; default the whole table.")
    ] = None,
    to: Annotated[str, typer.Option(metavar="PATH", help="File, or folder of partitions.")] = "",
    format_: Annotated[
        str | None, typer.Option("--format", help="parquet, csv or json; default by the name of PATH.")
    ] = None,
    partition_by: Annotated[
        list[str] | None,
        typer.Option(metavar="COLUMN", help="Hive partitions by it, or by day(COLUMN). Repeatable."),
    ] = None,
    param: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="What $NAME stands for. Repeatable.")
    ] = None,
) -> None:
    """Write the table or an analytic as Parquet, CSV or JSON lines; it appears complete, loads may go on.

    A relative PATH belongs to the folder of the configuration, as in a scheduled job.
    """
    from loader.config.section import located
    from loader.warehouse.export import Wanted
    from loader.warehouse.export import export as carry_out

    context: Context = ctx.obj
    config = context.config()
    _check(what, to)
    target = located(config.file.parent if config.file else Path.cwd(), to)
    kind = _format(format_, target, partitioned=bool(partition_by))
    wanted = Wanted(what or "", target, kind, tuple(partition_by or ()), parameters(param))
    begun = time.monotonic()
    with noted(config, "export") as note:
        rows = carry_out(config, wanted)
        note.result = {"outcome": "done", "done": {"rows": rows}}
    facts = {"to": str(target), "format": kind, "seconds": round(time.monotonic() - begun, 3)}
    result = {"pipeline": config.pipeline, **note.result, "what": what or config.table.name, **facts}
    context.emit(result, f"wrote {rows:,} rows of {result['what']} to {target}")


def _check(what: str | None, to: str) -> None:
    from loader.analytics import analytics

    if not to:
        hint = "loader export --to orders.parquet"
        raise ConfigError("it needs a place to write to", address="--to", hint=hint)
    if what is not None and what not in analytics():
        raise ConfigError(f"no analytic {what}", address="export", hint="loader query --list")


def _format(given: str | None, target: Path, *, partitioned: bool) -> str:
    """The format by option or name. Raises ConfigError."""
    found = given or FORMATS.get(target.suffix.casefold()) or ("parquet" if partitioned else None)
    if found is None or found not in FORMATS.values():
        message = f"{given} is no format" if given else f"the name {target.name} does not say the format"
        raise ConfigError(message, address="--format", hint="--format parquet, csv or json")
    if partitioned and found == "json":
        raise ConfigError("JSON has no partitions", address="--partition-by", hint="--format parquet, or csv")
    return found
