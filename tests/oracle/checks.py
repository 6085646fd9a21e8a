"""Decides whether a warehouse holds exactly what a topic holds (O1 to O5, see the package).

Each check raises AssertionError with its name and a few examples.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING

from tests.oracle.equal import same
from tests.oracle.held import Counts, Holdings, Index, Place, holdings, nothing

if TYPE_CHECKING:
    from tests.oracle.store import Row, Store
    from tests.oracle.topic import Record


@dataclass(frozen=True)
class Case:
    """A topic by place, what a warehouse holds of it, and what the configuration says about both.

    `skipped`: places of records that the configuration skips. `caught_up`: the topic was read to its
    end, so nothing may lie beyond the stored positions.
    """

    topic: Mapping[Place, Record]
    held: Holdings
    key: str
    skipped: frozenset[Place] = frozenset()
    caught_up: bool = True

    @cached_property
    def due(self) -> set[Place]:
        """The records that the pipeline says it has dealt with."""
        return {place for place in self.topic if self.held.is_due(place)}

    @property
    def counts(self) -> Counts:
        """How many records ended where."""
        return self.held.counts(len(self.due & self.skipped))


def case(
    records: Iterable[Record],
    store: Store,
    *,
    table: str = "orders",
    key: str = "order_id",
    skipped: Collection[Place] = (),
    pipeline: str | None = None,
    caught_up: bool = True,
) -> Case:
    """Read the warehouse and put it beside the topic."""
    topic = {(record.partition, record.offset): record for record in records}
    return Case(topic, holdings(store, table, key, pipeline), key, frozenset(skipped), caught_up)


def check_exact(
    records: Iterable[Record],
    store: Store,
    *,
    table: str = "orders",
    key: str = "order_id",
    skipped: Collection[Place] = (),
    pipeline: str | None = None,
    caught_up: bool = True,
    content: bool = True,
) -> Counts:
    """Assert O1 to O5 and return the counts.

    `content=False` leaves O4 out for the rows, for contracts that compute columns; the rest as in Case.
    """
    found = case(
        records, store, table=table, key=key, skipped=skipped, pipeline=pipeline, caught_up=caught_up
    )
    once(found)
    complete(found)
    no_ghosts(found)
    kept_whole(found)
    if content:
        equal(found)
    chained(found)
    return found.counts


def complete(found: Case) -> None:
    """O1: every record below the position is a row, a duplicate of a row, or in quarantine."""
    held, skipped, due = found.held, found.skipped, found.due
    if found.caught_up:
        behind = {(p, o) for p, o in found.topic if p not in held.offsets or o >= _next(held, p)}
        nothing(behind, "O1: records beyond the stored position")
    stands = held.rows.keys() | held.duplicates.keys() | held.quarantine.keys()
    nothing(stands & skipped, "O1: to be skipped, yet in the warehouse")
    nothing(due - stands - skipped, "O1: lost")
    _duplicates_have_their_row(found)


def once(found: Case) -> None:
    """O2: no place and no id twice. What a retry took out of quarantine stands as what it became."""
    held = found.held
    assert not held.twice, f"O2: {'; '.join(held.twice)}"
    still_open = {p for p, row in held.quarantine.items() if p in held.rows and row["state"] != "loaded"}
    nothing(still_open, "O2: both a row and in quarantine")
    places = Counter([*held.rows, *held.duplicates, *held.open_quarantine])
    nothing({place for place, times in places.items() if times > 1}, "O2: in two places at once")


def no_ghosts(found: Case) -> None:
    """O3: nothing in the warehouse that the topic does not hold."""
    held = found.held
    stands = held.rows.keys() | held.duplicates.keys() | held.quarantine.keys()
    nothing(stands - found.due, "O3: ghosts, not in the topic or beyond the position")


def kept_whole(found: Case) -> None:
    """O4: refused records are kept byte by byte."""
    topic, quarantine = found.topic, found.held.quarantine
    changed = {
        place for place, row in quarantine.items() if place in topic and row["value"] != topic[place].value
    }
    nothing(changed, "O4: bytes changed in quarantine")


def equal(found: Case) -> None:
    """O4: each column that the event has is as it was sent."""
    for place, row in found.held.rows.items():
        if place not in found.topic:  # a ghost: for O3
            continue
        sent = json.loads(found.topic[place].value or b"null", parse_float=Decimal)
        wrong = {
            name: (value, sent.get(name))
            for name, value in row.items()
            if not name.startswith("_") and not same(value, sent.get(name))
        }
        assert not wrong, f"O4: at {place} stored and sent differ: {wrong}"


def chained(found: Case) -> None:
    """O5 for each partition: the ledger says what the load did, whatever retries did later."""
    held = found.held
    strangers = {span["partition"] for span in held.spans} - held.offsets.keys()
    assert not strangers, f"O5: spans of partitions without a position: {strangers}"
    lies = {
        "loaded": Index(held.rows.keys() - held.quarantine.keys()),
        "duplicates": Index(held.duplicates.keys() - held.quarantine.keys()),
        "quarantined": Index(held.quarantine),
        "skipped": Index(found.skipped),
        "consumed": Index(found.due),
    }
    for partition, position in held.offsets.items():
        mine = (span for span in held.spans if span["partition"] == partition)
        spans = sorted(mine, key=lambda span: span["begin_offset"])
        _check_chain(partition, position, spans)
        for span in spans:
            _check_sums(span, lies)


def _next(held: Holdings, partition: int) -> int:
    return int(held.offsets[partition]["next_offset"])


def _duplicates_have_their_row(found: Case) -> None:
    """O1: a counted duplicate has a row with its id, unless that was undone and is still to be read."""
    held = found.held
    ids = {str(row[found.key]) for row in held.rows.values()}
    strays = {
        place
        for place, row in held.duplicates.items()
        if str(row["id"]) not in ids
        and not _is_undone((row.get("first_partition", -1), row.get("first_offset", -1)), held)
    }
    nothing(strays, "O1: duplicates of no row")


def _is_undone(place: Place, held: Holdings) -> bool:
    """Whether a record that was loaded once lies behind the position: a rewind took it back."""
    partition, offset = place
    return partition in held.offsets and offset >= _next(held, partition)


def _check_chain(partition: int, position: Row, spans: list[Row]) -> None:
    """O5: from the baseline to the position, each span begins where the one before ended."""
    edges = [position["baseline"], *(span["end_offset"] for span in spans)]
    begins = [*(span["begin_offset"] for span in spans), position["next_offset"]]
    broken = [(end, begin) for end, begin in zip(edges, begins, strict=True) if end != begin]
    assert not broken, f"O5: partition {partition}: a span ends at x, the next begins at y: {broken[:5]}"


def _check_sums(span: Row, lies: Mapping[str, Index]) -> None:
    """O5: what the ledger counted for a span is what lies in it."""
    lies_there = {name: index.inside(span) for name, index in lies.items()}
    counted = {name: span[name] for name in lies}
    assert counted == lies_there, f"O5: the ledger says {counted}, in fact {lies_there}: {span}"
    parts = sum(count for name, count in counted.items() if name != "consumed")
    assert span["consumed"] == parts, f"O5: consumed is not the sum of its parts: {span}"
    length = span["end_offset"] - span["begin_offset"]
    assert length == span["consumed"] + span["holes"], f"O5: consumed and holes do not fill the span: {span}"
