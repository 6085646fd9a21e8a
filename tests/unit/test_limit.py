"""The circuit breaker."""

from __future__ import annotations

from loader.model import Totals
from loader.warehouse.limit import Breaker


def totals(consumed: int, quarantined: int) -> Totals:
    """A batch."""
    return Totals(consumed=consumed, loaded=consumed - quarantined, quarantined=quarantined)


def test_it_trips_above_the_share_and_not_at_it() -> None:
    """limits.quarantine = 0.1: 100 of 1,000 pass, 101 do not."""
    breaker = Breaker(0.1, [])
    assert not breaker.trips(totals(1000, 100))
    assert breaker.trips(totals(1000, 101))


def test_below_a_hundred_records_it_says_nothing() -> None:
    """One of two records of a first try may be bad; 100 records are enough to judge."""
    assert not Breaker(0.1, []).trips(totals(99, 99))
    assert Breaker(0.1, []).trips(totals(100, 99))


def test_earlier_batches_weigh_in() -> None:
    """Small batches are judged together with the last 1,000 consumed records before them."""
    breaker = Breaker(0.1, [(1000, 0)])
    assert not breaker.trips(totals(10, 10))
    for _ in range(12):
        breaker.passed(totals(10, 10))
    assert breaker.trips(totals(10, 10))


def test_a_long_good_past_does_not_hide_a_bad_present() -> None:
    """Only about the last 1,000 records count, not the millions before."""
    breaker = Breaker(0.1, [(1000, 0)])
    breaker.passed(totals(1_000_000, 0))
    assert breaker.trips(totals(1_000, 300))
    assert not breaker.trips(totals(1_000, 200))


def test_it_can_be_told_to_let_one_run_pass() -> None:
    """--accept-quarantine."""
    assert not Breaker(0.1, [], accept=True).trips(totals(1000, 1000))


def test_what_was_accepted_does_not_weigh_in_later() -> None:
    """A stream with --accept-quarantine that is told so for a bad day goes on weighing what came before."""
    breaker = Breaker(0.1, [(200, 10)], accept=True)
    breaker.passed(totals(1000, 1000))
    assert breaker.error("orders", totals(100, 100), []).message.startswith(
        "100 of 100 records (110 of 300 with those before)"
    )


def test_what_was_mended_meanwhile_can_be_recalled() -> None:
    """A worker that would stop looks at the ledger again: what was mended does not weigh any more."""
    breaker = Breaker(0.1, [(100, 50)])
    assert breaker.trips(totals(10, 1))
    breaker.recall([(100, 0)])
    assert not breaker.trips(totals(10, 1))


def test_a_clean_batch_always_passes() -> None:
    """After a bad past, a batch without a refused record must not be stopped."""
    assert not Breaker(0.1, [(100, 100)]).trips(totals(100, 0))
