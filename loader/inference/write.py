"""A drafted contract as a configuration file, with comments that say what was seen. Pure."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from loader.inference.contract import Draft, DraftColumn
from loader.inference.seen import Seen
from loader.plural import counted
from loader.printable import printable

SHOWN = 24  # characters of a value in a comment
LINE = 100  # characters of a sentence in a comment
ALSO = 5  # other candidates that are named
_PLAIN = re.compile(r'"([A-Za-z_][A-Za-z0-9_]*)"')
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_TABLE = re.compile(r"[^A-Za-z0-9_]+")
RESERVED = frozenset({"loader", "main", "information_schema", "pg_catalog"})


@dataclass(frozen=True)
class Origin:
    """Where the sample came from, and what stands around the contract in the file."""

    bootstrap: str
    topic: str
    looked_at: int
    in_topic: int
    client: Mapping[str, str] = field(default_factory=dict)  # settings that are no secrets
    secrets: tuple[str, ...] = ()  # names of settings that are
    unusable: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)  # reasons for which records of the sample are

    @property
    def pipeline(self) -> str:
        """A pipeline's name made of the topic's."""
        return re.sub(r"^[^A-Za-z0-9]+", "", self.topic)[:100] or "pipeline"

    @property
    def table(self) -> str:
        """A table's name made of the topic's."""
        name = _TABLE.sub("_", self.topic).strip("_")[:LONGEST] or "events"
        return name if name[0].isalpha() and name.casefold() not in RESERVED else f"t_{name}"


LONGEST = 190  # characters of a table's name


def as_toml(draft: Draft, origin: Origin) -> str:
    """The whole file."""
    lines = [*_about(draft, origin), f"pipeline = {quoted(origin.pipeline)}", "", *_kafka(origin), ""]
    lines += [
        "[warehouse]",
        'path = "ducklake:sqlite:warehouse/catalog.sqlite"   # or "warehouse.duckdb"',
        'data = "warehouse/data"',
        "",
        *_table(draft, origin),
        "",
        "[table.columns]   # required unless said otherwise",
        *(_column(column, draft) for column in draft.columns),
        *(f"# {key(name)} = …   # left out: {why}" for name, why in draft.left_out.items()),
    ]
    return "\n".join(lines) + "\n"


def _about(draft: Draft, origin: Origin) -> list[str]:
    used = counted(draft.records, "records")
    lines = [
        f"# Made by `loader init` from {used} of up to {origin.in_topic:,} in the topic.",
        "# Look it through before you load: what differs from these records later is quarantined.",
    ]
    lines += [
        f"# Not used: {count:,} x {_comment(what, LINE)}" for what, count in origin.unusable.most_common()
    ]
    lines += [
        f"# Would still be refused: {count:,} x {_comment(why, LINE)}"
        for why, count in origin.refused.most_common()
    ]
    return lines


def _kafka(origin: Origin) -> list[str]:
    lines = ["[kafka]", f"bootstrap = {quoted(origin.bootstrap)}", f"topic = {quoted(origin.topic)}"]
    if origin.client or origin.secrets:
        lines += ["", "[kafka.client]", *(f"{quoted(n)} = {quoted(v)}" for n, v in origin.client.items())]
        lines += [
            f'# {quoted(name)} = {{ env = "NAME" }}   # a secret: not written here' for name in origin.secrets
        ]
    return lines


def _table(draft: Draft, origin: Origin) -> list[str]:
    lines = ["[table]", f"name = {quoted(origin.table)}", *_id(draft)]
    if draft.event_time:
        others = (name for name in draft.event_times if name != draft.event_time)
        lines.append(f"event_time = {quoted(draft.event_time)}   # when it happened{_also(others)}")
    return lines


def _id(draft: Draft) -> list[str]:
    """The id, or that every record is a row; in both cases why, and what else could be."""
    others = [" + ".join(each) for each in draft.id_candidates]
    if not draft.id:
        seen = counted(draft.records, "records")
        not_these = f" (not {', '.join(map(_comment, others[:ALSO]))})" if others else ""
        return [
            f"# No text or whole number is present in all of {seen} and unique{not_these}:",
            '# every record becomes a row. If you know better: id = "NAME" in place of the next line.',
            'duplicates = "off"',
        ]
    id_ = quoted(draft.id[0]) if len(draft.id) == 1 else json.dumps(list(draft.id), ensure_ascii=False)
    why = f"unique and present in all {draft.records:,}"
    if not draft.id_is_sure:
        why = f"A GUESS: {why}, but so few say little"
    return [f"id = {id_}   # {why}{_also(others)}"]


def _also(names: Any) -> str:
    known = list(names)
    more = f" and {len(known) - ALSO} more" if len(known) > ALSO else ""
    return f"; also possible: {', '.join(map(_comment, known[:ALSO]))}{more}" if known else ""


def _column(column: DraftColumn, draft: Draft) -> str:
    parts = [f"type = {_type(column.type.sql())}"]
    if column.zone:
        parts.append(f"zone = {quoted(column.zone)}")
    if not column.required:
        parts.append("required = false")
    if column.source:
        parts.append(f"from = {quoted(column.source)}")
    return f"{key(column.name)} = {{ {', '.join(parts)} }}   # {_seen(column.seen, draft.records)}"


def _type(text: str) -> str:
    """A type with as few quotes as it can do with."""
    plain = text if '""' in text else _PLAIN.sub(r"\1", text)
    return f"'{plain}'" if '"' in plain and "'" not in plain else quoted(plain)


def _seen(seen: Seen, records: int) -> str:
    """Share present, and the range or an example."""
    share = "all" if seen.present == records else f"{100 * seen.present / records:.3g} %"
    if seen.kind == "mixed":
        return f"in {share}; {', '.join(f'{count:,} {kind}' for kind, count in seen.kinds.most_common())}"
    zone = ""
    if seen.shapes["local"] and not seen.shapes["text"]:
        zone = f"; {seen.shapes['local']:,} without a zone"
    if seen.low is not None and seen.low != seen.high:
        return f"in {share}; {_comment(seen.low)} to {_comment(seen.high)}{zone}"
    return f"in {share}; such as {_comment(seen.example)}{zone}"


def _comment(value: Any, most: int = SHOWN) -> str:
    """A value in a comment: short, on one line, nothing that a terminal or TOML would act on."""
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict | bool) else str(value)
    short = text if len(text) <= most else f"{text[: most - 1]}…"
    return printable(short)


def key(name: str) -> str:
    """A key of TOML, in quotes where it needs them."""
    return name if _BARE.fullmatch(name) else quoted(name)


def quoted(text: str) -> str:
    """A text of TOML; what is not printable as an escape (TOML forbids DEL, which JSON allows)."""
    written = json.dumps(text, ensure_ascii=False)
    return "".join(each if each.isprintable() else f"\\U{ord(each):08X}" for each in written)
