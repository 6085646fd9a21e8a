"""Checks before a partition is read: the topic is the one we know, our offset is in its log.

A new pipeline's first offsets are made durable before the first record is read, so that a crash
in between cannot move them. Whatever does not fit stops with the exact range and the command that
leads on; nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

import pyarrow as pa

from loader.errors import ActionNeeded, HeadMoved, OffsetsLost, OffsetsMoved, Restart, TopicReplaced
from loader.failpoints import fail_point
from loader.model import (
    CHUNK_SCHEMA,
    Batch,
    Identity,
    LogRange,
    Position,
    Receipt,
    Span,
    new_batch_id,
)
from loader.plural import counted
from loader.ports import P, S, Source, Warehouse
from loader.stopping import Stop

TRIES = 8  # to commit a gap; from the second on no other writer of this machine comes between
NAMED = 8  # partitions that a message names
NEW_PIPELINE = (
    "to load what is there now beside the old rows, give pipeline, kafka.group and table.name new names"
)


def begin(
    source: Source,
    warehouse: Warehouse[S, P],
    stop: Stop,
    committed: Callable[[Receipt], None],
    partitions: Collection[int],
) -> Mapping[int, Position]:
    """Where each assigned partition begins, by the warehouse, after all checks.

    Lost records are passed over only where `stop.accept_loss` names exactly their range: then the gap is
    committed, and told to `committed`. So is a topic that was created anew, if `stop.new_topic` names its id.
    Raises TopicReplaced, OffsetsLost, ActionNeeded (a new warehouse for a group that has already loaded
    somewhere), Restart (another worker was first at this moment).
    """
    identity, recorded = source.identity(), warehouse.recorded()
    if recorded is None and not stop.new_warehouse:
        _never_loaded(source, warehouse, identity)
    is_new_topic = bool(stop.new_topic) and _follows(identity, recorded, stop.new_topic)
    if is_new_topic:
        committed(_take_over(source, warehouse, identity))
    offsets = warehouse.offsets()
    if recorded and not is_new_topic:
        same_topic(identity, recorded, offsets)
    if missing := set(range(identity.partitions)) - offsets.keys():
        _record(source, warehouse, identity, missing, is_new=recorded is None)
        offsets = warehouse.offsets()
    if unknown := set(partitions) - offsets.keys():
        message = f"the broker that was asked does not know of the partitions {sorted(unknown)} yet"
        raise Restart(message)
    fail_point("in_assign")
    log = source.log(partitions)
    known = {partition: offsets[partition] for partition in partitions}
    gaps = _accepted(identity, known, log, stop.accept_loss)
    known |= {gap.partition: Position(gap.end) for gap in gaps}
    within_log(identity.topic, known, log)
    if gaps:
        committed(_pass_over(warehouse, gaps))
    return known


def not_undone(warehouse: Warehouse[S, P], reached: Mapping[int, int]) -> None:
    """Raise OffsetsMoved when the warehouse stands before an offset that we have reached: it was rewound."""
    for partition, position in warehouse.offsets().items():
        if position.offset < reached.get(partition, 0):
            message = f"partition {partition} was rewound to {position.offset}"
            raise OffsetsMoved(message)


def _accepted(
    identity: Identity, known: Mapping[int, Position], log: Mapping[int, LogRange], accepted: Sequence[Span]
) -> tuple[Span, ...]:
    """The gaps to record: what is lost, where exactly that was accepted. Raises OffsetsLost for other ranges.

    A range behind the committed offset was settled before: a process that is started again names it again.
    """
    gaps, topic = [], identity.topic
    for span in accepted:
        if span.partition >= identity.partitions:
            message = f"there is no such partition: the topic has {identity.partitions}, counted from 0"
            raise OffsetsLost(message, address=range_text(topic, span), hint="the same without --accept-loss")
        if span.partition not in known or span.end <= (at := known[span.partition].offset):
            continue
        low = log[span.partition].low
        if at >= low:
            message = f"no record is lost there: the next one to load is {at}, the log begins at {low}"
            raise OffsetsLost(message, address=range_text(topic, span), hint="the same without --accept-loss")
        gap = Span(span.partition, at, low)
        if (span.begin, span.end) != (at, low):
            raise records_lost(topic, [gap], f"--accept-loss names {span.begin}-{span.end}, but ")
        gaps.append(gap)
    return tuple(gaps)


def _pass_over(warehouse: Warehouse[S, P], gaps: tuple[Span, ...]) -> Receipt:
    """Commit the gaps as a batch without records. Raises Restart when others always were first."""
    nothing = pa.Table.from_batches([], schema=CHUNK_SCHEMA)
    staged = warehouse.stage(Batch(new_batch_id(), gaps, nothing, "accept"))
    split: P | None = None
    try:
        for _ in range(TRIES):
            split = warehouse.split(staged, split)
            try:
                return warehouse.commit(split)
            except HeadMoved:
                continue
    finally:
        warehouse.discard(staged)
    message = f"other writers committed first {TRIES} times in a row"
    raise Restart(message)


def _record(
    source: Source, warehouse: Warehouse[S, P], identity: Identity, missing: set[int], *, is_new: bool
) -> None:
    starts = source.starts(missing) if is_new else dict.fromkeys(missing, 0)
    try:
        warehouse.record(identity, starts)
    except HeadMoved as moved:
        message = "another worker recorded the first offsets at the same moment"
        raise Restart(message) from moved


def _never_loaded(source: Source, warehouse: Warehouse[S, P], identity: Identity) -> None:
    acknowledged = source.acknowledged()
    if warehouse.recorded() is None:  # still: another worker may have begun meanwhile
        not_loaded_elsewhere(identity.topic, acknowledged)


def not_loaded_elsewhere(topic: str, acknowledged: Mapping[int, int]) -> None:
    """Raise ActionNeeded where the group of a pipeline without a warehouse has acknowledged offsets."""
    if not acknowledged:
        return
    message = (
        f"the group has acknowledged offsets (sum {sum(acknowledged.values())}), but the warehouse is new; "
        "is the path of the warehouse right?"
    )
    raise ActionNeeded(message, address=topic, hint="--new-warehouse, if it shall begin anew")


def _follows(now: Identity, recorded: Identity | None, accepted: str) -> bool:
    """Whether the topic is to be taken over: another one than recorded, with the id that was accepted.

    A topic that is in force already was taken over before: a process that is started again names it again.
    Raises TopicReplaced for another id, ActionNeeded where nothing was loaded before.
    """
    if recorded is None:
        message = "--new-topic is for a topic that follows another one, but nothing was loaded here yet"
        raise ActionNeeded(message, address=now.topic, hint="the same without --new-topic")
    if now.topic_id != accepted:
        message = f"--new-topic names {accepted}, but the topic's id is {now.topic_id or 'not known'}"
        is_new = now.topic_id != recorded.topic_id
        hint = taking_over(now) if is_new else "the same without --new-topic: this topic was loaded so far"
        raise TopicReplaced(message, address=now.topic, hint=hint)
    if now.topic != recorded.topic:
        same_topic(now, recorded)
    if (now.cluster_id, now.topic_id) != (recorded.cluster_id, recorded.topic_id):
        return True
    if recorded.generation == 0:
        message = f"nothing has changed: {accepted} is the topic that was loaded so far"
        raise ActionNeeded(message, address=now.topic, hint="the same without --new-topic")
    return False


def _take_over(source: Source, warehouse: Warehouse[S, P], identity: Identity) -> Receipt:
    """Begin a new generation, from its first record or the time of `kafka.start` on.

    Raises Restart when another worker was first.
    """
    recorded, left = warehouse.recorded(), places_text(warehouse.offsets())
    assert recorded is not None  # noqa: S101 - seen by _follows
    moved = identity.cluster_id != recorded.cluster_id
    cluster = f", cluster {recorded.cluster_id} by {identity.cluster_id}" if moved else ""
    note = (
        f"{identity.topic}: topic id {recorded.topic_id} is followed by {identity.topic_id}{cluster}; "
        f"the old one was loaded up to {left}, what it held behind is not known"
    )
    try:
        starts = source.starts(range(identity.partitions), follows=True)
        return warehouse.take_over(identity, starts, note)
    except HeadMoved as moved:
        message = "another worker committed at the same moment"
        raise Restart(message) from moved


def same_topic(now: Identity, recorded: Identity, offsets: Mapping[int, Position] | None = None) -> None:
    """Raise TopicReplaced unless cluster, topic and topic id are the recorded ones.

    What the broker cannot tell (the in-process one) is not compared. More partitions are fine,
    fewer are not. `offsets` are the committed ones: the error says up to where the old topic was loaded.
    """
    for what, new, old, hint in (
        ("name", now.topic, recorded.topic, NEW_PIPELINE),
        ("cluster id", now.cluster_id, recorded.cluster_id, taking_over(now)),
        ("topic id", now.topic_id, recorded.topic_id, taking_over(now)),
    ):
        if new and old and new != old:
            message = f"not the topic that was loaded so far: its {what} is {new}, recorded is {old}"
            if offsets:
                left = places_text(offsets)
                message += f"; the old one was loaded up to {left}, what it held behind is not known"
            raise TopicReplaced(message, address=now.topic, hint=hint)
    if now.partitions < recorded.partitions:
        message = f"the topic has {counted(now.partitions, 'partitions')}, recorded are {recorded.partitions}"
        raise TopicReplaced(message, address=now.topic, hint=NEW_PIPELINE)


def taking_over(now: Identity) -> str:
    """The command that takes over a topic that was created anew; it names the topic exactly.

    Where the broker cannot tell topic ids, the new topic needs a pipeline of its own.
    """
    return f"loader load --new-topic {now.topic_id}" if now.topic_id else NEW_PIPELINE


def places_text(offsets: Mapping[int, Position]) -> str:
    """Committed offsets as people write them: `[0]@120, [1]@130`; many partitions are not all named."""
    every = [f"[{partition}]@{position.offset}" for partition, position in sorted(offsets.items())]
    more = f" and {len(every) - NAMED} more" if len(every) > NAMED else ""
    return ", ".join(every[:NAMED]) + more


def within_log(topic: str, known: Mapping[int, Position], log: Mapping[int, LogRange]) -> None:
    """Raise OffsetsLost when a committed offset is outside of its partition's log."""
    at = {partition: position.offset for partition, position in sorted(known.items())}
    if lost := [Span(p, offset, log[p].low) for p, offset in at.items() if offset < log[p].low]:
        raise records_lost(topic, lost)
    if short := [Span(p, log[p].end, offset) for p, offset in at.items() if offset > log[p].end]:
        raise log_truncated(topic, short)


def records_lost(topic: str, lost: Sequence[Span], before: str = "") -> OffsetsLost:
    """The error for ranges that are gone from the log: it names them as `--accept-loss` takes them."""
    first, more = lost[0], f"; and of {counted(len(lost) - 1, 'more partitions')}" if lost[1:] else ""
    message = (
        f"{before}offsets {first.begin} to {first.end} are gone from the log (up to "
        f"{counted(first.end - first.begin, 'records')}, retention or delete-records): the log begins at "
        f"{first.end}{more}"
    )
    flags = " ".join(f"--accept-loss '{range_text(topic, span)}'" for span in lost)
    address = f"{topic}[{first.partition}]@{first.begin}"
    return OffsetsLost(message, address=address, hint=f"loader load {flags}")


def log_truncated(topic: str, beyond: Sequence[Span]) -> OffsetsLost:
    """The error for logs that end before our offset; each span is from that end to our offset."""
    first, more = beyond[0], f"; so of {counted(len(beyond) - 1, 'more partitions')}" if beyond[1:] else ""
    message = (
        f"the log ends at {first.begin}, before our offset: it was truncated or re-created, "
        f"and what was loaded from {first.begin} to {first.end} is not in it any more{more}"
    )
    places = " ".join(f"--to-offset {span.partition}:{span.begin}" for span in beyond)
    address = f"{topic}[{first.partition}]@{first.end}"
    return OffsetsLost(message, address=address, hint=f"loader rewind {places} --yes")


def range_text(topic: str, span: Span) -> str:
    """A range as people write it: `orders[2]:100-250`; the end is the next offset behind it."""
    return f"{topic}[{span.partition}]:{span.begin}-{span.end}"
