"""Spans chain, ends are cut, records that are not ours are dropped, going back is a restart."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pytest

from loader.errors import Restart
from loader.kafka.progress import Progress, last_offsets
from loader.model import CHUNK_SCHEMA, Position, Span


def records(*places: tuple[int, int]) -> pa.RecordBatch:
    """Records at these (partition, offset)."""
    rows = [{"partition": partition, "offset": offset} for partition, offset in places]
    return pa.RecordBatch.from_pylist(rows, schema=CHUNK_SCHEMA)


def places(found: pa.RecordBatch) -> Sequence[tuple[int, int]]:
    """Where the records stand."""
    return list(zip(found["partition"].to_pylist(), found["offset"].to_pylist(), strict=True))


def test_a_span_begins_where_the_last_one_ended() -> None:
    """Holes before and between belong to the span that passes them."""
    progress = Progress("t")
    progress.own({0: Position(5)})
    assert progress.spans([(0, 9, 1)]) == (Span(0, 5, 9, 1),)
    assert progress.spans([(0, 9, 1)]) == ()
    assert progress.spans([(0, 12, 2)]) == (Span(0, 9, 12, 2),)


def test_the_larger_of_position_and_event_counts() -> None:
    """An unknown position (below 0) does not hide the event."""
    progress = Progress("t")
    progress.own({0: Position(0)})
    assert progress.spans([(0, -1001, -1), (0, 4, 3)]) == (Span(0, 0, 4, 3),)
    assert progress.spans([(0, 8, 3), (0, 6, 2)]) == (Span(0, 4, 8, 3),)


def test_frozen_ends_cut_records_and_spans() -> None:
    """Nothing at or beyond an end is given."""
    progress = Progress("t", {0: 3, 1: 5})
    progress.own({0: Position(0), 1: Position(5)})
    assert progress.reached() == {1}
    assert places(progress.ours(records((0, 2), (0, 3), (0, 4), (1, 5)))) == [(0, 2)]
    assert progress.spans([(0, 5, 0), (1, 6, 0)]) == (Span(0, 0, 3, 0),)
    assert progress.reached() == {0, 1}


def test_what_is_not_ours_is_dropped() -> None:
    """Records of partitions that were taken away, or never ours, even with large numbers."""
    progress = Progress("t")
    progress.own({0: Position(0), 200: Position(0)})
    progress.drop([0])
    assert places(progress.ours(records((0, 0), (7, 1), (200, 0), (500, 3)))) == [(200, 0)]
    assert progress.spans([(0, 1, 0), (7, 2, 0)]) == ()
    assert progress.owned == {200}


@pytest.mark.parametrize("back", [[(0, 4)], [(0, 7), (0, 6)], [(0, 7), (0, 7)]])
def test_going_back_is_a_restart(back: list[tuple[int, int]]) -> None:
    """Offsets below our position, or not ascending, are not to be trusted."""
    progress = Progress("t")
    progress.own({0: Position(5)})
    with pytest.raises(Restart):
        progress.ours(records(*back))


def test_partitions_may_be_mixed() -> None:
    """Only the order within a partition counts."""
    progress = Progress("t")
    progress.own({0: Position(0), 1: Position(0)})
    mixed = records((0, 5), (1, 1), (0, 6), (1, 2))
    assert progress.ours(mixed) is mixed
    assert last_offsets(mixed) == {0: 6, 1: 2}


def test_no_records_at_all() -> None:
    """A chunk of events only."""
    progress = Progress("t")
    assert progress.ours(records()).num_rows == 0
    assert last_offsets(records()) == {}
