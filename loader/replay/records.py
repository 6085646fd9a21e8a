"""One record of a dataset, its key, and its line in a JSONL file.

A line is the value itself wherever that can stand as a line of text. What cannot (a tombstone, bytes
that are not UTF-8, a line break inside, a recorded time, headers or a key of its own) is wrapped:

    {"$record": {"key": "ORD1", "value": null}}
    {"$record": {"key": null, "value_base64": "eyL/…", "timestamp_ms": 1772323200000, "headers": {"source": "web"}}}

`key`, `value` and the values of `headers` are text or null; bytes that are not text stand in
`key_base64`, `value_base64` and, for a header, in `{"base64": "…"}`; `timestamp_ms` is milliseconds since 1970 in UTC. A wrapped record whose key is not
mentioned gets it from the value, as a plain line does.
"""  # noqa: E501 - an example line

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Iterable, Sequence
from itertools import repeat
from typing import Any, NamedTuple

MARK = b'{"$record":'
_KNOWN = {"key", "key_base64", "value", "value_base64", "timestamp_ms", "headers"}
KeyOf = Callable[[bytes], bytes | None]


class Record(NamedTuple):
    """What is sent to Kafka: key and value in bytes or None, recorded time in milliseconds since 1970."""

    key: bytes | None
    value: bytes | None
    timestamp_ms: int | None = None
    headers: dict[str, bytes | None] | None = None


Block = list[Record]


def block_of(
    keys: Iterable[bytes | None],
    values: Iterable[bytes | None],
    times_ms: Iterable[int | None],
    headers: Iterable[dict[str, bytes | None] | None],
) -> Block:
    """The records of these columns, made without a call of Python's own for each."""
    rows = zip(keys, values, times_ms, headers, strict=True)
    return list(map(tuple.__new__, repeat(Record), rows))


def key_reader(columns: Sequence[str] = ("order_id",)) -> KeyOf:
    """Return a function that takes the key out of a JSON value: the id's text, several joined by `|`.

    It answers None where the value is no JSON object or lacks a part of the id. A single id that opens
    the object is found without parsing the rest, so it is found in a truncated value too. Without columns
    no record has a key.
    """
    if not columns:
        return lambda _: None
    name = re.escape(columns[0]).encode()
    first = re.compile(rb'\s*\{\s*"%b"\s*:\s*"([^"\\\x00-\x1f]+)"' % name).match

    def quick(value: bytes) -> bytes | None:
        found = first(value)
        return found[1] if found else _parsed_key(value, columns)

    return quick if len(columns) == 1 else lambda value: _parsed_key(value, columns)


def _parsed_key(value: bytes, columns: Sequence[str]) -> bytes | None:
    try:
        fields = json.loads(value)
    except (ValueError, RecursionError):
        return None
    parts = [fields.get(column) for column in columns] if isinstance(fields, dict) else [None]
    if any(part is None or part == "" for part in parts):
        return None
    return "|".join(_key_text(part) for part in parts).encode(errors="surrogatepass")


def _key_text(part: Any) -> str:
    return part if isinstance(part, str) else json.dumps(part, separators=(",", ":"), sort_keys=True)


def to_line(record: Record, key_of: KeyOf) -> bytes:
    """Write a record as one line, without its line break."""
    if record.value is not None and _is_plain(record, record.value, key_of):
        return record.value
    return json.dumps(wrapped(record), separators=(",", ":")).encode()


def wrapped(record: Record) -> dict[str, Any]:
    """A record as the object that can hold all of it; members beside `$record` are not read again."""
    body: dict[str, Any] = {**_as_json("key", record.key), **_as_json("value", record.value)}
    if record.timestamp_ms is not None:
        body["timestamp_ms"] = record.timestamp_ms
    if record.headers:
        body["headers"] = {name: _header_json(value) for name, value in record.headers.items()}
    return {"$record": body}


def _is_plain(record: Record, value: bytes, key_of: KeyOf) -> bool:
    """Say whether reading `value` as a line gives exactly this record back."""
    if record.timestamp_ms is not None or record.headers or b"\n" in value or value != value.strip():
        return False
    return value != b"" and _is_text(value) and not value.startswith(MARK) and key_of(value) == record.key


def _is_text(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


def _as_json(name: str, value: bytes | None) -> dict[str, str | None]:
    if value is None or _is_text(value):
        return {name: None if value is None else value.decode()}
    return {f"{name}_base64": base64.b64encode(value).decode()}


def _header_json(value: bytes | None) -> Any:
    if value is None or _is_text(value):
        return None if value is None else value.decode()
    return {"base64": base64.b64encode(value).decode()}


def from_line(line: bytes, key_of: KeyOf) -> Record:
    """Read one line; ValueError, with the reason, if it is a wrapped record with a mistake in it."""
    if not line.startswith(MARK):
        return Record(key_of(line), line)
    body = json.loads(line).get("$record")
    if not isinstance(body, dict) or not {"value", "value_base64"} & body.keys():
        raise ValueError("$record must be an object with value or value_base64")
    if unknown := body.keys() - _KNOWN:
        raise ValueError(f"$record has an unknown member {min(unknown)!r}")
    value = _as_bytes(body, "value")
    keyed = {"key", "key_base64"} & body.keys()
    key = _as_bytes(body, "key") if keyed or value is None else key_of(value)
    return Record(key, value, _milliseconds(body), _headers(body))


def _as_bytes(body: dict[str, Any], name: str) -> bytes | None:
    coded = body.get(f"{name}_base64")
    return _text_bytes(body.get(name), name) if coded is None else _decoded(coded, f"{name}_base64")


def _text_bytes(text: Any, name: str) -> bytes | None:
    if text is not None and not isinstance(text, str):
        raise ValueError(f"$record.{name} must be text or null")
    return None if text is None else text.encode()


def _decoded(coded: Any, name: str) -> bytes:
    try:
        return base64.b64decode(coded, validate=True)
    except (binascii.Error, TypeError) as error:
        raise ValueError(f"$record.{name} is not base64: {error}") from error


def _milliseconds(body: dict[str, Any]) -> int | None:
    value = body.get("timestamp_ms")
    if value is not None and (type(value) is not int or value < 0):
        raise ValueError("$record.timestamp_ms must be a whole number of milliseconds since 1970")
    return value


def _headers(body: dict[str, Any]) -> dict[str, bytes | None] | None:
    headers = body.get("headers")
    if headers is not None and not isinstance(headers, dict):
        raise ValueError("$record.headers must be an object")
    return None if headers is None else {name: _header_bytes(name, text) for name, text in headers.items()}


def _header_bytes(name: str, text: Any) -> bytes | None:
    if isinstance(text, dict):
        return _decoded(text.get("base64"), f"headers.{name}.base64")
    return _text_bytes(text, f"headers.{name}")
