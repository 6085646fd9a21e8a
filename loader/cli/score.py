"""`loader score`: compare the warehouse with an answer key."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from loader.errors import ComparisonFailed, ConfigError

if TYPE_CHECKING:
    from loader.cli.context import Context
    from loader.config import Config


def score(
    ctx: typer.Context,
    answers: Annotated[Path, typer.Argument(help="The answer key that `loader generate` wrote.")],
) -> None:
    """Compare the warehouse with an answer key, id by id and field by field."""
    result = compare(ctx.obj.config(), answers)
    ctx.obj.emit(result, lambda: print_score(ctx.obj, result))
    if not result["ok"]:
        raise typer.Exit(ComparisonFailed.exit_code)


def compare(config: Config, answers: Path) -> dict[str, Any]:
    """Return the result of the comparison, as --json prints it."""
    from loader.replay.answers import read_answers
    from loader.replay.score import score as by_id
    from loader.warehouse.reading import score_rows

    if not config.table.id:
        raise ConfigError("is empty, and score compares by id", address="table.id", hint='id = "order_id"')
    key = read_answers(answers).with_tombstones(config.table.tombstones)
    return by_id(key, _keyed(score_rows(config), config.table.id), _counts(config)).as_json()


def _keyed(rows: Iterator[dict[str, Any]], columns: Sequence[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    for row in rows:
        yield "|".join(str(row[column]) for column in columns), row


def _counts(config: Config) -> dict[str, int]:
    """Return duplicates, quarantined and skipped as the ledger has them."""
    from loader.warehouse.reading import Reader

    with Reader(config) as reader:
        totals = reader.of_pipeline("read/totals")[0]
    return {name: int(totals[name]) for name in ("duplicates", "quarantined", "skipped")}


def print_score(context: Context, result: dict[str, Any]) -> None:
    """Print expected and found side by side, and the ids that differ."""
    from rich.table import Table

    table = Table("", "expected", "found")
    for name, expected in result["expected"].items():
        table.add_row(name, f"{expected:,}", f"{result['found'][name]:,}")
    context.output.print(table)
    for name in ("missing", "extra", "wrong"):
        if result[name]:
            context.output.print(f"{name}: {', '.join(result[name])}", markup=False)
    context.output.print("all as expected" if result["ok"] else "NOT as expected", style="bold")
