"""One refused record, as programs and people read it."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from loader.cli.words import bytes_as_json
from loader.errors import ActionNeeded
from loader.printable import printable

if TYPE_CHECKING:
    from rich.text import Text

    from loader.config import Config
    from loader.contract import Contract
    from loader.warehouse.wanted import Place

Row = dict[str, Any]


def found(config: Config, place: Place, position: str) -> tuple[Row, Contract]:
    """The entry at a place, and the contract. Raises ActionNeeded where there is none."""
    from loader.warehouse.reading import Reader

    with Reader(config) as reader:
        rows = reader.of_pipeline("read/quarantine_show", **place._asdict())
        if not rows:
            message = "no such entry in the quarantine"
            raise ActionNeeded(message, address=position, hint="loader quarantine list --state all")
        return rows[0], reader.contract


def as_json(row: Row, contract: Contract) -> Row:
    """An entry as --json prints it: bytes as text where they are, and always exactly as base64."""
    facts = ("generation", "partition", "offset", "kafka_time", "id", "state", "batch")
    history = ("changed_by", "changed_at", "change", "note", "edited_at")
    return {
        **{name: row[name] for name in (*facts, *history)},
        "reasons": pointed(row, contract),
        **bytes_as_json(row["key"], "key"),
        **bytes_as_json(row["value"], "value"),
        **bytes_as_json(row["edited"], "edited"),
        "headers": [
            {"key": header["key"], **bytes_as_json(from_base64(header["value"]), "value")}
            for header in json.loads(row["headers"] or "[]")
        ],
    }


def judged(row: Row) -> bytes | None:
    """The value that the reasons are about: the edited one, once a retry has refused it."""
    again = row["edited"] is not None and row["state"] == "open" and row["changed_by"] is not None
    value: bytes | None = row["edited"] if again else row["value"]
    return value


def pointed(row: Row, contract: Contract) -> list[Row]:
    """The reasons, each with its place in the value (begin and end in characters), where it has one."""
    from loader.contract.places import broken_at, place_of

    raw = judged(row) or b""
    text = raw.decode(errors="backslashreplace")
    unsure = row["edited"] is not None and row["state"] != "open"
    reasons = []
    for reason in json.loads(row["reasons"]):
        place, detail = None, ""
        if reason["column"] is not None:
            place = place_of(text, contract, reason, surely=unsure)
        elif reason["rule"] == "utf8" and (bad := _first_bad_byte(raw)) is not None:
            place, detail = (bad[1], bad[1] + len(r"\xff")), f"at byte {bad[0] + 1}"
        elif reason["rule"] == "json" and text and (broken := broken_at(text)):
            place, detail = (broken[0], broken[0] + 1), f"at {_where(text, broken[0])}: {broken[1]}"
        reasons.append({**reason, "place": place, "detail": detail})
    return reasons


def _first_bad_byte(raw: bytes) -> tuple[int, int] | None:
    """Where it stands in the bytes, and where in the text that is shown for them."""
    try:
        raw.decode()
    except UnicodeDecodeError as error:
        return error.start, len(raw[: error.start].decode())
    return None


def _where(text: str, at: int) -> str:
    """A place in a text as people count: from 1, by lines where there are several."""
    line, character = text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)
    return f"line {line}, character {character}" if "\n" in text else f"character {character}"


def from_base64(encoded: str | None) -> bytes | None:
    """Bytes that the warehouse keeps as base64."""
    return None if encoded is None else base64.b64decode(encoded)


def shown(text: str) -> Text:
    """Text that is shown as it is: no markup, no emoji, nothing that a terminal would act on."""
    from rich.text import Text as Shown

    return Shown(printable(text))
