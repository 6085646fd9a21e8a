"""`loader rebuild`: make derived tables anew, or give them up."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from loader.cli.courier import send_rest
from loader.errors import ActionNeeded, ConfigError, LoaderError

if TYPE_CHECKING:
    from loader.cli.context import Context
    from loader.config import Config


def rebuild(
    ctx: typer.Context,
    tables: Annotated[
        list[str] | None, typer.Argument(metavar="[TABLE]...", help="Derived tables; all without one.")
    ] = None,
    drop: Annotated[
        bool, typer.Option("--drop", help="Drop tables that no [[derive]] makes any more.")
    ] = False,
) -> None:
    """Make derived tables anew from the rows that are loaded, in the order of their batches."""
    context: Context = ctx.obj
    config = context.config()
    if drop and not tables:
        raise ConfigError("--drop needs the names of the tables", address="--drop")
    done, unsent = (_dropped(config, tables or []), None) if drop else _rebuilt(config, tables or [])
    result = {"pipeline": config.pipeline, "outcome": "dropped" if drop else "rebuilt", "tables": done}
    context.emit(result, lambda: _print(context, result))
    if unsent:
        raise unsent


def _rebuilt(config: Config, tables: list[str]) -> tuple[list[dict[str, Any]], LoaderError | None]:
    from loader.warehouse.rebuild import opened
    from loader.warehouse.retry import patiently

    done = []
    with opened(config, time.sleep) as warehouse:
        for derivation in warehouse.wanted(tables):
            begun = time.monotonic()
            rows = patiently(partial(warehouse.rebuild, derivation), time.sleep)
            seconds = round(time.monotonic() - begun, 3)
            done.append({"table": derivation.table, "rows": rows, "seconds": seconds})
        return done, send_rest(config, warehouse)


def _dropped(config: Config, tables: list[str]) -> list[dict[str, Any]]:
    from loader.warehouse.rebuild import opened
    from loader.warehouse.retry import patiently

    if still := [derive.table for derive in config.derive if derive.table in tables]:
        hint = "take its [[derive]] out of the configuration first"
        raise ActionNeeded("the configuration still derives this table", address=still[0], hint=hint)
    with opened(config, time.sleep) as warehouse:
        for table in tables:
            patiently(partial(warehouse.drop, table), time.sleep)
    return [{"table": table} for table in tables]


def _print(context: Context, result: dict[str, Any]) -> None:
    for table in result["tables"]:
        facts = f": {table['rows']:,} rows in {table['seconds']:.1f} s" if "rows" in table else ""
        context.output.print(f"{table['table']} {result['outcome']}{facts}", markup=False)
    if not result["tables"]:
        context.output.print("no [[derive]] in the configuration")
