"""Judges what stands around the tables (O6 to O11, see the package).

Each check raises AssertionError with its name and a few examples. Samples and looks were taken while
the loader was at work: see `tests/oracle/live.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.oracle.held import nothing

if TYPE_CHECKING:
    from tests.oracle.checks import Case
    from tests.oracle.files import Files

Offsets = Mapping[int, int]
"""Offsets by partition."""


class Sample(NamedTuple):
    """What Kafka's group had on record, and *after that* what the warehouse had committed.

    In this order, so that a commit in between makes the warehouse look ahead, never behind.
    """

    acknowledged: Offsets
    committed: Offsets


class Look(NamedTuple):
    """What one transaction of a reader saw of the newest batches: rows and ledger, rows by batch."""

    head: int
    rows: Mapping[int, int]
    ledger: Mapping[int, int]


def never_ahead(samples: Sequence[Sample]) -> None:
    """O6: Kafka's committed offsets are never ahead of the warehouse's, and neither goes back."""
    ahead = [
        f"{sample.acknowledged} in Kafka, {sample.committed} in the warehouse"
        for sample in samples
        if any(offset > sample.committed.get(number, 0) for number, offset in sample.acknowledged.items())
    ]
    nothing(ahead, "O6: Kafka is ahead of the warehouse")
    nothing(_going_back([sample.committed for sample in samples]), "O6: the warehouse went back")
    nothing(_going_back([sample.acknowledged for sample in samples]), "O6: Kafka went back")


def _going_back(series: Sequence[Offsets]) -> list[str]:
    """A coordinator that has just started may know nothing for a moment: what is missing did not go back."""
    return [
        f"{before} then {after}"
        for before, after in pairwise(series)
        if any(after.get(number, offset) < offset for number, offset in before.items())
    ]


def whole_batches(looks: Sequence[Look]) -> None:
    """O7: each look at a warehouse under way saw unions of whole batches, and the head never went back."""
    parts = [f"head {look.head}: rows {_only(look.rows, look.ledger)}, ledger {_only(look.ledger, look.rows)}"
             for look in looks if look.rows != look.ledger]  # fmt: skip
    nothing(parts, "O7: rows and ledger differ")
    back = [
        f"{before.head} then {after.head}" for before, after in pairwise(looks) if after.head < before.head
    ]
    nothing(back, "O7: the head went back")


def _only(these: Mapping[int, int], those: Mapping[int, int]) -> dict[int, int]:
    return {batch: rows for batch, rows in these.items() if those.get(batch) != rows}


def kept_what_was_told(samples: Sequence[Sample], committed: Offsets) -> None:
    """O8: whatever Kafka was ever told is in the warehouse, whatever died since."""
    highest: dict[int, int] = {}
    for sample in samples:
        for number, offset in sample.acknowledged.items():
            highest[number] = max(offset, highest.get(number, 0))
    lost = {number: offset for number, offset in highest.items() if offset > committed.get(number, 0)}
    nothing(list(lost.items()), f"O8: acknowledged, yet not in the warehouse ({committed})")


def files_sound(files: Files) -> None:
    """O9: each file that the warehouse names is there and readable, and no other is left."""
    nothing(files.missing, "O9: named, but not there")
    nothing(files.unreadable, "O9: named, but not readable as the catalogue says")
    nothing(files.strangers, "O9: there, but not named: orphans")


def no_lag(ends: Offsets, committed: Offsets) -> None:
    """O10: everything up to the last stable offset is loaded."""
    lag = {number: end - committed.get(number, 0) for number, end in ends.items()}
    nothing([(number, left) for number, left in lag.items() if left], "O10: lag that remains")


def says_the_same(found: Case, status: Mapping[str, Any], verify: Mapping[str, Any]) -> None:
    """O11: the loader's own numbers are those that the oracle has counted."""
    held, counts = found.held, found.counts
    assert "totals" in status, f"O11: no status: {status}"
    assert "partitions" in verify, f"O11: no proof: {verify}"
    committed = {number: row["next_offset"] for number, row in held.offsets.items()}
    ours = {
        "totals": counts._asdict(),
        "open": sum(row["state"] == "open" for row in held.quarantine.values()),
        "committed": committed,
        "consumed": len(found.due),
        "verify": True,
        "places": counts._asdict(),
        "ends": committed,
    }
    told = {
        "totals": status["totals"],
        "open": status["quarantine"]["open"],
        "committed": {row["partition"]: row["committed"] for row in status["partitions"]},
        "consumed": sum(row["consumed"] for row in verify["partitions"]),
        "verify": verify["ok"],
        "places": {name: sum(row[name] for row in verify["partitions"]) for name in counts._fields},
        "ends": {row["partition"]: row["end"] for row in verify["partitions"]},
    }
    differ = [
        f"{name}: it says {told[name]}, in fact {ours[name]}" for name in ours if told[name] != ours[name]
    ]
    nothing(differ, "O11: other numbers")
