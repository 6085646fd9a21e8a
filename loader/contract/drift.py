"""Which fields of a batch no column takes, by a look at its first records: a cheap sample. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import pyarrow as pa

from loader.contract.unknown import ANY, EACH, Place

SAMPLE = 200
"""Records of a batch that are looked at: half a millisecond of JSON of the usual size."""

SAMPLE_BYTES = 1 << 20
"""No more of them once so much text was read."""

FIELDS = 20
"""Unknown fields of one batch that are noted, the most frequent first."""

SHOWN = 200
"""Longest path of a field, in characters."""


class Unknown(NamedTuple):
    """A field that no column takes: in how many records it was seen, and where first."""

    field: str
    records: int
    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class Drift:
    """The unknown fields in `looked_at` records."""

    looked_at: int = 0
    fields: tuple[Unknown, ...] = ()

    def as_json(self) -> str | None:
        """The fields as the ledger keeps them; None without any."""
        return json.dumps([each._asdict() for each in self.fields]) if self.fields else None


def drift(places: Sequence[Place], records: pa.Table) -> Drift:
    """Look at the first records of a chunk (partition, offset, text); only JSON objects count."""
    seen: dict[str, Unknown] = {}
    looked_at = 0
    for partition, offset, value in _objects(records.slice(0, SAMPLE)):
        looked_at += 1
        for field in {name for place in places for name in _unknown(place, value)}:
            before = seen.get(field, Unknown(field, 0, partition, offset))
            seen[field] = before._replace(records=before.records + 1)
    often = sorted(seen.values(), key=lambda each: (-each.records, each.field))
    return Drift(looked_at, tuple(often[:FIELDS]))


def _objects(records: pa.Table) -> Iterator[tuple[int, int, dict[str, Any]]]:
    size = 0
    columns = (records[name].to_pylist() for name in ("partition", "offset", "text"))
    for partition, offset, text in zip(*columns, strict=True):
        size += len(text or "")
        if size > SAMPLE_BYTES:
            return
        try:
            value = json.loads(text or "null")
        except (ValueError, RecursionError):  # refused by the contract, with its reason
            continue
        if isinstance(value, dict):
            yield partition, offset, value


def _unknown(place: Place, value: dict[str, Any]) -> Iterator[str]:
    found: Iterable[Any] = [value]
    for step in place.steps:
        found = [below for each in found for below in _below(each, step)]
    for each in found:
        if isinstance(each, dict):
            yield from ((place.prefix + name)[:SHOWN] for name in each if name not in place.names)


def _below(value: Any, step: str) -> Iterable[Any]:
    if step == EACH:
        return value if isinstance(value, list) else ()
    if not isinstance(value, dict):
        return ()
    return value.values() if step == ANY else (value[step[1:]],) if step[1:] in value else ()
