"""Times of a crontab line: pure, in any time zone, with crontab's meaning of every field.

Weekdays are crontab's: 0 and 7 are Sunday. Where day of month and weekday are both given, either is
enough (crontab(5)). When clocks go forward, what would have run at a time that does not exist runs
once, at the change (a line for every hour needs no such run); when they go back, what stands in the
hour that comes twice runs twice.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache, lru_cache
from itertools import count
from zoneinfo import ZoneInfo

SHORTHANDS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
MONTHS = {
    name: number
    for number, name in enumerate(
        ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"], 1
    )
}
DAYS = {name: number for number, name in enumerate(["sun", "mon", "tue", "wed", "thu", "fri", "sat"])}
FIELDS: tuple[tuple[str, int, int, dict[str, int]], ...] = (
    ("minute", 0, 59, {}),
    ("hour", 0, 23, {}),
    ("day of month", 1, 31, {}),
    ("month", 1, 12, MONTHS),
    ("weekday", 0, 7, DAYS),
)
LONGEST_WAIT = 9 * 366  # days: 29 February may be eight years away
SUNDAY = 7
DAY = 24  # hours

_PART = re.compile(r"(\*|[0-9a-z]+(?:-[0-9a-z]+)?)(?:/([0-9]{1,4}))?")


@dataclass(frozen=True, slots=True)
class Crontab:
    """The allowed values of each field; weekdays as Python counts them in `isoweekday` modulo 7."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either_day: bool  # day of month and weekday are both restricted

    def has_day(self, day: date) -> bool:
        """Whether it runs on this date at all."""
        if day.month not in self.months:
            return False
        by_date, by_weekday = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        return by_date or by_weekday if self.either_day else by_date and by_weekday

    def on(self, day: date, zone: ZoneInfo) -> list[datetime]:
        """The moments of a local date, in UTC and in order."""
        return list(_on(self, day, zone)) if self.has_day(day) else []

    def after(self, moment: datetime, zone: ZoneInfo) -> Iterator[datetime]:
        """The moments after this one (with a zone), in UTC, without an end.

        Ends at once for a line that names no day that exists, such as 30 February.
        """
        first = moment.astimezone(zone).date() - timedelta(days=1)  # a date line may have been crossed
        idle = 0
        last = moment.astimezone(UTC)
        for number in count():
            times = [found for found in self.on(first + timedelta(days=number), zone) if found > last]
            yield from times
            last = times[-1] if times else last
            idle = 0 if times else idle + 1
            if idle > LONGEST_WAIT:
                return


@lru_cache(maxsize=64)  # a day is asked for again at each of its moments
def _on(line: Crontab, day: date, zone: ZoneInfo) -> tuple[datetime, ...]:
    walls = (datetime.combine(day, time(hour, minute)) for hour in line.hours for minute in line.minutes)
    moments = {moment for wall in walls for moment in _moments(wall, zone, hourly=len(line.hours) == DAY)}
    return tuple(sorted(moments))


def _moments(wall: datetime, zone: ZoneInfo, *, hourly: bool) -> set[datetime]:
    """The moments at which a clock of the zone shows this time; the change's own where none does."""
    early, late = (wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    if late < early:  # the clock jumps over it, between these two
        return set() if hourly else {_change(late, early, zone)}
    return {early, late}


def _change(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """The moment between two at which the zone's offset changes, to the second."""
    offset = before.astimezone(zone).utcoffset()
    low, high = 0, int((after - before).total_seconds())
    while high - low > 1:
        middle = (low + high) // 2
        same = (before + timedelta(seconds=middle)).astimezone(zone).utcoffset() == offset
        low, high = (middle, high) if same else (low, middle)
    return before + timedelta(seconds=high)


@cache
def parse(line: str) -> Crontab:
    """The five fields of a crontab line, or a shorthand such as @daily. Raises ValueError."""
    words = SHORTHANDS.get(line.strip().casefold(), line).casefold().split()
    if len(words) != len(FIELDS):
        raise ValueError(
            'must have five fields: minute, hour, day of month, month and weekday, as "*/5 * * * *"'
        )
    minutes, hours, days, months, weekdays = (
        _values(word, *field) for word, field in zip(words, FIELDS, strict=True)
    )
    found = Crontab(
        minutes=tuple(sorted(minutes)),
        hours=tuple(sorted(hours)),
        days=frozenset(days),
        months=frozenset(months),
        weekdays=frozenset(day % 7 for day in weekdays),
        either_day=not words[2].startswith("*") and not words[4].startswith("*"),
    )
    if next(found.after(datetime(2024, 1, 1, tzinfo=UTC), ZoneInfo("UTC")), None) is None:
        raise ValueError("names no day that exists")
    return found


def _values(word: str, name: str, low: int, high: int, names: dict[str, int]) -> set[int]:
    values: set[int] = set()
    for part in word.split(","):
        match = _PART.fullmatch(part)
        if not match:
            raise ValueError(f"cannot read {part or 'an empty part'} as a {name}")
        span, step = match[1], int(match[2] or 1)
        first, last = (low, high) if span == "*" else _span(span, name, low, high, names)
        if step < 1 or (match[2] and first == last):
            raise ValueError(f"a step needs a range or *, as */{step or 5}, in the {name}")
        values |= set(range(first, last + 1, step))
    return values


def _span(text: str, name: str, low: int, high: int, names: dict[str, int]) -> tuple[int, int]:
    numbers = [names.get(end, int(end) if end.isascii() and end.isdigit() else -1) for end in text.split("-")]
    if any(not low <= number <= high for number in numbers):
        raise ValueError(f"the {name} goes from {low} to {high}, and {text} does not")
    first, last = numbers[0], numbers[-1]
    if name == "weekday" and last == 0 < first:
        last = SUNDAY  # fri-sun
    if first > last:
        raise ValueError(f"the range {text} of the {name} ends before it begins")
    return first, last
