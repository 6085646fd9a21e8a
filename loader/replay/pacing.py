"""When the next record is due: at once, at a steady rate, or in the recorded rhythm."""

from __future__ import annotations

import time
from collections.abc import Callable

from loader.errors import ConfigError

Clock = Callable[[], float]


class AtRate:
    """So many records per second, counted from the first; a delay is caught up, never carried on."""

    def __init__(self, rate: float, clock: Clock = time.monotonic) -> None:
        self._rate, self._clock = rate, clock
        self._start: float | None = None

    def wait(self, sent: int, timestamp_ms: int | None) -> float:  # noqa: ARG002 - as Pace of the producer has it
        """Return the seconds until the record after `sent` others is due; 0 or less means now."""
        now = self._clock()
        if self._start is None:
            self._start = now
        return self._start + sent / self._rate - now


class Recorded:
    """The recorded times, `speed` times as fast; a record without a time, or an old one, is due at once."""

    def __init__(self, speed: float, clock: Clock = time.monotonic) -> None:
        self._speed, self._clock = speed, clock
        self._start: tuple[float, int] | None = None

    def wait(self, sent: int, timestamp_ms: int | None) -> float:  # noqa: ARG002 - as Pace of the producer has it
        """Return the seconds until the record is due; 0 or less means now."""
        if timestamp_ms is None:
            return 0.0
        now = self._clock()
        if self._start is None:
            self._start = now, timestamp_ms
        began, first_ms = self._start
        return began + (timestamp_ms - first_ms) / 1000 / self._speed - now


def make_pacing(
    rate: float | None, speed: float | None, clock: Clock = time.monotonic
) -> AtRate | Recorded | None:
    """Return the pacing for the options given, None for flat out.

    Raises ConfigError if both are given, or one is not above 0.
    """
    if rate is not None and speed is not None:
        raise ConfigError("--rate and --speed exclude each other", address="--rate")
    for name, value in (("--rate", rate), ("--speed", speed)):
        if value is not None and not value > 0:
            raise ConfigError(f"{value} is not above 0", address=name)
    if rate is not None:
        return AtRate(rate, clock)
    return None if speed is None else Recorded(speed, clock)
