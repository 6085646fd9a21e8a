"""Pacing: when a record is due, told by a clock that the test holds."""

from __future__ import annotations

import pytest

from loader.errors import ConfigError
from loader.replay.pacing import make_pacing


class Clock:
    """A clock that stands still until it is set."""

    now = 100.0

    def __call__(self) -> float:
        """Return the time, in seconds."""
        return self.now


def test_flat_out_never_waits() -> None:
    """Without options every record is due at once."""
    assert make_pacing(None, None) is None


def test_a_rate_spaces_records_evenly() -> None:
    """At 10 per second the record after 5 others is due half a second after the first."""
    clock = Clock()
    pacing = make_pacing(10, None, clock)
    assert pacing.wait(0, None) == 0
    assert pacing.wait(5, None) == pytest.approx(0.5)
    clock.now = 100.5
    assert pacing.wait(5, None) == pytest.approx(0)


def test_a_rate_catches_up() -> None:
    """After a pause the records that are overdue are due now, so the rate holds over the whole run."""
    clock = Clock()
    pacing = make_pacing(10, None, clock)
    pacing.wait(0, None)
    clock.now = 110.0
    assert pacing.wait(50, None) < 0
    assert pacing.wait(101, None) == pytest.approx(0.1)


def test_the_recorded_rhythm_is_kept_faster() -> None:
    """Twenty times as fast, records 10 s apart are half a second apart."""
    clock = Clock()
    pacing = make_pacing(None, 20, clock)
    assert pacing.wait(0, 1_000_000) == 0
    assert pacing.wait(1, 1_010_000) == pytest.approx(0.5)


def test_records_without_a_time_or_out_of_order_are_due_at_once() -> None:
    """Neither a missing nor an older time holds up the others."""
    clock = Clock()
    pacing = make_pacing(None, 1, clock)
    assert pacing.wait(0, None) == 0
    assert pacing.wait(1, 1_000_000) == 0
    assert pacing.wait(2, 900_000) < 0
    assert pacing.wait(3, None) == 0
    assert pacing.wait(4, 1_002_000) == pytest.approx(2)


@pytest.mark.parametrize(("rate", "speed"), [(1, 1), (0, None), (-5, None), (None, 0), (float("nan"), None)])
def test_impossible_pacing_is_refused(rate: float | None, speed: float | None) -> None:
    """Both options at once, and anything that is not above zero, are mistakes of the command line."""
    with pytest.raises(ConfigError):
        make_pacing(rate, speed)
