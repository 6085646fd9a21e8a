"""Counts in sentences."""

from __future__ import annotations

import pytest

from loader.plural import counted


@pytest.mark.parametrize(
    ("number", "things", "said"),
    [
        (1, "batches", "1 batch"),
        (2, "batches", "2 batches"),
        (0, "records", "0 records"),
        (1, "quarantine entries", "1 quarantine entry"),
        (1, "more files", "1 more file"),
        (1_000, "rows", "1,000 rows"),
        (1, "loaded", "1 loaded"),
        (1, "files on disk", "1 file on disk"),
    ],
)
def test_one_is_not_many(number: int, things: str, said: str) -> None:
    """The noun is in the singular where there is one of it; a word that counts nothing stays."""
    assert counted(number, things) == said
