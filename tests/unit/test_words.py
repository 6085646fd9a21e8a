"""Results as people read them."""

from __future__ import annotations

from loader.cli.words import sentence

RESULT = {
    "outcome": "caught_up",
    "consumed": 1_200,
    "loaded": 1_000,
    "duplicates": 200,
    "quarantined": 0,
    "skipped": 0,
    "batches": 2,
    "seconds": 1.5,
    "records_per_second": 800,
    "phases": {"read": 0.25, "parse": 1.0, "commit": 0.125},
    "bytes": {"read": 3_450_000, "parse": 2_000_000, "write": 0},
}


def test_a_load_is_told_in_one_line() -> None:
    """What came, where it ended, how long it took."""
    told = "caught up: 1,200 records (1,000 loaded, 200 duplicates) in 2 batches, 1.5 s, 800/s"
    assert sentence(RESULT) == told


def test_with_profile_the_phases_come_in_a_second_line() -> None:
    """Each with its seconds, and its bytes where it has any."""
    first, second = sentence(RESULT, profiled=True).splitlines()
    assert first == sentence(RESULT)
    assert second == "phases: read 0.25 s, 3.5 MB; parse 1.00 s, 2.0 MB; commit 0.12 s"


def test_a_profile_of_nothing_says_so() -> None:
    """A load that had nothing to do."""
    nothing = {**RESULT, "consumed": 0, "batches": 0, "phases": {}, "bytes": {}}
    assert sentence(nothing, profiled=True).splitlines()[1] == "phases: no batch"
