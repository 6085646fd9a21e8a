"""Ranges and positions of partitions, as people write them on the command line."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from loader.errors import ConfigError

if TYPE_CHECKING:
    from loader.config import Config
    from loader.model import Span

RANGE = re.compile(r"(.+)\[(\d{1,9})\]:(\d{1,18})-(\d{1,18})")
OFFSET = re.compile(r"(\d{1,9}):(\d{1,18})")

AcceptLoss = Annotated[
    list[str] | None,
    typer.Option(
        "--accept-loss",
        metavar="RANGE",
        help="Go on behind lost records; exactly this range, as `orders[2]:100-250`. Repeatable.",
    ),
]
NewTopic = Annotated[
    str,
    typer.Option(
        "--new-topic",
        metavar="ID",
        help="Take over the topic with this id, which was created anew; earlier rows stay.",
        show_default=False,
    ),
]


def place_of(topic: str, entry: Mapping[str, Any], generation: int) -> str:
    """A position, as `loader quarantine` takes it: `orders[2]@1841`, of a former topic `orders[2]@1841#0`."""
    former = entry["generation"] not in {None, generation}
    return f"{topic}[{entry['partition']}]@{entry['offset']}" + (f"#{entry['generation']}" if former else "")


def ranges(config: Config, texts: Sequence[str] | None) -> tuple[Span, ...]:
    """The ranges of `--accept-loss`, one for each partition. Raises ConfigError."""
    from loader.model import Span

    found: dict[int, Span] = {}
    for text in texts or ():
        match = RANGE.fullmatch(text)
        if not match or int(match[3]) >= int(match[4]):
            message = f"{text} is not a range like {config.kafka.topic}[2]:100-250"
            raise ConfigError(message, address="--accept-loss")
        if match[1] != config.kafka.topic:
            message = f"{text}: this pipeline's topic is {config.kafka.topic}"
            raise ConfigError(message, address="--accept-loss")
        span = Span(int(match[2]), int(match[3]), int(match[4]))
        if found.setdefault(span.partition, span) != span:
            raise ConfigError(f"two ranges for partition {span.partition}", address="--accept-loss")
    return tuple(found.values())


def offsets(texts: Sequence[str]) -> dict[int, int]:
    """The offset of each partition in `--to-offset`. Raises ConfigError."""
    found: dict[int, int] = {}
    for text in texts:
        match = OFFSET.fullmatch(text)
        if not match:
            raise ConfigError(f"{text} is not partition:offset, like 2:1841", address="--to-offset")
        if found.setdefault(int(match[1]), int(match[2])) != int(match[2]):
            raise ConfigError(f"two offsets for partition {match[1]}", address="--to-offset")
    return found


def time_of(text: str | None, option: str) -> datetime | None:
    """A time of the command line; without a zone it is UTC. Raises ConfigError."""
    if text is None:
        return None
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        hint = "2026-03-03 or 2026-03-03T10:30:00+01:00"
        raise ConfigError(f"{text} is not a time", address=option, hint=hint) from None
    return when if when.tzinfo else when.replace(tzinfo=UTC)
