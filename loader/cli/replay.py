"""`loader replay`: send a dataset, or generated orders, to the topic."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from loader.cli.generate import Faults, shares
from loader.errors import ConfigError
from loader.plural import counted

if TYPE_CHECKING:
    from loader.cli.context import Context
    from loader.config import Config
    from loader.kafka.producer import Progress, SendReport
    from loader.replay.generate import GenerateOptions
    from loader.replay.records import Block


def replay(
    ctx: typer.Context,
    dataset: Annotated[
        str | None,
        typer.Argument(help="JSONL, Parquet or CSV file, - for JSONL on stdin. Without one: --records."),
    ] = None,
    rate: Annotated[float | None, typer.Option(help="Records per second; without it flat out.")] = None,
    speed: Annotated[
        float | None, typer.Option(help="Keep the recorded timing, so many times as fast.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Send only so many records, the first ones.")
    ] = None,
    topic: Annotated[str | None, typer.Option(help="Another topic than the configuration's.")] = None,
    recorded_time: Annotated[
        bool, typer.Option("--recorded-time", help="Give records their recorded Kafka time, not now.")
    ] = False,
    records: Annotated[
        int | None, typer.Option(help="Send so many generated orders in place of a dataset.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the generated orders.")] = 1,
    fault: Faults = None,
    answers: Annotated[
        Path | None, typer.Option(help="Write the answer key of the generated orders here.")
    ] = None,
) -> None:
    """Produce a dataset to the topic and wait until the broker has every record."""
    from loader.cli.lean import lean_memory
    from loader.kafka.producer import PATIENCE, send
    from loader.replay.pacing import make_pacing

    context: Context = ctx.obj
    config, pacing = context.config(), make_pacing(rate, speed)
    if answers and limit:
        raise ConfigError("--limit would make the answer key wrong; lower --records", address="--answers")
    options = _options(dataset, records, seed, fault, answers)
    blocks = _blocks(dataset, options, config, timed=speed is not None or recorded_time)
    if options and answers:
        from loader.replay.generate import write_answers

        write_answers(options, answers)
    target, total = topic or config.kafka.topic, limit or records
    lean = nullcontext() if pacing else lean_memory()  # for days at a pace, garbage would pile up
    with _progress(context, total) as progress, lean:
        settings = {"bootstrap.servers": config.kafka.bootstrap, **config.kafka.client_settings()}
        patience = PATIENCE if config.limits.unreachable is None else config.limits.unreachable
        report = send(
            _first(blocks, limit), settings, target, pacing, progress,
            patience=patience, recorded_time=recorded_time,
        )  # fmt: skip
    context.emit(_result(report), _text(report, target))


def _options(
    dataset: str | None, records: int | None, seed: int, fault: list[str] | None, answers: Path | None
) -> GenerateOptions | None:
    """Return what to generate, or None where a dataset is given."""
    from loader.replay.generate import GenerateOptions

    if (dataset is None) == (records is None):
        raise ConfigError("give either a dataset or --records", address="replay", hint="loader replay --help")
    if records is None:
        if fault or answers:
            hint = "give them to `loader generate`"
            raise ConfigError("--fault and --answers need --records", address="replay", hint=hint)
        return None
    return GenerateOptions(records, seed, faults=shares(fault or []))


def _blocks(
    dataset: str | None, options: GenerateOptions | None, config: Config, *, timed: bool
) -> Iterator[Block]:
    from loader.replay import generate
    from loader.replay.datasets import read_dataset, with_event_times

    if options:
        return generate.blocks(options)
    blocks = read_dataset(dataset or "-", config.table.id)
    column = config.table.event_time
    return with_event_times(blocks, column) if timed and column else blocks


def _first(blocks: Iterable[Block], limit: int | None) -> Iterator[Block]:
    """Yield the blocks up to so many records."""
    left = limit
    for block in blocks:
        yield block if left is None else block[:left]
        if left is not None and (left := left - len(block)) <= 0:
            return


@contextmanager
def _progress(context: Context, total: int | None) -> Iterator[Progress | None]:
    """Show a bar on stderr where that is a terminal; yield what moves it."""
    if not context.console.is_terminal or context.console.quiet:
        yield None
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    words = TextColumn("{task.completed:,.0f} acknowledged, {task.fields[sent]:,} sent")
    with Progress(BarColumn(), words, TimeElapsedColumn(), console=context.console, transient=True) as bar:
        task = bar.add_task("replay", total=total, sent=0)
        yield lambda sent, acknowledged: bar.update(task, completed=acknowledged, sent=sent)


def _rate(report: SendReport) -> int:
    return round(report.acknowledged / report.seconds) if report.seconds else 0


def _result(report: SendReport) -> dict[str, Any]:
    return {
        "outcome": "sent",
        "sent": report.sent,
        "acknowledged": report.acknowledged,
        "refused": report.refused,
        "bytes": report.bytes,
        "seconds": round(report.seconds, 3),
        "records_per_second": _rate(report),
    }


def _text(report: SendReport, topic: str) -> str:
    return (
        f"{topic}: {counted(report.acknowledged, 'records')} acknowledged, {report.bytes / 1e6:,.1f} MB "
        f"in {report.seconds:.1f} s, {_rate(report):,}/s"
    )
