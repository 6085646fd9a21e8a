"""What a crontab line means, compared with croniter, and where clocks change."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from itertools import islice, takewhile
from zoneinfo import ZoneInfo

import pytest
from croniter import croniter

from loader.cron import parse

ZONES = (
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "America/Santiago",
    "Asia/Kolkata",
    "UTC",
)
CHOSEN = (
    "*/30 * * * *",
    "30 2 * * *",
    "0 3 * * *",
    "15 1-3 * * *",
    "30 */2 * * *",
    "0 0 * * 0",
    "0 0 * * 7",
    "5 4 * * sun",
    "0 12 * * 1-5",
    "0 12 * * mon-fri",
    "0 6 1 * *",
    "0 6 1,15 * 5",
    "0 6 */2 * 5",
    "0 6 13 * */2",
    "0 0 29 2 *",
    "45 23 31 jan,mar *",
    "0 9 * * 5-7",
    "@hourly",
    "@weekly",
    "@monthly",
)


def a_line(chance: random.Random) -> str:
    """Any line, without times that come every minute: a year of them takes long."""
    minute = chance.choice(["*/30", "0,15,45", str(chance.randrange(60))])
    fields = [_field(chance, *span) for span in ((0, 23), (1, 31), (1, 12), (0, 7))]
    return " ".join([minute, *fields])


def _field(chance: random.Random, low: int, high: int) -> str:
    first, last = sorted(chance.sample(range(low, high + 1), 2))
    some = ",".join(map(str, sorted(chance.sample(range(low, high + 1), 3))))
    step = f"*/{chance.randint(2, (high - low) // 2)}"
    return chance.choice(["*", "*", "*", step, str(first), f"{first}-{last}", some])


def year(line: str, zone: str) -> tuple[list[datetime], list[datetime]]:
    """The times of 2026 and a bit, by us and by croniter, in UTC."""
    place, end = ZoneInfo(zone), datetime(2027, 2, 1, tzinfo=UTC)
    start = datetime(2026, 1, 1, tzinfo=place)
    # cron itself takes a day field that begins with * as one that does not restrict; croniter calls it a bug
    theirs = croniter(line, start, max_years_between_matches=2, implement_cron_bug=True)
    return list(takewhile(lambda moment: moment < end, parse(line).after(start, place))), _upto(theirs, end)


def _upto(times: croniter, end: datetime) -> list[datetime]:
    found = []
    try:
        while (moment := times.get_next(datetime).astimezone(UTC)) < end:
            found.append(moment)
    except ValueError:
        pass  # croniter gives up where the next one is years away
    return found


@pytest.mark.parametrize("line", CHOSEN)
def test_a_year_is_as_croniter_says(line: str) -> None:
    """All times of a year with both clock changes."""
    ours, theirs = year(line, "Europe/Berlin")
    assert ours == theirs


@pytest.mark.parametrize("seed", range(12))
def test_any_line_is_as_croniter_says(seed: int) -> None:
    """A random line in a random zone, one with a clock change of half an hour among them."""
    chance = random.Random(seed)
    line, zone = a_line(chance), chance.choice(ZONES)
    ours, theirs = year(line, zone)
    assert ours == theirs, (line, zone)


def test_weekdays_are_those_of_crontab() -> None:
    """0 and 7 are Sunday and 1 is Monday; APScheduler's own count begins at Monday."""
    monday = datetime(2026, 3, 2, tzinfo=UTC)
    for text, day in (("0", 8), ("7", 8), ("1", 9), ("6", 7), ("sun", 8), ("fri-sun", 6)):
        found = next(parse(f"0 0 * * {text}").after(monday, ZoneInfo("UTC")))
        assert found == datetime(2026, 3, day, tzinfo=UTC), text


@pytest.mark.parametrize(
    ("line", "start", "found"),
    [
        ("30 2 * * *", "2026-03-28T12:00:00Z", ["2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"]),
        ("30 2 * * *", "2026-10-24T12:00:00Z", ["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"]),
        ("30 * * * *", "2026-03-29T00:00:00Z", ["2026-03-29T00:30:00Z", "2026-03-29T01:30:00Z"]),
    ],
)
@pytest.mark.fault(53)
def test_where_clocks_change(line: str, start: str, found: list[str]) -> None:
    """A time that does not exist runs at the change; one that comes twice runs twice; no hour is lost."""
    times = parse(line).after(datetime.fromisoformat(start), ZoneInfo("Europe/Berlin"))
    assert list(islice(times, 2)) == [datetime.fromisoformat(text) for text in found]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("* * * *", "five fields"),
        ("60 * * * *", "the minute goes from 0 to 59"),
        ("* * 0 * *", "the day of month goes from 1 to 31"),
        ("* * * * mo", "the weekday goes from 0 to 7"),
        ("5/15 * * * *", "a step needs a range"),
        ("*/0 * * * *", "a step needs a range"),
        ("9-5 * * * *", "ends before it begins"),
        ("1,,2 * * * *", "cannot read an empty part"),
        ("? * * * *", "cannot read ?"),
        ("0 0 31 4 *", "no day that exists"),
    ],
)
def test_what_is_no_crontab_line_is_refused(line: str, told: str) -> None:
    """In words that name the field."""
    with pytest.raises(ValueError, match=told.replace("?", r"\?")):
        parse(line)
