"""The status as a person reads it: lines and a table, for a page or a live screen."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from loader.cli.freshness import sentence
from loader.cli.words import of_copy
from loader.plural import counted

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

SHOWN = 5  # reasons, gaps, fields
NARROW = 60
COLUMNS = ("partition", "committed", "low", "end", "lag")


def parts(
    result: dict[str, Any], most: int | None = None, width: int | None = None
) -> Iterator[RenderableType]:
    """The status, part by part; of more than `most` partitions those with the largest lag.

    In less than NARROW columns the table is a plain one without `low`.
    """
    from rich.text import Text

    for part in _parts(result, most, narrow=width is not None and width < NARROW):
        yield Text(part, overflow="fold") if isinstance(part, str) else part


def _parts(result: dict[str, Any], most: int | None, *, narrow: bool) -> Iterator[str | Table]:
    yield f"pipeline {result['pipeline']}: {result['state']}"
    if result["problem"]:
        yield result["problem"]
    if result["published_age_s"] is not None:
        yield f"({of_copy(result['published_age_s'])})"
    if result["partitions"]:
        yield from _partitions(result["partitions"], most, narrow=narrow)
    yield "totals: " + ", ".join(counted(count, name) for name, count in result["totals"].items())
    if last := result["last_batch"]:
        records = counted(last["consumed"], "records")
        yield f"last commit: {last['committed_at']} by {last['worker']}, {records}"
        yield f"lag: {_lag(result['lag'], result['event_time_lag_s'])}"
    if result["freshness"]:
        yield sentence(result["freshness"])
    yield from _quarantine(**result["quarantine"])
    yield from _schedule(result["schedule"], result["last_run"])
    yield from _derived(result["derived"])
    yield from _gaps(result["gaps"])
    yield from (f"new topic: {each['committed_at']}, {each['note']}" for each in result["topics"][1:])
    yield from _unknown(**result["unknown_fields"])


def _lag(records: int | None, event_age: float | None) -> str:
    """What waits in the topic, and how old the newest event in the warehouse is."""
    waiting = "unknown" if records is None else counted(records, "records")
    return waiting if event_age is None else f"{waiting}; the newest event is {event_age:,.0f} s old"


def _partitions(rows: list[dict[str, Any]], most: int | None, *, narrow: bool) -> Iterator[str | Table]:
    from rich import box
    from rich.table import Table

    shown, rest = rows, 0
    if most is not None and len(rows) > most:
        behind = sorted(rows, key=lambda row: -(row["lag"] or 0))[:most]
        shown, rest = [row for row in rows if row in behind], len(rows) - most
    names = [name for name in COLUMNS if not (narrow and name == "low")]
    table = (
        Table(*names, box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
        if narrow
        else Table(*names, box=box.HEAVY_HEAD)
    )
    for row in shown:
        table.add_row(*("?" if row[name] is None else f"{row[name]:,}" for name in names))
    yield table
    if rest:
        yield f"  and {rest} more partitions with no larger lag"


def _quarantine(open: int, by_reason: dict[str, int], **_: object) -> Iterator[str]:  # noqa: A002 - as in the result
    if not open:
        return
    yield f"quarantine: {open:,} open"
    reasons = list(by_reason.items())
    yield from (f"  {records:,} x {reason}" for reason, records in reasons[:SHOWN])
    if len(reasons) > SHOWN:
        yield f"  and {counted(len(reasons) - SHOWN, 'more reasons')}: loader quarantine list"


def _schedule(jobs: list[dict[str, Any]], last: dict[str, Any] | None) -> Iterator[str]:
    if jobs:
        yield "schedule (while `loader schedule` runs):"
    for job in jobs:
        at = f", next {job['next']}" if job["next"] else ""
        yield f"  {' '.join([job['job'], *job['args']])}: {job['when']}{at}"
    if last:
        said = f"{last['outcome'].replace('_', ' ')}, exit code {last['exit_code']}"
        yield f"last run: {last['job']} at {last['started_at']}, {said}: loader runs"


def _derived(tables: list[dict[str, Any]]) -> Iterator[str]:
    for row in tables:
        sent = f", {row['queued'] - row['waiting']:,} rows sent, {row['waiting']:,} waiting"
        yield f"derived: {row['table']}{sent if row['queued'] else ''}"


def _gaps(gaps: list[dict[str, Any]]) -> Iterator[str]:
    for gap in gaps[:SHOWN]:
        place = f"[{gap['partition']}]:{gap['begin']}-{gap['end']}"
        yield f"accepted gap: {place}, {counted(gap['end'] - gap['begin'], 'offsets')}, {gap['committed_at']}"
    if len(gaps) > SHOWN:
        yield f"  and {counted(len(gaps) - SHOWN, 'more accepted gaps')}: loader status --json"


def _unknown(policy: str, fields: list[dict[str, Any]]) -> Iterator[str]:
    if not fields:
        return
    sample = ", from a sample of each batch" if policy == "ignore" else ""
    yield f'fields in no column (unknown_fields = "{policy}"{sample}):'
    for each in fields[:SHOWN]:
        share = f"{each['share']:.1%} of {counted(each['looked_at'], 'records')}"
        yield f"  {each['field']}: first at {each['first']}, in {share}"
    if len(fields) > SHOWN:
        yield f"  and {len(fields) - SHOWN} more: loader status --json"
