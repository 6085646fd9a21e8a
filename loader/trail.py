"""Which batch is being worked on, so that whatever is logged meanwhile can name it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_BATCH: ContextVar[int | None] = ContextVar("batch", default=None)


@contextmanager
def about_batch(batch: int) -> Iterator[None]:
    """The block is about this batch (its id), in this thread."""
    token = _BATCH.set(batch)
    try:
        yield
    finally:
        _BATCH.reset(token)


def batch_under_way() -> int | None:
    """The id of the batch that this thread works on; None for none."""
    return _BATCH.get()
