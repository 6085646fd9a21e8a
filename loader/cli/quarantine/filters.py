"""Which entries: positions and filters, the same for every verb of `loader quarantine`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

import typer

from loader.cli.places import time_of
from loader.errors import ConfigError
from loader.rules import RULES

if TYPE_CHECKING:
    from loader.cli.context import Context
    from loader.warehouse.wanted import Place, Wanted

EVERY = "all"  # states
POSITION = re.compile(r"(?:(.*)\[)?(\d+)(?:\]@|:)(\d+)(?:#(\d+))?")

Position = Annotated[str, typer.Argument(metavar="POSITION", help="As `orders[2]@1841` or `2:1841`.")]
Positions = Annotated[
    list[str] | None,
    typer.Argument(metavar="POSITION", help="Only these, as `orders[2]@1841` or `2:1841`."),
]
Reason = Annotated[
    str | None,
    typer.Option(
        help="Only this reason: a label as the foot of the list prints it (`amount: type`), "
        f"or a rule of any column ({', '.join(RULES)})."
    ),
]
Column = Annotated[str | None, typer.Option(help="Only what breaks a rule of this column, or this check.")]
Since = Annotated[str | None, typer.Option(metavar="TIME", help="Only from this Kafka time on (ISO; UTC).")]
Until = Annotated[str | None, typer.Option(metavar="TIME", help="Only before this Kafka time.")]
Partition = Annotated[int | None, typer.Option(help="Only this partition.")]
Id = Annotated[str | None, typer.Option("--id", help="Only this id, where it could be read.")]
Batch = Annotated[int | None, typer.Option(help="Only what this batch refused, retried or dropped.")]
State = Annotated[str, typer.Option(help="open, loaded, duplicate, skipped, dropped, or all.")]
All = Annotated[bool, typer.Option("--all", help="All open entries, without any filter.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would happen; change nothing.")]


def wanted(
    context: Context,
    *,
    positions: list[str] | None = None,
    reason: str | None,
    column: str | None,
    since: str | None,
    until: str | None,
    partition: int | None,
    id_: str | None,
    batch: int | None,
    state: str | None = "open",
) -> Wanted:
    """The filter that the options make. Raises ConfigError."""
    from loader.warehouse.wanted import Wanted

    places = tuple(place(context, position) for position in positions) if positions else None
    return Wanted(
        state,
        reason,
        column,
        time_of(since, "--since"),
        time_of(until, "--until"),
        partition,
        id_,
        batch,
        places,
    )


def state_of(text: str) -> str | None:
    """The state that `--state` names; None for all. Raises ConfigError."""
    from loader.warehouse.wanted import STATES

    if text not in (*STATES, EVERY):
        raise ConfigError(f"{text} is not one of {', '.join((*STATES, EVERY))}", address="--state")
    return None if text == EVERY else text


def narrowed(wanted: Wanted, everything: bool, verb: str) -> Wanted:
    """The filter, if it says which entries or `--all` was given. Raises ConfigError."""
    from loader.warehouse.wanted import Wanted

    if everything == (wanted != Wanted()):
        message = "--all is for no filter at all" if everything else "say which entries"
        hint = f"a filter or --all: loader quarantine {verb} --help"
        raise ConfigError(message, address=f"quarantine {verb}", hint=hint)
    return wanted


def refuse_unknown(context: Context, wanted: Wanted) -> None:
    """Raise ConfigError where a filter that finds nothing names a column or a reason that nobody knows."""
    from loader.warehouse.reading import Reader
    from loader.warehouse.wanted import Wanted

    if wanted.column is None and wanted.reason is None:
        return
    with Reader(context.config()) as reader:
        labels = [row["reason"] for row in reader.of_wanted("read/quarantine_reasons", Wanted(state=None))]
        own = [
            *(column.name for column in reader.contract.columns),
            *(name for name, _ in reader.contract.checks),
        ]
    columns = [*own, *(label.rpartition(": ")[0] for label in labels if ": " in label)]
    if wanted.column is not None and wanted.column not in columns:
        raise _unknown("column or check", wanted.column, columns, "--column")
    possible = [*labels, *RULES, *(f"{column}: {rule}" for column in columns for rule in RULES)]
    if wanted.reason is not None and wanted.reason.casefold() not in map(str.casefold, possible):
        raise _unknown("reason", wanted.reason, [*labels, *RULES], "--reason")


def _unknown(what: str, given: str, known: list[str], option: str) -> ConfigError:
    from loader.config.mistakes import nearest

    near = nearest(given, known)
    hint = f'{option} "{near}"' if near else f"one of {', '.join(dict.fromkeys(known))}"
    return ConfigError(f"no {what} {given}", address=option, hint=hint)


def place(context: Context, position: str) -> Place:
    """The place that a position names, as people write it. Raises ConfigError."""
    from loader.warehouse.wanted import Place

    match = POSITION.fullmatch(position)
    if not match:
        raise ConfigError(f"{position} is not a position like orders[2]@1841 or 2:1841", address="POSITION")
    topic = context.config().kafka.topic
    if match[1] and match[1] != topic:
        raise ConfigError(f"this pipeline's topic is {topic}", address=position)
    return Place(int(match[2]), int(match[3]), None if match[4] is None else int(match[4]))
