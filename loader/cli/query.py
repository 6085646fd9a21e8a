"""`loader query`: the shipped analytics by name, or SQL, read-only."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from loader.errors import ActionNeeded, ConfigError

if TYPE_CHECKING:
    import pyarrow as pa

    from loader.cli.context import Context

FORMATS = ("table", "csv", "json", "parquet")
SHOWN = 200  # rows of a table on a screen


def query(
    ctx: typer.Context,
    what: Annotated[
        str | None, typer.Argument(metavar="[NAME or SQL]", help="An analytics name, or SQL.")
    ] = None,
    format_: Annotated[str, typer.Option("--format", help="table, csv, json or parquet.")] = "table",
    list_: Annotated[bool, typer.Option("--list", help="List the shipped analytics.")] = False,
) -> None:
    """Ask the warehouse: one of the shipped analytics, or SQL (read-only)."""
    if list_ or what is None:
        _list(ctx.obj)
        return
    if format_ not in FORMATS:
        raise ConfigError(f"{format_} is not one of {', '.join(FORMATS)}", address="--format")
    if ctx.obj.json and format_ != "table":
        raise ConfigError(
            "--json has a format of its own", address="--format", hint="leave one of the two out"
        )
    answer(ctx.obj, _result(ctx.obj, what), format_)


def _list(context: Context) -> None:
    from loader.warehouse.reading import analytics

    known = analytics()
    text = "\n".join(f"{name:<22} {sentence}" for name, sentence in known.items())
    context.emit({"analytics": [{"name": name, "about": about} for name, about in known.items()]}, text)


def _result(context: Context, what: str) -> pa.Table:
    from loader.warehouse.reading import Reader
    from loader.warehouse.reading import query as run

    with Reader(context.config()) as reader:
        if reader.age is not None:
            context.console.print(f"from the published copy, {reader.age:.0f} s old")
        return run(reader, what)


def answer(context: Context, result: pa.Table, format_: str) -> None:
    """Print a result in one of the formats."""
    if context.json:
        rows = [{name: _plain(value) for name, value in row.items()} for row in result.to_pylist()]
        context.emit({"columns": result.column_names, "rows": rows}, "")
    elif format_ == "table":
        table(context, result)
    elif format_ == "json":
        _json(result)
    else:
        _bytes(result, format_)


def table(context: Context, result: pa.Table) -> None:
    """Print a result as a table, its first SHOWN rows."""
    from rich.table import Table

    shown = Table(*result.column_names)
    for row in result.slice(0, SHOWN).to_pylist():
        shown.add_row(*("" if value is None else str(_plain(value)) for value in row.values()))
    context.output.print(shown)
    if result.num_rows > SHOWN:
        context.console.print(f"{SHOWN} of {result.num_rows:,} rows; the others: --format csv")


def _json(result: pa.Table) -> None:
    import json

    for row in result.to_pylist():
        line = json.dumps({name: _plain(value) for name, value in row.items()}, ensure_ascii=False)
        sys.stdout.write(line + "\n")


def _bytes(result: pa.Table, format_: str) -> None:
    import pyarrow.csv as arrow_csv
    import pyarrow.parquet as arrow_parquet

    if format_ == "parquet":
        if sys.stdout.isatty():
            raise ActionNeeded("Parquet is not for a terminal", hint="loader query … --format parquet > FILE")
        arrow_parquet.write_table(result, sys.stdout.buffer)
        return
    flat = (
        result.from_pylist([{k: _flat(v) for k, v in row.items()} for row in result.to_pylist()])
        if any(column.type.num_fields for column in result.columns)
        else result
    )
    arrow_csv.write_csv(flat, sys.stdout.buffer)


def _flat(value: Any) -> Any:
    import json

    return json.dumps(_plain(value)) if isinstance(value, list | dict) else value


def _plain(value: Any) -> Any:
    """A cell as JSON can hold it: exact numbers and times as text."""
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_plain(part) for part in value]
    if isinstance(value, bytes):
        return value.decode(errors="backslashreplace")
    return value if isinstance(value, str | int | float | bool | None) else str(value)
