"""The set of hashes: absent is certain, whatever its size, and wherever it lives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loader.warehouse import fingerprints
from loader.warehouse.fingerprints import ABSENT, ANYWHERE, Fingerprints

PLENTY = 1 << 40


def hashes(*numbers: int) -> fingerprints.Hashes:
    """Numbers as hashes."""
    return np.array(numbers, np.uint64)


def tagged(count: int, tag: int) -> np.ndarray:
    """The same tag for so many."""
    return np.full(count, tag, np.uint16)


def many(count: int, seed: int) -> fingerprints.Hashes:
    """Hashes as good as DuckDB's."""
    return np.random.default_rng(seed).integers(0, 2**64, count, dtype=np.uint64)


@given(st.lists(st.sets(st.integers(0, 2**64 - 1), max_size=40), max_size=8), st.booleans())
def test_what_was_added_is_found_with_its_tag(batches: list[set[int]], first_stays: bool) -> None:
    """Any hashes, 0 and neighbours included, in any order; of two tags the first stays, or it is anywhere."""
    found = Fingerprints(PLENTY, Path("unused"))
    expected: dict[int, int] = {}
    for tag, batch in enumerate(batches, 1):
        for _ in range(2):
            found.add(hashes(*batch), tagged(len(batch), tag), first_stays=first_stays)
        known = {each: tag if each not in expected else ANYWHERE for each in batch}
        expected = known | expected if first_stays else expected | known
    assert found.find(hashes(*expected)).tolist() == list(expected.values())


def test_two_tags_in_one_addition_or_in_two_tables_are_anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Side by side, or when the first one stands in a table that is full."""
    monkeypatch.setattr(fingerprints, "FIRST_ROOM", 100)
    found = Fingerprints(PLENTY, Path("unused"))
    found.add(hashes(5, 6, 5), np.array([1, 1, 2], np.uint16), first_stays=False)
    found.add(many(1_000, seed=4), tagged(1_000, 3), first_stays=False)
    found.add(hashes(6, 7), tagged(2, 9), first_stays=False)
    assert found.find(hashes(5, 6, 7)).tolist() == [ANYWHERE, ANYWHERE, 9]


def test_an_empty_set_knows_nothing() -> None:
    """Also not 0, which is what a free slot holds."""
    assert Fingerprints(PLENTY, Path("unused")).find(hashes(0, 1, 2**64 - 1)).tolist() == [ABSENT] * 3


def test_it_grows_without_forgetting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many times the first room: everything is found, and hardly anything else."""
    monkeypatch.setattr(fingerprints, "FIRST_ROOM", 1_000)
    known = Fingerprints(PLENTY, Path("unused"))
    all_of_them = many(50_000, seed=1)
    for begin in range(0, 50_000, 700):
        part = all_of_them[begin : begin + 700]
        known.add(part, tagged(len(part), 1 + begin // 700))
    assert (known.find(all_of_them) == 1 + np.arange(50_000) // 700).all()
    assert (known.find(many(50_000, seed=2)) != ABSENT).sum() <= 1
    assert 50_000 <= len(known) <= 55_000  # a few are counted twice


def test_what_exceeds_the_memory_lives_in_a_file_without_a_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The tables beyond the limit are files that no directory shows, and answer as the others."""
    monkeypatch.setattr(fingerprints, "FIRST_ROOM", 1_000)
    known = Fingerprints(10_000, tmp_path / "spill")
    all_of_them = many(5_000, seed=3)
    known.add(all_of_them, tagged(5_000, 7))
    inside, outside = known.sizes()
    assert 0 < inside <= 10_000 < outside
    assert (known.find(all_of_them) == 7).all()
    assert list((tmp_path / "spill").iterdir()) == []


def test_no_room_on_the_disk_is_an_error_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Not a signal (SIGBUS) when a page is touched later."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(fingerprints.os, "posix_fallocate", full)
    with pytest.raises(OSError, match="No space left"):
        Fingerprints(0, tmp_path)
