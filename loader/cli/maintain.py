"""`loader maintain`: compaction, expiry and clean-up of the warehouse."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from loader.cli.history import noted
from loader.plural import counted

if TYPE_CHECKING:
    from loader.cli.context import Context
    from loader.config import Config

SHARE = 2  # DuckDB gets this part of limits.memory


def maintain(
    ctx: typer.Context,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what there is to do.")] = False,
    max_seconds: Annotated[float | None, typer.Option(min=0, help="Stop after so many seconds.")] = None,
) -> None:
    """Merge small files, forget old snapshots and runs, delete what nothing needs; loads may go on."""
    from loader.warehouse.opening import nothing_there

    context: Context = ctx.obj
    config = context.config()
    if not config.warehouse.file.exists():
        raise nothing_there(config.warehouse.file)
    if dry_run:
        result = _plan(config)
        context.emit(result, lambda: _print_plan(context, result))
        return
    with noted(config, "maintain") as note, _signals() as received:
        result = _carry_out(config, received, max_seconds)
        note.result, note.exit_code = result, 128 + received[0] if received else 0
    context.emit(result, lambda: _print(context, result))
    if note.exit_code:
        raise typer.Exit(note.exit_code)


def _plan(config: Config) -> dict[str, Any]:
    from loader.warehouse.change import changes
    from loader.warehouse.maintenance import Maintenance

    with changes(config, config.limits.memory // SHARE) as open_:
        work = Maintenance(open_, config)
        found = {"before": work.numbers(), "to_do": work.plan()}
    return {"pipeline": config.pipeline, "outcome": "dry_run", **found}


def _carry_out(config: Config, received: list[int], max_seconds: float | None) -> dict[str, Any]:
    from loader.observe.logs import logger
    from loader.warehouse.change import changes
    from loader.warehouse.maintenance import Maintenance

    begun, outcome = time.monotonic(), "done"
    with changes(config, config.limits.memory // SHARE) as open_:
        work = Maintenance(open_, config)
        before = work.numbers()
        for step in work.steps():
            logger().info(step)
            if received or (max_seconds is not None and time.monotonic() - begun >= max_seconds):
                outcome = "stopped" if received else "limit_reached"
                break
        after = work.numbers()
    seconds = round(time.monotonic() - begun, 3)
    facts = {"before": before, "after": after, "done": work.done, "seconds": seconds}
    return {"pipeline": config.pipeline, "outcome": outcome, **facts}


@contextmanager
def _signals() -> Iterator[list[int]]:
    """The first SIGINT or SIGTERM ends the upkeep after the piece under way, a second one at once."""
    received: list[int] = []

    def handle(number: int, _frame: object) -> None:
        received.append(number)
        for again in before:
            signal.signal(again, signal.SIG_DFL)

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        signal.signal(number, handle)
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _print(context: Context, result: dict[str, Any]) -> None:
    from rich.table import Table

    table = Table("", "before", "after")
    for name, before in result["before"].items():
        table.add_row(name.replace("_", " "), f"{before:,}", f"{result['after'][name]:,}")
    context.output.print(table)
    done = ", ".join(
        counted(count, name.replace("_", " ")) for name, count in result["done"].items() if count
    )
    context.output.print(
        f"{result['outcome'].replace('_', ' ')}: {done or 'nothing to do'}, {result['seconds']:.1f} s"
    )


def _print_plan(context: Context, result: dict[str, Any]) -> None:
    sizes = ", ".join(counted(count, name.replace("_", " ")) for name, count in result["before"].items())
    context.output.print(f"now: {sizes}")
    for name, count in result["to_do"].items():
        number, _, things = counted(count, name.replace("_", " ")).partition(" ")
        context.output.print(f"{number:>9} {things}")
