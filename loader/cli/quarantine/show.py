"""`loader quarantine show`: one refused record, whole, with a caret under each place that is wrong."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from loader.cli.quarantine import filters
from loader.cli.quarantine.entry import as_json, found, judged, shown
from loader.errors import ConfigError
from loader.printable import printable

if TYPE_CHECKING:
    from loader.cli.context import Context

BEFORE, WIDTH = 50, 100  # characters of the value around a caret
HEX_BYTES = 64  # of a value that is no text
LONGEST = 4_000  # characters of a value that are shown


def show(
    ctx: typer.Context,
    position: filters.Position,
    raw: Annotated[
        bool, typer.Option("--raw", help="Only the bytes of the value, as they came, for a file or pipe.")
    ] = False,
) -> None:
    """Show one refused record whole: bytes, key, headers, and every broken rule with its place."""
    context: Context = ctx.obj
    if raw and context.json:
        raise ConfigError(
            "--json has the bytes as value_base64", address="--raw", hint="leave one of the two out"
        )
    row, contract = found(context.config(), filters.place(context, position), position)
    if raw:
        sys.stdout.buffer.write(row["value"] or b"")
        return
    entry = as_json(row, contract)
    context.emit(entry, lambda: _print(context, entry, judged(row)))


def _print(context: Context, entry: dict[str, Any], value: bytes | None) -> None:
    text = (value or b"").decode(errors="backslashreplace")
    for name, line in _lines(context.config().kafka.topic, entry, text):
        context.output.print(shown(f"{name:>12}{':' if name else ' '} {line}"))


def _lines(topic: str, entry: dict[str, Any], text: str) -> Iterator[tuple[str, object]]:
    yield "position", f"{topic}[{entry['partition']}]@{entry['offset']}"
    yield "kafka time", entry["kafka_time"] or "(none)"
    yield "state", _state(entry)
    yield "batch", entry["batch"]
    if entry["changed_by"]:
        note = f": {entry['note']}" if entry["note"] else ""
        yield "changed by", f"{entry['change']} {entry['changed_by']} at {entry['changed_at']}{note}"
    yield "id", _or_none(entry["id"])
    yield "key", _or_none(entry["key"])
    for header in entry["headers"]:
        yield f"header {header['key']}", _or_none(header["value"])
    yield from _value("value", entry)
    if entry["edited"] is not None:
        yield from _value("edited", entry)
    for reason in entry["reasons"]:
        detail = f" ({reason['detail']})" if reason["detail"] else ""
        yield "reason", f"{reason['message']}{detail}"
        if reason["place"]:
            yield from (("", line) for line in caret(text, *reason["place"]))


def _state(entry: dict[str, Any]) -> str:
    if entry["edited"] is None:
        return str(entry["state"])
    what = "; a retry takes the edited value" if entry["state"] == "open" else ""
    return f"{entry['state']}, edited at {entry['edited_at']}{what}"


def _value(name: str, entry: dict[str, Any]) -> Iterator[tuple[str, object]]:
    import base64

    text = entry[name]
    long = text is not None and len(text) > LONGEST
    way = "--raw" if name == "value" else "--json"  # --raw gives the bytes as they came
    yield name, f"{text[:LONGEST]}… ({len(text):,} characters; {way} has all)" if long else _or_none(text)
    if text is not None:
        raw = base64.b64decode(entry[f"{name}_base64"])
        if raw != text.encode() or not text.replace("\n", "").isprintable():
            more = f" … {len(raw):,} bytes" if len(raw) > HEX_BYTES else ""
            yield "bytes", raw[:HEX_BYTES].hex(" ") + more


def _or_none(value: str | None) -> str:
    return "(none)" if value is None else value


def caret(text: str, begin: int, end: int) -> tuple[str, str]:
    """The line of a text around a place, and a line with carets under the place."""
    from rich.cells import cell_len

    line = text.rfind("\n", 0, begin) + 1
    stop = (text + "\n").index("\n", begin)
    left = max(line, begin - BEFORE)
    right = min(stop, left + WIDTH)
    middle = min(end, right)
    before = ("…" if left > line else "") + printable(text[left:begin])
    marked, after = printable(text[begin:middle]), printable(text[max(begin, middle) : right])
    more = "…" if right < stop else ""
    return before + marked + after + more, " " * cell_len(before) + "^" * max(1, cell_len(marked))
