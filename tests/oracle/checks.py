"""Decides whether a warehouse holds exactly what a topic holds (O1 to O5, see the package)."""

from __future__ import annotations

import json
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from tests.oracle.store import Row, Store
    from tests.oracle.topic import Record

Place = tuple[int, int]
"""(partition, offset)"""

SHOWN = 5  # examples in a message


class Counts(NamedTuple):
    """How many records ended where."""

    loaded: int
    duplicates: int
    quarantined: int
    skipped: int


class Holdings(NamedTuple):
    """What the warehouse says it holds, by place."""

    rows: dict[Place, Row]
    duplicates: dict[Place, Row]
    quarantine: dict[Place, Row]
    offsets: dict[int, Row]
    spans: list[Row]


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

    `skipped`: places of records that the configuration skips. `caught_up`: the topic was read to its
    end, so nothing may lie beyond the stored positions. `content=False` leaves O4 out for the rows,
    for contracts that compute columns.
    """
    held = holdings(store, table, key, pipeline)
    topic = {(record.partition, record.offset): record for record in records}
    due = {place for place in topic if _is_due(place, held.offsets)}
    if caught_up:
        _nothing(_behind(topic, held.offsets), "O1: records beyond the stored position")
    _check_places(due, held, set(skipped))
    _check_duplicates(held, key)
    _check_quarantine(topic, held)
    if content:
        _check_content(topic, held)
    _check_spans(due, held, set(skipped))
    refused = sum(not _became_something(place, held) for place in held.quarantine)
    return Counts(len(held.rows), len(held.duplicates), refused, len(due & set(skipped)))


def holdings(store: Store, table: str, key: str, pipeline: str | None = None) -> Holdings:
    """Read all tables; a place or an id that is twice in one of them fails O2."""
    where = f" WHERE pipeline = '{pipeline}'" if pipeline else ""
    rows = store.table(table)
    _unique((row[key] for row in rows), f"O2: {key} twice in {table}")
    spans = store.rows(f"SELECT * FROM loader.spans{where}")
    offsets = store.rows(f"SELECT * FROM loader.offsets{where}")
    return Holdings(
        rows=_by_place(rows, "_partition", "_offset", table),
        duplicates=_control(store, "duplicates", where),
        quarantine=_control(store, "quarantine", where),
        offsets={row["partition"]: row for row in offsets},
        spans=[span for span in spans if not span.get("voided_by")],
    )


def same(stored: object, sent: object) -> bool:
    """Whether a column holds what the JSON value said; numbers in `sent` are Decimal, never float."""
    if stored is None or sent is None or isinstance(stored, bool) or isinstance(sent, bool):
        return stored is sent
    for kind, equal in EQUAL.items():
        if isinstance(stored, kind):
            return equal(stored, sent)
    return str(stored) == str(sent)


def _same_struct(stored: Mapping[str, object], sent: object) -> bool:
    return isinstance(sent, Mapping) and all(same(value, sent.get(name)) for name, value in stored.items())


def _same_list(stored: list[object], sent: object) -> bool:
    return isinstance(sent, list) and len(stored) == len(sent) and all(map(same, stored, sent))


def _same_text(stored: str, sent: object) -> bool:
    """A text, or a column of type JSON."""
    if isinstance(sent, Mapping | list):
        return bool(json.loads(stored, parse_float=Decimal) == sent)
    return stored == str(sent)


EQUAL: dict[type, Callable[[Any, Any], bool]] = {
    date: lambda stored, sent: _moment(stored.isoformat()) == _moment(sent),  # a datetime is a date too
    Decimal: lambda stored, sent: _number(stored) == _number(sent),
    int: lambda stored, sent: _number(stored) == _number(sent),
    float: lambda stored, sent: _number(stored) == _number(sent),
    dict: _same_struct,
    list: _same_list,
    str: _same_text,
}
"""How a stored value of each type is compared."""


def _check_places(due: set[Place], held: Holdings, skipped: set[Place]) -> None:
    """O1 to O3 by place. What a retry took out of quarantine stands as what it became; its entry stays."""
    open_quarantine = {place for place in held.quarantine if not _became_something(place, held)}
    still_open = {p for p, row in held.quarantine.items() if p in held.rows and row["state"] != "loaded"}
    _nothing(still_open, "O2: both a row and in quarantine")
    found = Counter([*held.rows, *held.duplicates, *open_quarantine])
    _nothing({place for place, times in found.items() if times > 1}, "O2: in two places at once")
    _nothing(found.keys() & skipped, "O1: to be skipped, yet in the warehouse")
    _nothing(due - found.keys() - skipped, "O1: lost")
    _nothing(found.keys() - due, "O3: ghosts, not in the topic or beyond the position")


def _became_something(place: Place, held: Holdings) -> bool:
    """Whether a retry made a row or a duplicate of a quarantined record."""
    became_twin = place in held.duplicates and held.quarantine[place]["state"] == "duplicate"
    return place in held.rows or became_twin


def _check_duplicates(held: Holdings, key: str) -> None:
    """O1: a counted duplicate has a row with its id, unless that was undone and is still to be read."""
    ids = {str(row[key]) for row in held.rows.values()}
    strays = {
        place
        for place, row in held.duplicates.items()
        if str(row["id"]) not in ids
        and not _is_undone((row.get("first_partition", -1), row.get("first_offset", -1)), held)
    }
    _nothing(strays, "O1: duplicates of no row")


def _is_undone(place: Place, held: Holdings) -> bool:
    """Whether a record that was loaded once lies behind the position: a rewind took it back."""
    partition, offset = place
    return partition in held.offsets and offset >= held.offsets[partition]["next_offset"]


def _check_quarantine(topic: Mapping[Place, Record], held: Holdings) -> None:
    """O4: refused records are kept whole."""
    changed = {
        place
        for place, row in held.quarantine.items()
        if place in topic and row["value"] != topic[place].value
    }
    _nothing(changed, "O4: bytes changed in quarantine")


def _check_content(topic: Mapping[Place, Record], held: Holdings) -> None:
    """O4: each column that the event has is as it was sent."""
    for place, row in held.rows.items():
        sent = json.loads(topic[place].value or b"null", parse_float=Decimal)
        wrong = {
            name: (value, sent.get(name))
            for name, value in row.items()
            if not name.startswith("_") and not same(value, sent.get(name))
        }
        assert not wrong, f"O4: at {place} stored and sent differ: {wrong}"


def _check_spans(due: set[Place], held: Holdings, skipped: set[Place]) -> None:
    """O5 for each partition: the ledger says what the load did, whatever retries did later."""
    strangers = {span["partition"] for span in held.spans} - held.offsets.keys()
    assert not strangers, f"O5: spans of partitions without a position: {strangers}"
    found = {
        "loaded": Index(held.rows.keys() - held.quarantine.keys()),
        "duplicates": Index(held.duplicates.keys() - held.quarantine.keys()),
        "quarantined": Index(held.quarantine),
        "skipped": Index(skipped),
        "consumed": Index(due),
    }
    for partition, position in held.offsets.items():
        mine = (span for span in held.spans if span["partition"] == partition)
        spans = sorted(mine, key=lambda span: span["begin_offset"])
        _check_chain(partition, position, spans)
        for span in spans:
            _check_sums(span, found)


def _check_chain(partition: int, position: Row, spans: list[Row]) -> None:
    """O5: from the baseline to the position, each span begins where the one before ended."""
    edges = [position["baseline"], *(span["end_offset"] for span in spans)]
    begins = [*(span["begin_offset"] for span in spans), position["next_offset"]]
    assert edges == begins, f"O5: partition {partition}: spans end at {edges} but go on at {begins}"


def _check_sums(span: Row, found: Mapping[str, Index]) -> None:
    """O5: what the ledger counted for a span is what lies in it."""
    lies_there = {name: index.inside(span) for name, index in found.items()}
    counted = {name: span[name] for name in found}
    assert counted == lies_there, f"O5: the ledger says {counted}, in fact {lies_there}: {span}"
    parts = sum(count for name, count in counted.items() if name != "consumed")
    assert span["consumed"] == parts, f"O5: consumed is not the sum of its parts: {span}"
    length = span["end_offset"] - span["begin_offset"]
    assert length == span["consumed"] + span["holes"], f"O5: consumed and holes do not fill the span: {span}"


class Index:
    """Counts places within a span without looking at all of them."""

    def __init__(self, places: Iterable[Place]) -> None:
        self._offsets: dict[int, list[int]] = {}
        for partition, offset in sorted(places):
            self._offsets.setdefault(partition, []).append(offset)

    def inside(self, span: Row) -> int:
        """How many places lie in the half-open range of the span."""
        offsets = self._offsets.get(span["partition"], [])
        return bisect_left(offsets, span["end_offset"]) - bisect_left(offsets, span["begin_offset"])


def _is_due(place: Place, offsets: Mapping[int, Row]) -> bool:
    partition, offset = place
    position = offsets.get(partition)
    return position is not None and position["baseline"] <= offset < position["next_offset"]


def _behind(topic: Iterable[Place], offsets: Mapping[int, Row]) -> set[Place]:
    return {(p, o) for p, o in topic if p not in offsets or o >= offsets[p]["next_offset"]}


def _control(store: Store, name: str, where: str) -> dict[Place, Row]:
    return _by_place(store.rows(f"SELECT * FROM loader.{name}{where}"), "partition", "offset", name)


def _by_place(rows: list[Row], partition: str, offset: str, what: str) -> dict[Place, Row]:
    _unique(((row[partition], row[offset]) for row in rows), f"O2: (partition, offset) twice in {what}")
    return {(row[partition], row[offset]): row for row in rows}


def _unique(values: Iterable[object], message: str) -> None:
    _nothing({value for value, times in Counter(values).items() if times > 1}, message)


def _nothing(places: Collection[Any], message: str) -> None:
    assert not places, f"{message}: {len(places)}, such as {sorted(places)[:SHOWN]}"


def _number(value: object) -> Decimal | object:
    try:
        return Decimal(str(value))
    except InvalidOperation:
        return value


def _moment(sent: object) -> object:
    """A point in time; without a zone it is read as UTC. What is not a time stays as it is."""
    try:
        moment = datetime.fromisoformat(str(sent))
    except ValueError:
        return sent
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
