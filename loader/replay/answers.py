"""The answer key of a generated dataset: where each record must end.

JSONL. The first line describes the whole:
{"format":"loader-answers-1","records":…,"expected":{"loaded","duplicates","quarantined","skipped"},
"tombstones":…,"generated":{…}}; then one line for each record, in the order of the dataset:
{"id":"ORD…","outcome":"loaded","content":{the order}}, {"id":"ORD…","outcome":"duplicate"} or
{"id":"ORD…","outcome":"quarantined","fault":"conflict"}. The id is null where no reader can tell it.
`quarantined` counts tombstones; a pipeline that skips them moves that number to `skipped`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from loader.errors import ConfigError
from loader.replay import faults

FORMAT = "loader-answers-1"
QUARANTINED = ("conflicts", "malformed", "tombstones", "missing")
_NAMES = ("", *faults.FAULTS)
_NO_ID = {
    "truncated", "invalid_utf8", "not_an_object", "schema_registry", "deep_nesting", "missing_order_id",
}  # fmt: skip
_LOADED = b'"outcome":"loaded","content":'


def header(records: int, expected: dict[str, int], tombstones: int, generated: dict[str, Any]) -> bytes:
    """Return the first line."""
    first = {
        "format": FORMAT, "records": records, "expected": expected,
        "tombstones": tombstones, "generated": generated,
    }  # fmt: skip
    return json.dumps(first, separators=(",", ":")).encode() + b"\n"


def lines(ids: list[str], texts: list[str], fault: list[int], turn: dict[int, int]) -> bytes:
    """Return the lines of consecutive records; `turn` numbers the records of each fault."""
    start = '{"id":"%s","outcome":"loaded","content":%s}'
    answer = [start % pair for pair in zip(ids, texts, strict=True)]
    for place, number in turn.items():
        answer[place] = _other(ids[place], _NAMES[fault[place]], number)
    answer.append("")
    return "\n".join(answer).encode()


def _other(order_id: str, fault: str, turn: int) -> str:
    if fault == "duplicates":
        return json.dumps({"id": order_id, "outcome": "duplicate"}, separators=(",", ":"))
    kind = fault.removesuffix("s")
    if fault == "malformed":
        kind = faults.malformed_kind(turn)
    if fault == "missing":
        kind = f"missing_{faults.missing_field(turn)}"
    line = {"id": None if kind in _NO_ID else order_id, "outcome": "quarantined", "fault": kind}
    return json.dumps(line, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Answers:
    """An answer key: the expected counts, and the file that holds the expected content."""

    file: Path
    records: int
    expected: dict[str, int]
    tombstones: int = 0

    def with_tombstones(self, policy: str) -> Answers:
        """Return the key for a pipeline whose `table.tombstones` is `quarantine` or `skip`."""
        if policy != "skip":
            return self
        moved = {
            "quarantined": self.expected["quarantined"] - self.tombstones,
            "skipped": self.expected["skipped"] + self.tombstones,
        }
        return Answers(self.file, self.records, self.expected | moved)

    def contents(self) -> Iterator[tuple[str, bytes]]:
        """Yield id and expected content (JSON) of each record that must be loaded."""
        with self.file.open("rb") as raw:
            next(raw)
            yield from _loaded(raw)


def _loaded(raw: IO[bytes]) -> Iterator[tuple[str, bytes]]:
    for line in raw:
        before, found, content = line.rstrip().partition(_LOADED)
        if found:
            yield json.loads(before[len(b'{"id":') : -1]), content[:-1]


def read_answers(file: Path) -> Answers:
    """Open an answer key; ConfigError if the file is missing or is none."""
    try:
        with file.open("rb") as raw:
            first = json.loads(raw.readline())
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", address=str(file)) from error
    except ValueError:
        first = None
    if not isinstance(first, dict) or first.get("format") != FORMAT:
        hint = "give the .answers.jsonl file that `loader generate` wrote beside the dataset"
        raise ConfigError("is not an answer key", address=f"{file}:1", hint=hint)
    return Answers(file, first["records"], first["expected"], first["tombstones"])
