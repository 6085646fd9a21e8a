"""Checks before a partition is read: the topic is the one we know, our offset is in its log.

A new pipeline's first offsets are made durable before the first record is read, so that a crash
in between cannot move them. Whatever does not fit stops with the exact range; nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from loader.errors import ActionNeeded, HeadMoved, OffsetsLost, Restart, TopicReplaced
from loader.failpoints import fail_point
from loader.model import Identity, LogRange, Position
from loader.ports import P, S, Source, Warehouse

NEW_PIPELINE = (
    "to load what is there now beside the old rows, give pipeline, kafka.group and table.name new names"
)


def begin(
    source: Source,
    warehouse: Warehouse[S, P],
    new_warehouse: bool,  # noqa: FBT001 - a flag of the command line
    partitions: Collection[int],
) -> Mapping[int, Position]:
    """Where each assigned partition begins, by the warehouse, after all checks.

    Raises TopicReplaced, OffsetsLost, ActionNeeded (a new warehouse for a group that has already
    loaded somewhere), Restart (another worker recorded the same first offsets at this moment).
    """
    identity, recorded = source.identity(), warehouse.recorded()
    if recorded is None and not new_warehouse:
        _never_loaded(source, warehouse, identity)
    if recorded:
        same_topic(identity, recorded)
    if missing := set(range(identity.partitions)) - warehouse.offsets().keys():
        _record(source, warehouse, identity, missing, is_new=recorded is None)
    fail_point("in_assign")
    known = warehouse.offsets()
    within_log(identity.topic, {p: known[p] for p in partitions}, source.log(partitions))
    return {partition: known[partition] for partition in partitions}


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
    if acknowledged and warehouse.recorded() is None:  # still: another worker may have begun meanwhile
        total = sum(acknowledged.values())
        message = (
            f"the group has acknowledged offsets (sum {total}), but the warehouse is new; "
            "is the path of the warehouse right?"
        )
        raise ActionNeeded(message, address=identity.topic, hint="--new-warehouse, if it shall begin anew")


def same_topic(now: Identity, recorded: Identity) -> None:
    """Raise TopicReplaced unless cluster, topic and topic id are the recorded ones.

    What the broker cannot tell (the in-process one) is not compared. More partitions are fine,
    fewer are not.
    """
    for what, new, old in (
        ("cluster id", now.cluster_id, recorded.cluster_id),
        ("name", now.topic, recorded.topic),
        ("topic id", now.topic_id, recorded.topic_id),
    ):
        if new and old and new != old:
            message = f"not the topic that was loaded so far: its {what} is {new}, recorded is {old}"
            raise TopicReplaced(message, address=now.topic, hint=NEW_PIPELINE)
    if now.partitions < recorded.partitions:
        message = f"the topic has {now.partitions} partitions, recorded are {recorded.partitions}"
        raise TopicReplaced(message, address=now.topic, hint=NEW_PIPELINE)


def within_log(topic: str, known: Mapping[int, Position], log: Mapping[int, LogRange]) -> None:
    """Raise OffsetsLost for the first partition whose committed offset is outside its log."""
    for partition, position in sorted(known.items()):
        low, end = log[partition].low, log[partition].end
        address = f"{topic}[{partition}]@{position.offset}"
        if position.offset < low:
            lost = low - position.offset
            message = (
                f"offsets {position.offset} to {low} are gone from the log (up to {lost} records, "
                f"retention or delete-records): the log begins at {low}"
            )
            raise OffsetsLost(message, address=address, hint=NEW_PIPELINE)
        if position.offset > end:
            message = (
                f"the log ends at {end}, before our offset: it was truncated or re-created, "
                f"and what was loaded from {end} to {position.offset} is not in it any more"
            )
            raise OffsetsLost(message, address=address, hint=NEW_PIPELINE)
