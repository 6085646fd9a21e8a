"""The bounded queue between the reader's thread and the engine's: memory is bounded by waiting.

Chunks count against the limit; requests and failures pass freely, but never overtake chunks.
What has been given is settled when the engine asks for the next: then everything before it is
committed or kept by the batcher, and a partition that is being taken away can be let go.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from loader.model import Chunk, Position


@dataclass(frozen=True, slots=True)
class Failure:
    """The reader has stopped; `error` is a Python exception or a fault that the source looks into."""

    error: Exception


@dataclass(slots=True, eq=False)
class Request:
    """New partitions wait for the positions they begin at; `answer` is None when that failed."""

    partitions: Collection[int]
    answer: Mapping[int, Position] | None = None
    answered: bool = False


Item = Chunk | Request | Failure


class Handover:
    """One writer (the reader's thread), one reader (the engine's). Limits in bytes and records."""

    def __init__(self, max_bytes: int, max_records: int) -> None:
        self._limits = (max_bytes, max_records)
        self._items: deque[Item] = deque()
        self._changed = threading.Condition()
        self._bytes = 0
        self._records = 0
        self._put = 0
        self._given = 0
        self._settled = 0
        self.closed = False

    # the reader's side

    def wait_for_room(self, timeout: float) -> bool:
        """Whether there is room for another chunk (or nobody wants one any more)."""
        with self._changed:
            return self._changed.wait_for(lambda: self.closed or self._has_room(), timeout)

    def put(self, item: Item) -> None:
        """Add an item, beyond the limit too: see `wait_for_room`."""
        with self._changed:
            self._items.append(item)
            self._put += 1
            if isinstance(item, Chunk):
                self._bytes += item.records.get_total_buffer_size()
                self._records += item.records.num_rows
            self._changed.notify_all()

    def ask(self, partitions: Collection[int], timeout: float) -> Mapping[int, Position] | None:
        """Where these partitions begin, answered by the engine's thread; None when it cannot tell."""
        request = Request(partitions)
        self.put(request)
        with self._changed:
            self._changed.wait_for(lambda: self.closed or request.answered, timeout)
            return request.answer

    def wait_until_settled(self, timeout: float) -> bool:
        """Whether everything put so far is settled."""
        with self._changed:
            mark = self._put
            done = self._changed.wait_for(lambda: self.closed or self._settled >= mark, timeout)
            return done and not self.closed

    # the engine's side

    def settle(self) -> None:
        """Everything given so far is settled."""
        with self._changed:
            self._settled = self._given
            self._changed.notify_all()

    def get(self, timeout: float) -> Item | None:
        """The next item, or None after `timeout` seconds."""
        with self._changed:
            self._changed.wait_for(lambda: self.closed or bool(self._items), timeout)
            if not self._items:
                return None
            item = self._items.popleft()
            self._given += 1
            if isinstance(item, Chunk):
                self._bytes -= item.records.get_total_buffer_size()
                self._records -= item.records.num_rows
                self._changed.notify_all()
            return item

    def answer(self, request: Request, positions: Mapping[int, Position] | None) -> None:
        """Answer a request; None says that its partitions cannot be begun."""
        with self._changed:
            request.answer, request.answered = positions, True
            self._changed.notify_all()

    def close(self) -> None:
        """Let every waiting side go; what is inside is dropped."""
        with self._changed:
            self.closed = True
            self._items.clear()
            self._changed.notify_all()

    def _has_room(self) -> bool:
        max_bytes, max_records = self._limits
        return self._bytes < max_bytes and self._records < max_records
