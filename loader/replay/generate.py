"""Sample orders with faults: the same options always give the same bytes.

Written as JSONL (see `records.py`) or, by the ending of the file, as Parquet with the columns `key`,
`value` (binary) and `timestamp` (milliseconds, UTC: when the shop would have sent it), with an answer
key beside it that says where each record must end.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime
from itertools import chain
from pathlib import Path
from typing import IO

import numpy as np

from loader.errors import ConfigError
from loader.replay import answers, faults, orders
from loader.replay.files import open_sink
from loader.replay.records import Block, Record, block_of, key_reader

CHUNK = 10_000  # records formatted at a time
_NAMES = ("", *faults.FAULTS)
_key_of = key_reader()


@dataclass(frozen=True, slots=True)
class GenerateOptions:
    """What to generate: `records` in all, faults included, with their shares of it (`faults.FAULTS`)."""

    records: int
    seed: int = 1
    days: int = 7
    start: date = date(2026, 3, 1)
    faults: dict[str, float] = field(default_factory=dict)
    first_id: int = 1

    def __post_init__(self) -> None:
        """Raise ConfigError if the options contradict themselves."""
        for name in ("records", "days", "first_id"):
            if getattr(self, name) < 1:
                address = "--" + name.replace("_", "-")
                raise ConfigError(f"{getattr(self, name)} is less than 1", address=address)
        if self.seed < 0:
            raise ConfigError(f"{self.seed} is negative", address="--seed", hint="any number from 0 on")
        faults.check_shares(self.faults)


@dataclass(frozen=True, slots=True)
class Chunk:
    """Consecutive records; `texts` are the orders that they show, `changed` what is sent in their place."""

    ids: list[str]
    texts: list[str]
    sent_ms: list[int]
    changed: dict[int, Record]
    fault: list[int]
    turn: dict[int, int]

    def records(self) -> Block:
        """Return the records as they are sent."""
        keys, values = map(str.encode, self.ids), map(str.encode, self.texts)
        block = block_of(keys, values, self.sent_ms, [None] * len(self.ids))
        for place, record in self.changed.items():
            block[place] = record
        return block


@dataclass(frozen=True, slots=True)
class Generated:
    """What was written: `bytes` of the dataset file, and where its records must end."""

    records: int
    bytes: int
    file: Path
    answers: Path | None
    expected: dict[str, int]


def generate(options: GenerateOptions) -> Iterator[Chunk]:
    """Yield the records in the order in which they are sent, in chunks."""
    plan = faults.make_plan(options.records, options.faults, options.seed)
    start_ms = int(datetime(*options.start.timetuple()[:3], tzinfo=UTC).timestamp()) * 1000
    drawn = orders.draw(options.records, options.seed, start_ms, options.days, options.first_id)
    shown = faults.as_sent(faults.shift_times(drawn, plan, options.seed), plan)
    turns: Counter[int] = Counter()
    for begin in range(0, options.records, CHUNK):
        span = np.arange(begin, min(begin + CHUNK, options.records))
        yield _chunk(shown.take(span), drawn.time_ms[span], plan.fault[span].tolist(), turns)


def _chunk(shown: orders.Orders, sent_ms: orders.Ints, fault: list[int], turns: Counter[int]) -> Chunk:
    """Format one chunk; `turns` counts the records of each fault so far, and goes on counting."""
    ids, texts, sent = orders.as_ids(shown), orders.as_texts(shown), sent_ms.tolist()
    changed, turn = {}, {}
    for place, code in enumerate(fault):
        if code in faults.LOADED:
            continue
        turn[place] = turns[code]
        changed[place] = _spoiled(_NAMES[code], ids[place], texts[place], turns[code], sent[place])
        turns[code] += 1
    return Chunk(ids, texts, sent, changed, fault, turn)


def _spoiled(fault: str, order_id: str, text: str, turn: int, sent_ms: int) -> Record:
    value = faults.spoil(fault, text, turn)
    return Record(order_id.encode() if value is None else _key_of(value), value, sent_ms)


def blocks(options: GenerateOptions) -> Iterator[Block]:
    """Yield the generated records as blocks, as a dataset file would give them."""
    for chunk in generate(options):
        yield chunk.records()


def expected(options: GenerateOptions) -> dict[str, int]:
    """Return how many records must be loaded, duplicates, quarantined and skipped."""
    counts = faults.make_plan(options.records, options.faults, options.seed).counts()
    refused = sum(counts[name] for name in answers.QUARANTINED)
    twins = counts["duplicates"]
    return {
        "loaded": options.records - twins - refused,
        "duplicates": twins,
        "quarantined": refused,
        "skipped": 0,
    }


def write(
    options: GenerateOptions, file: Path, answer_file: Path | None = None, *, with_answers: bool = True
) -> Generated:
    """Write the dataset to `file` and its answer key, by default to `<file>.answers.jsonl` beside it."""
    place = (answer_file or file.with_name(f"{file.name}.answers.jsonl")) if with_answers else None
    if place and place.absolute() == file.absolute():
        hint = "leave it out, or name another file"
        raise ConfigError("is the dataset itself", address="--answers", hint=hint)
    chunks = generate(options)
    first = next(chunks)  # what cannot be made is refused before a file is opened
    with ExitStack() as stack:
        sink = stack.enter_context(open_sink(file))
        key = stack.enter_context(_open_answers(options, place)) if place else None
        for chunk in chain([first], chunks):
            sink.write(chunk)
            if key:
                key.write(answers.lines(chunk.ids, chunk.texts, chunk.fault, chunk.turn))
    return Generated(options.records, file.stat().st_size, file, place, expected(options))


def write_answers(options: GenerateOptions, answer_file: Path) -> None:
    """Write the answer key alone."""
    with _open_answers(options, answer_file) as key:
        for chunk in generate(options):
            key.write(answers.lines(chunk.ids, chunk.texts, chunk.fault, chunk.turn))


def _open_answers(options: GenerateOptions, file: Path) -> IO[bytes]:
    """Open an answer key and write its first line; ConfigError if it cannot be written."""
    tombstones = round(options.faults.get("tombstones", 0.0) * options.records)
    described = asdict(options) | {"start": options.start.isoformat()}
    try:
        raw = file.open("wb")
    except OSError as error:
        raise ConfigError(f"cannot be written: {error.strerror}", address=str(file)) from error
    raw.write(answers.header(options.records, expected(options), tombstones, described))
    return raw
