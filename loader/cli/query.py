"""`loader query`: the shipped analytics by name, or SQL, read-only."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from loader.cli.words import of_copy
from loader.errors import ActionNeeded, ConfigError
from loader.printable import printable

if TYPE_CHECKING:
    import pyarrow as pa

    from loader.cli.context import Context

FORMATS = ("table", "csv", "json", "parquet")
SHOWN = 200  # rows of a table on a screen
BORDERS = 3  # characters around a cell
CUT = 40  # characters of a value where not everything has room
EXPLAINED = ["explain_key", "explain_value"]  # what EXPLAIN answers: a drawing of several lines


def query(
    ctx: typer.Context,
    what: Annotated[
        str | None,
        typer.Argument(metavar="NAME|SQL", help="The name of one of the analytics, or SQL in quotes."),
    ] = None,
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="With --plot: the picture to draw, as out.png.")
    ] = None,
    format_: Annotated[str, typer.Option("--format", help="table, csv, json or parquet.")] = "table",
    list_: Annotated[bool, typer.Option("--list", help="List the shipped analytics.")] = False,
    param: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="What $NAME in the query stands for. Repeatable."),
    ] = None,
    plot: Annotated[bool, typer.Option("--plot", help="Draw it: in the terminal, or into FILE.")] = False,
    timeout: Annotated[str, typer.Option(help="Longest time to wait, such as 30s or 1h.")] = "10m",
) -> None:
    """Ask the warehouse: one of the shipped analytics (--list), or SQL; read-only."""
    if list_ or what is None:
        _list(ctx.obj)
        return
    _check(ctx.obj, format_, file, plot=plot)
    result = _result(ctx.obj, what, timeout, parameters(param))
    if plot:
        _draw(ctx.obj, what, result, file, parameters(param))
    else:
        answer(ctx.obj, result, format_)


def _check(context: Context, format_: str, file: Path | None, *, plot: bool) -> None:
    """Refuse what does not go together, before anything is asked. Raises ConfigError."""
    from loader.cli.plot.picture import SUFFIXES

    if format_ not in FORMATS:
        raise ConfigError(f"{format_} is not one of {', '.join(FORMATS)}", address="--format")
    other = "--plot" if plot else "--format" if format_ != "table" else ""
    if context.json and other:
        raise ConfigError("--json has a format of its own", address=other, hint="leave one of the two out")
    if plot and format_ != "table":
        raise ConfigError("a plot has no other format", address="--format", hint="leave one of the two out")
    if file and not plot:
        raise ConfigError("more than one query", address=str(file), hint="quote SQL; --plot FILE draws")
    if file and file.suffix not in SUFFIXES:
        hint = "loader query NAME --plot out.png"
        raise ConfigError(f"a picture ends in {', '.join(SUFFIXES)}", address=str(file), hint=hint)


def parameters(texts: Sequence[str] | None) -> dict[str, str]:
    """The values of `--param NAME=VALUE`, as they were typed. Raises ConfigError."""
    found: dict[str, str] = {}
    for text in texts or ():
        name, sign, value = text.partition("=")
        if not sign or not name.isidentifier():
            hint = "--param day=2026-03-03"
            raise ConfigError(f"{text} is not NAME=VALUE", address="--param", hint=hint)
        if found.setdefault(name, value) != value:
            raise ConfigError(f"two values for {name}", address="--param")
    return found


def _draw(context: Context, what: str, result: pa.Table, file: Path | None, given: dict[str, str]) -> None:
    from loader.analytics import analytics
    from loader.cli.plot import bars, picture
    from loader.cli.plot.chart import chart

    known = analytics().get(what)
    drawn = chart(result, known.drawing if known else None)
    if file is None:
        bars.draw(drawn, context.output, context.console)
        return
    title = known.title if known else f"{drawn.values} by {drawn.axis}"
    shown = ", ".join(f"{name} = {value}" for name, value in given.items())
    picture.draw(drawn, f"{title} ({shown})" if shown else title, file)
    context.console.print(f"wrote {file}", markup=False)


def _list(context: Context) -> None:
    from loader.analytics import analytics

    known = analytics().values()
    text = "\n".join(f"{each.name:<22} {each.about}" for each in known)
    told = [{"name": each.name, "about": each.about, "parameters": each.parameters} for each in known]
    context.emit({"analytics": told}, text)


def _result(context: Context, what: str, timeout: str, given: dict[str, str]) -> pa.Table:
    from loader.warehouse.ask import Asker

    with Asker() as asker:  # first of all: it takes as long to get ready as we do
        seconds = _seconds(timeout)
        result = asker.ask(context.config(), what, seconds, given)
    if asker.age is not None:
        context.console.print(of_copy(asker.age))
    return result


def _seconds(text: str) -> float:
    from loader.config.values import parse_duration

    try:
        return parse_duration(text)
    except ValueError as error:
        raise ConfigError(str(error), address="--timeout") from None


def answer(context: Context, result: pa.Table, format_: str) -> None:
    """Print a result in one of the formats."""
    if context.json:
        context.emit({"columns": result.column_names, "rows": list(_rows(result))}, "")
    elif format_ == "table":
        table(context, result)
    elif format_ == "json":
        _json(result)
    else:
        _bytes(result, format_)


def _rows(result: pa.Table) -> Iterator[dict[str, Any]]:
    """Rows as JSON can hold them. Raises ActionNeeded where two columns have one name."""
    if len(set(result.column_names)) < result.num_columns:
        raise ActionNeeded("two columns have the same name", address="query", hint="name them with AS")
    from loader.cli.cells import cells

    for row in zip(*map(cells, result.columns), strict=True):
        yield dict(zip(result.column_names, row, strict=True))


def table(context: Context, result: pa.Table) -> None:
    """Print a result as a table: its first SHOWN rows, and the columns that the terminal has room for."""
    from rich.cells import cell_len

    if result.column_names == EXPLAINED:
        for plan in result.column(1).to_pylist():
            context.output.print("\n".join(map(printable, plan.splitlines())), markup=False)
        return
    cells = [_cells(column) for column in result.slice(0, SHOWN).columns]
    names = map(printable, result.column_names)
    wanted = [max(map(cell_len, (name, *column))) for name, column in zip(names, cells, strict=True)]
    if sys.stdout.isatty():
        widths = fitting(wanted, context.output.width)
    else:
        widths, context.output.width = wanted, sum(wanted) + BORDERS * len(wanted) + 1
    _print(context, result.select(range(len(widths))), cells, widths)
    _say_what_is_missing(context, result, wanted, widths)


def _cells(column: pa.ChunkedArray) -> list[str]:
    from loader.cli.cells import texts

    return ["" if value is None else printable(value) for value in texts(column)]


def fitting(wanted: list[int], room: int) -> list[int]:
    """The widths of the columns that fit into `room`, from the left: as wanted, or else cut; one at least."""
    if sum(wanted) + BORDERS * len(wanted) + 1 <= room:
        return wanted
    widths: list[int] = []
    left = room - 1
    for width in (min(width, CUT) for width in wanted):
        if widths and width + BORDERS > left:
            break
        widths.append(max(1, min(width, left - BORDERS)))
        left -= width + BORDERS
    return widths


def _print(context: Context, result: pa.Table, cells: list[list[str]], widths: list[int]) -> None:
    import pyarrow as pa
    from rich.table import Table
    from rich.text import Text

    shown = Table()
    for column, width in zip(result.schema, widths, strict=True):
        numeric = pa.types.is_integer(column.type) or pa.types.is_floating(column.type)
        right = numeric or pa.types.is_decimal(column.type)
        name = Text(printable(column.name))
        shown.add_column(name, justify="right" if right else "left", no_wrap=True, width=width)
    for row in zip(*cells[: len(widths)], strict=True):
        shown.add_row(*map(Text, row))
    context.output.print(shown)


def _say_what_is_missing(context: Context, result: pa.Table, wanted: list[int], widths: list[int]) -> None:
    missing = []
    if result.num_rows > SHOWN:
        missing.append(f"{SHOWN} of {result.num_rows:,} rows")
    if len(widths) < len(wanted):
        missing.append(f"{len(widths)} of {len(wanted)} columns")
    if any(width < want for width, want in zip(widths, wanted, strict=False)):
        missing.append("long values cut")
    if missing:
        context.console.print(f"{', '.join(missing)}; everything: --format csv")


def _json(result: pa.Table) -> None:
    for row in _rows(result):
        sys.stdout.write(json.dumps(row, ensure_ascii=False) + "\n")


def _bytes(result: pa.Table, format_: str) -> None:
    import pyarrow as pa
    import pyarrow.csv as arrow_csv
    import pyarrow.parquet as arrow_parquet

    from loader.cli.cells import is_flat, texts

    if format_ == "csv":
        flat = [c if is_flat(c.type) else pa.array(texts(c), pa.string()) for c in result.columns]
        arrow_csv.write_csv(pa.table(flat, names=result.column_names), sys.stdout.buffer)
        return
    if sys.stdout.isatty():
        raise ActionNeeded("Parquet is not for a terminal", hint="loader query … --format parquet > FILE")
    try:
        arrow_parquet.write_table(result, sys.stdout.buffer)
    except pa.ArrowNotImplementedError as error:
        message = f"Parquet has no such type: {error}"
        raise ActionNeeded(message, address="query", hint="CAST(… AS VARCHAR), or --format csv") from error
