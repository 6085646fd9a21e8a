"""`loader generate`: sample orders with faults, and their answer key."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from loader.errors import ConfigError
from loader.plural import counted

if TYPE_CHECKING:
    from loader.replay.generate import Generated, GenerateOptions

RECORDS = 100_000
Faults = Annotated[
    list[str] | None,
    typer.Option(
        "--fault",
        metavar="NAME=SHARE",
        help="A fault and its share of the records, such as duplicates=0.02; repeatable. "
        "`sample` stands for a little of everything.",
    ),
]


def generate(
    ctx: typer.Context,
    dataset: Annotated[Path, typer.Argument(help="File to write: .jsonl, .ndjson or .parquet.")],
    records: Annotated[int, typer.Option(help="Records in all, faults included.")] = RECORDS,
    seed: Annotated[int, typer.Option(help="The same seed gives the same bytes.")] = 1,
    days: Annotated[int, typer.Option(help="Days over which the orders are spread.")] = 7,
    start: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="First day, in UTC.")] = datetime(  # noqa: DTZ001
        2026, 3, 1
    ),
    fault: Faults = None,
    first_id: Annotated[int, typer.Option(help="Number of the first order id.")] = 1,
    answers: Annotated[
        Path | None, typer.Option(help="File for the answer key.", show_default="DATASET.answers.jsonl")
    ] = None,
    no_answers: Annotated[bool, typer.Option("--no-answers", help="Write no answer key.")] = False,
) -> None:
    """Write sample orders, and an answer key that says where each of them must end."""
    from loader.replay.generate import GenerateOptions, write

    options = GenerateOptions(records, seed, days, start.date(), shares(fault or []), first_id)
    written = write(options, dataset, answers, with_answers=not no_answers)
    ctx.obj.emit(_result(written), _text(written, options))


def shares(texts: list[str]) -> dict[str, float]:
    """Read the values of --fault. Raises ConfigError at one that is not NAME=SHARE."""
    from loader.replay.faults import SAMPLE

    found: dict[str, float] = {}
    for text in texts:
        found |= SAMPLE if text == "sample" else _share(text)
    return found


def _share(text: str) -> dict[str, float]:
    name, _, share = text.partition("=")
    try:
        return {name.strip().replace("-", "_"): float(share)}
    except ValueError:
        hint = "--fault duplicates=0.02"
        raise ConfigError(f"{text!r} is not NAME=SHARE", address="--fault", hint=hint) from None


def _result(written: Generated) -> dict[str, Any]:
    return {
        "outcome": "done",
        "records": written.records,
        "bytes": written.bytes,
        "file": str(written.file),
        "answers": str(written.answers) if written.answers else None,
        "expected": written.expected,
    }


def _text(written: Generated, options: GenerateOptions) -> str:
    ends = ", ".join(counted(count, name) for name, count in written.expected.items() if count)
    size = f"{counted(written.records, 'records')}, {written.bytes / 1e6:,.1f} MB"
    lines = [f"{written.file}: {size} (seed {options.seed})"]
    lines.append(f"to be expected: {ends}")
    if written.answers:
        lines.append(f"answer key: {written.answers}")
    return "\n".join(lines)
