"""What a producer knows: each record it sent, with its delivery report. The ground truth of a run."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from tests.oracle.held import Holdings, Place, nothing

if TYPE_CHECKING:
    from tests.oracle.topic import Record


class Sent(NamedTuple):
    """A record that the broker has taken; `kind` says what becomes of it: see KINDS."""

    partition: int
    offset: int
    id: str
    digest: bytes
    kind: str


KINDS = ("order", "twin", "conflict", "malformed", "aborted")
"""`malformed` records have no id that counts; `aborted` ones stood in a transaction that was aborted."""


def digest(value: bytes | None) -> bytes:
    """The SHA-256 of a value; a null value has one too."""
    return hashlib.sha256(b"null" if value is None else b"value" + value).digest()


def holds_what_was_sent(journal: Iterable[Sent], topic: Mapping[Place, Record]) -> None:
    """Raise AssertionError unless the topic is what the journal says: then no test can judge by it."""
    sent = {(entry.partition, entry.offset): entry for entry in journal}
    visible = {place for place, entry in sent.items() if entry.kind != "aborted"}
    nothing(visible - topic.keys(), "journal: acknowledged by the broker, yet not in the topic")
    nothing(topic.keys() - visible, "journal: in the topic, yet not sent or aborted")
    other = {place for place in visible if digest(topic[place].value) != sent[place].digest}
    nothing(other, "journal: other bytes in the topic than were sent")


def sorted_out(journal: Iterable[Sent], held: Holdings, key: str) -> None:
    """O1 by what was sent: one row for each id; its twins are duplicates, its rivals in quarantine.

    Raises AssertionError. Which of two rivals became the row is the loader's choice; a malformed
    record is in quarantine, also when a retry has made something of it.
    """
    entries = [entry for entry in journal if held.is_due((entry.partition, entry.offset))]
    rows = {str(row[key]): place for place, row in held.rows.items()}
    digests = {(entry.partition, entry.offset): entry.digest for entry in entries}
    wrong = {"without a row": set[Place](), "no duplicate": set[Place](), "not in quarantine": set[Place]()}
    for entry in entries:
        place = (entry.partition, entry.offset)
        row = rows.get(entry.id)
        if entry.kind == "aborted" or (row == place and entry.kind != "malformed"):
            continue
        if entry.kind != "malformed" and row is None:
            wrong["without a row"].add(place)
        elif entry.kind != "malformed" and digests.get(row) == entry.digest:
            wrong["no duplicate"] |= {place} - held.duplicates.keys()
        else:
            wrong["not in quarantine"] |= {place} - held.quarantine.keys()
    for what, places in wrong.items():
        nothing(places, f"O1: by the producer's journal: {what}")
