"""`loader quarantine`: what was refused, and why."""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING, Annotated, Any

import typer

from loader.cli.words import printable
from loader.errors import ActionNeeded, ConfigError

if TYPE_CHECKING:
    from rich.text import Text

    from loader.cli.context import Context

app = typer.Typer(help="Refused records: list them, show one whole.", no_args_is_help=True)
POSITION = re.compile(r"(?:(.*)\[)?(\d+)(?:\]@|:)(\d+)")
STATES = ("open", "all")


@app.command("list")
def list_(
    ctx: typer.Context,
    reason: Annotated[str | None, typer.Option(help="Only this reason, as `amount: type`.")] = None,
    partition: Annotated[int | None, typer.Option(help="Only this partition.")] = None,
    state: Annotated[str, typer.Option(help="open, or all.")] = "open",
    limit: Annotated[int, typer.Option(min=1, help="At most so many entries.")] = 50,
) -> None:
    """List refused records, oldest first, each with all its reasons."""
    from loader.warehouse.reading import Reader

    context: Context = ctx.obj
    if state not in STATES:
        raise ConfigError(f"{state} is not one of {', '.join(STATES)}", address="--state")
    wanted = None if state == "all" else state
    with Reader(context.config()) as reader:
        rows = reader.of_pipeline(
            "read/quarantine_list", reason=reason, partition=partition, state=wanted, most=limit
        )
        total = reader.of_pipeline("read/open_count")[0]["records"]
        by_reason = {row["reason"]: row["records"] for row in reader.of_pipeline("read/open_reasons")}
    entries = [{**row, "reasons": json.loads(row["reasons"])} for row in rows]
    result = {"open": total, "by_reason": by_reason, "entries": entries}
    context.emit(result, lambda: _print(context, result))


def _print(context: Context, result: dict[str, Any]) -> None:
    from rich.table import Table

    topic = context.config().kafka.topic
    table = Table("position", "time", "id", "reasons")
    for entry in result["entries"]:
        place = f"{topic}[{entry['partition']}]@{entry['offset']}"
        reasons = "; ".join(reason["message"] for reason in entry["reasons"])
        table.add_row(*map(_safe, (place, entry["kafka_time"] or "", entry["id"] or "", reasons)))
    if result["entries"]:
        context.output.print(table)
    context.output.print(f"{result['open']:,} open, {len(result['entries']):,} shown")
    for name, records in result["by_reason"].items():
        context.output.print(_safe(f"{records:>9,} x {name}"))


def _safe(text: str) -> Text:
    """Text that is shown as it is: no markup, no emoji, nothing that a terminal would act on."""
    from rich.text import Text as Shown

    return Shown(printable(text))


@app.command("show")
def show(
    ctx: typer.Context,
    position: Annotated[str, typer.Argument(metavar="POSITION", help="As `orders[2]@1841` or `2:1841`.")],
) -> None:
    """Show one refused record whole: raw bytes, key, headers, position and reasons."""
    from loader.warehouse.reading import Reader

    context: Context = ctx.obj
    match = POSITION.fullmatch(position)
    if not match:
        raise ConfigError(f"{position} is not a position like orders[2]@1841 or 2:1841", address="POSITION")
    topic, partition, offset = match[1], int(match[2]), int(match[3])
    if topic and topic != context.config().kafka.topic:
        raise ConfigError(f"this pipeline's topic is {context.config().kafka.topic}", address=position)
    with Reader(context.config()) as reader:
        found = reader.of_pipeline("read/quarantine_show", partition=partition, offset=offset)
    if not found:
        message = "no such entry in the quarantine"
        raise ActionNeeded(message, address=position, hint="loader quarantine list")
    entry = entry_of(found[0])
    context.emit(entry, lambda: _print_entry(context, entry))


def entry_of(row: dict[str, Any]) -> dict[str, Any]:
    """An entry as --json prints it: bytes as text where they are, and as base64."""
    headers = [
        {"key": h["key"], **_bytes(_raw(h["value"]), "value")} for h in json.loads(row["headers"] or "[]")
    ]
    plain = {k: row[k] for k in ("partition", "offset", "kafka_time", "id", "state", "batch")}
    reasons = json.loads(row["reasons"])
    return {
        **plain,
        "reasons": reasons,
        **_bytes(row["key"], "key"),
        **_bytes(row["value"], "value"),
        "headers": headers,
    }


def _raw(encoded: str | None) -> bytes | None:
    return None if encoded is None else base64.b64decode(encoded)


def _bytes(raw: bytes | None, name: str) -> dict[str, Any]:
    """Bytes as text where they are text, and always exactly as base64."""
    if raw is None:
        return {name: None, f"{name}_base64": None}
    return {name: raw.decode(errors="backslashreplace"), f"{name}_base64": base64.b64encode(raw).decode()}


def _print_entry(context: Context, entry: dict[str, Any]) -> None:
    out = context.output
    place = f"{context.config().kafka.topic}[{entry['partition']}]@{entry['offset']}"
    for name, value in (
        ("position", place),
        ("kafka time", entry["kafka_time"]),
        ("state", entry["state"]),
        ("batch", entry["batch"]),
        ("id", entry["id"]),
        ("key", entry["key"]),
        *((f"header {h['key']}", h["value"]) for h in entry["headers"]),
        *(("reason", reason["message"]) for reason in entry["reasons"]),
        ("value", entry["value"]),
    ):
        out.print(_safe(f"{name:>12}: {'(none)' if value is None else value}"))
