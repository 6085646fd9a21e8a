"""`loader refresh`: analytics as tables."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from loader.cli.history import noted
from loader.errors import ConfigError

if TYPE_CHECKING:
    from loader.cli.context import Context


def refresh(
    ctx: typer.Context,
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="Some of them; default refresh.analytics.")
    ] = None,
) -> None:
    """Make tables of the analytics that are configured, all of one moment; loads may go on."""
    from loader.warehouse.opening import nothing_there

    context: Context = ctx.obj
    config = context.config()
    chosen = _chosen(config.refresh.analytics, names or [])
    if not config.warehouse.file.exists():
        raise nothing_there(config.warehouse.file)
    begun = time.monotonic()
    with noted(config, "refresh") as note:
        from loader.warehouse.refresh import refresh as carry_out

        rows = carry_out(config, chosen)
        done = {"tables": len(rows), "rows": sum(rows.values())}
        note.result = {"outcome": "done", "done": done}
    schema = config.refresh.schema_name
    tables = [{"name": f"{schema}.{name}", "rows": count} for name, count in rows.items()]
    seconds = round(time.monotonic() - begun, 3)
    result = {"pipeline": config.pipeline, **note.result, "tables": tables, "seconds": seconds}
    context.emit(result, "\n".join(f"{table['name']}: {table['rows']:,} rows" for table in tables))


def _chosen(configured: tuple[str, ...], names: list[str]) -> tuple[str, ...]:
    """The analytics to refresh. Raises ConfigError."""
    if not configured:
        hint = 'add [refresh] with analytics = ["revenue_per_day"] to the configuration'
        raise ConfigError("no analytic is configured", address="refresh.analytics", hint=hint)
    for name in names:
        if name not in configured:
            raise ConfigError(
                f"{name} is not in refresh.analytics", address="refresh", hint=", ".join(configured)
            )
    return tuple(dict.fromkeys(names or configured))
