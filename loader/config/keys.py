"""What keys there are, read from the models, and which of them is nearest to a wrong one."""

from __future__ import annotations

import json
import re
from difflib import get_close_matches
from functools import cache
from typing import TYPE_CHECKING, Annotated, NamedTuple, get_args, get_origin

from pydantic import BaseModel

from loader.config.model import Config

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic.fields import FieldInfo

COLUMN = "NAME"
"""Stands for any column name in the path of a documented key."""

FREE = frozenset({("kafka", "client"), ("table", "checks")})
"""Sections whose keys the user names."""

_BARE = re.compile(r"[A-Za-z0-9_-]+")


class Key(NamedTuple):
    """One key: `default` is TOML text, or `shown` text in round brackets, or empty if required."""

    path: str
    type: str
    default: str
    sentence: str


def dotted(path: tuple[str, ...]) -> str:
    """Write the path as TOML does: `kafka.client."sasl.username"`; `schedule[0].cron` in a list of tables."""
    if path[:1] in _lists() and len(path) > 1 and path[1].isdigit():
        return f"{path[0]}[{path[1]}]" + (f".{dotted(path[2:])}" if path[2:] else "")
    return ".".join(part if _BARE.fullmatch(part) else json.dumps(part, ensure_ascii=False) for part in path)


def documented_keys() -> list[Key]:
    """Every key in the order of the models; sections themselves are left out."""
    return [
        Key(dotted(path), kind(path), _default(field), field.description or "")
        for path, field in _fields().items()
        if field.description and path != ("table", "columns")
    ]


def kind(path: tuple[str, ...]) -> str:
    """Give the words that describe the type of a key; empty for sections and unknown keys."""
    if path[:2] in FREE and len(path) > 2:  # noqa: PLR2004 - a name below such a section
        return "text"
    field = _fields().get(_general(path))
    extra = field.json_schema_extra if field else None
    return str(extra.get("kind", "")) if isinstance(extra, dict) else ""


def is_section(path: tuple[str, ...]) -> bool:
    """Whether a table stands here, not a value."""
    general = _general(path)
    return not general or any(known[: len(general)] == general for known in _sections())


def nearest_key(path: tuple[str, ...]) -> str:
    """Find the most likely meant key, in the same section first and then in all; empty if none is near."""
    siblings = [known for known in _all() if known[:-1] == _general(path)[:-1]]
    for candidates in (siblings, _all()):
        by_name = {known[-1]: known for known in reversed(candidates) if known[-1] != COLUMN}
        near = get_close_matches(path[-1].casefold(), by_name, n=1)
        if near:
            found = by_name[near[0]]
            if found[:1] in _lists() and found[:1] == path[:1]:
                return dotted((*path[:-1], found[-1]))
            same_column = found[:2] == ("table", "columns") and path[:2] == found[:2]
            return dotted((*path[:-1], found[-1]) if same_column else found)
    return ""


def _general(path: tuple[str, ...]) -> tuple[str, ...]:
    """Replace the name of a column in the path by COLUMN, and drop the number in a list of tables."""
    if path[:1] in _lists() and path[1:2] and path[1].isdigit():
        return (path[0], *path[2:])
    return (*path[:2], COLUMN, *path[3:]) if path[:2] == ("table", "columns") and path[2:] else path


def _default(field: FieldInfo) -> str:
    if field.is_required() and not _shown(field):
        return ""
    if _shown(field):
        return f"({_shown(field)})"
    return "{}" if field.default == {} else json.dumps(field.default)  # a tuple becomes a list


def _shown(field: FieldInfo) -> str:
    extra = field.json_schema_extra
    return str(extra.get("shown", "")) if isinstance(extra, dict) else ""


@cache
def _fields() -> dict[tuple[str, ...], FieldInfo]:
    return dict(_walk(Config, ()))


@cache
def _sections() -> frozenset[tuple[str, ...]]:
    above = {path[:length] for path in _fields() for length in range(1, len(path))}
    return frozenset(above | FREE)


@cache
def _lists() -> frozenset[tuple[str, ...]]:
    """The lists of tables: `[[schedule]]`."""
    fields = Config.model_fields.items()
    return frozenset((name,) for name, field in fields if _origin(field.annotation) is tuple)


@cache
def _all() -> tuple[tuple[str, ...], ...]:
    return (*_fields(), ("table", "columns", COLUMN))


def _walk(model: type[BaseModel], path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], FieldInfo]]:
    for name, field in model.model_fields.items():
        here = (*path, field.alias or name)
        yield here, field
        below = _model_of(field.annotation)
        if below is not None:
            yield from _walk(below, (*here, COLUMN) if get_origin(field.annotation) is dict else here)


def _origin(annotation: object) -> object:
    return get_origin(get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation)


def _model_of(annotation: object) -> type[BaseModel] | None:
    if get_origin(annotation) is dict:
        annotation = get_args(annotation)[1]
    if get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    if get_origin(annotation) is tuple:
        annotation = get_args(annotation)[0]
    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None
