"""Where values come from: file < environment < --set, and `{ env = … }` or `{ file = … }`."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from loader.config import keys
from loader.config.mistakes import Mistake
from loader.config.section import located
from loader.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from loader.config.values import Toml, Tree

PREFIX = "LOADER__"
OPTION = "--set"
UNCHANGEABLE = "a list of tables cannot be overridden"

_KEY_PART = r"""(?:[A-Za-z0-9_-]+|"(?:[^"\\\n]|\\.)*"|'[^'\n]*')"""
_ASSIGNMENT = re.compile(rf"\s*({_KEY_PART}(?:\s*\.\s*{_KEY_PART})*)\s*=(.*)", re.DOTALL)

KeyPath = tuple[str, ...]


class Unresolved:
    """Stands where a reference could not be resolved; its mistake is known already."""


@dataclass
class Merged:
    """The values of all sources in one tree, and who gave which."""

    origin: str
    tree: Tree
    origins: dict[KeyPath, str] = field(default_factory=dict)
    hidden: set[KeyPath] = field(default_factory=set)
    mistakes: list[Mistake] = field(default_factory=list)

    def origin_of(self, path: KeyPath) -> str:
        """Name the variable or option that gave this key, else the file."""
        ways = (self.origins.get(path[:length]) for length in range(len(path), 0, -1))
        return next((origin for origin in ways if origin), self.origin)

    def fault(self, path: KeyPath, what: str, nearest: str = "") -> None:
        """Note a mistake at a key."""
        self.mistakes.append(Mistake(self.origin_of(path), path, what, nearest))

    def put(self, path: KeyPath, value: Toml, origin: str) -> None:
        """Set one key, whatever an earlier source said."""
        table: Toml = self.tree
        for length, part in enumerate(path[:-1], start=1):
            if part not in table:
                self._note_new(path[:length], origin)
            table = table.setdefault(part, {})
            if not isinstance(table, dict):
                what = "is not a table" if not isinstance(table, list) else UNCHANGEABLE
                self.mistakes.append(Mistake(origin, path[:length], what))
                return
        if _is_tables(table.get(path[-1])) or (not path[1:] and _is_tables(value)):
            self.mistakes.append(Mistake(origin, path, UNCHANGEABLE))
            return
        table[path[-1]] = value
        self.origins = {key: was for key, was in self.origins.items() if key[: len(path)] != path}
        self.origins[path] = origin

    def _note_new(self, path: KeyPath, origin: str) -> None:
        """Remember who made a column, or a table where none belongs."""
        is_column = path[:2] == ("table", "columns") and bool(path[2:])
        if is_column or not keys.is_section(path):
            self.origins[path] = origin


def _is_tables(value: Toml) -> bool:
    return isinstance(value, list) and any(isinstance(row, dict) for row in value)


def merge(tree: Tree, origin: str, overrides: Sequence[str], environ: Mapping[str, str]) -> Merged:
    """Lay the environment and the options over the tree of the file."""
    merged = Merged(origin, tree)
    for name in sorted(environ):
        if name.startswith(PREFIX):
            _from_environment(merged, name, environ[name])
    for text in overrides:
        _from_option(merged, text)
    return merged


def _from_environment(merged: Merged, name: str, value: str) -> None:
    parts = tuple(name.removeprefix(PREFIX).split("__"))
    if not all(parts):
        merged.mistakes.append(Mistake(name, (), "names no key; write LOADER__KAFKA__TOPIC for kafka.topic"))
        return
    path = tuple(part.casefold() for part in parts)
    if path[:2] == ("kafka", "client"):
        path = (*path[:2], *(part.replace("_", ".") for part in path[2:]))
    path = _as_written(merged.tree, path)
    merged.put(path, _value(value, textual=keys.kind(path) == "text", verbatim=True), name)


def _as_written(tree: Tree, path: KeyPath) -> KeyPath:
    """Give the path the case that the column has in the file: variables are upper case."""
    columns = tree.get("table", {}).get("columns", {}) if isinstance(tree.get("table"), dict) else {}
    if path[:2] != ("table", "columns") or len(path) == 2 or not isinstance(columns, dict):  # noqa: PLR2004
        return path
    name = next((name for name in columns if name.casefold() == path[2]), path[2])
    return (*path[:2], name, *path[3:])


def _from_option(merged: Merged, text: str) -> None:
    found = _ASSIGNMENT.fullmatch(text)
    path = _key_path(found[1]) if found else None
    if found is None or path is None:
        merged.mistakes.append(Mistake(OPTION, (), "must be KEY=VALUE, such as kafka.topic=orders"))
        return
    merged.put(path, _value(found[2].strip(), textual=keys.kind(path) == "text", verbatim=False), OPTION)


def _key_path(text: str) -> KeyPath | None:
    try:
        tree = tomllib.loads(f"{text} = 0")
    except tomllib.TOMLDecodeError:
        return None
    path: list[str] = []
    node: Toml = tree
    while isinstance(node, dict):
        part, node = next(iter(node.items()))
        path.append(part)
    return tuple(path)


def _value(text: str, *, textual: bool, verbatim: bool) -> Toml:
    """TOML if it is TOML, else the text; a key that takes text keeps `1e5` or `true` as written."""
    try:
        tree = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):  # not TOML, or an integer or a nesting beyond Python's limits
        return text
    value = tree["value"] if tree.keys() == {"value"} else text
    if not textual or is_reference(value) or (isinstance(value, str) and not verbatim):
        return value
    return text


def is_reference(value: object) -> bool:
    """Whether this is `{ env = "NAME" }` or `{ file = "PATH" }`."""
    if not isinstance(value, dict) or len(value) != 1:
        return False
    return all(name in {"env", "file"} and isinstance(target, str) for name, target in value.items())


def resolve(merged: Merged, folder: Path, environ: Mapping[str, str]) -> None:
    """Replace every reference by its text, and remember these keys as hidden."""
    for table, name, path in list(_references(merged.tree, ())):
        merged.hidden.add(path)
        ((source, target),) = table[name].items()
        text, what = _from_variable(environ, target) if source == "env" else _from_file(folder, target)
        if what:
            merged.fault(path, what)
        table[name] = Unresolved() if text is None else text


def _references(node: Toml, path: KeyPath) -> Iterator[tuple[Toml, Toml, KeyPath]]:
    """Holder, index and path of each reference; sections and column defaults are data, not references."""
    entries = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for name, value in entries:
        here = (*path, str(name))
        if here[:2] == ("table", "columns") and here[3:] == ("default",):
            continue
        if is_reference(value) and not keys.is_section(here):
            yield node, name, here
        else:
            yield from _references(value, here)


def _from_variable(environ: Mapping[str, str], name: str) -> tuple[str | None, str]:
    text = environ.get(name)
    return text, "" if text is not None else f"the environment variable {name} is not set"


def _from_file(folder: Path, name: str) -> tuple[str | None, str]:
    """Read the file's text without the line break at its end; a relative path belongs to `folder`."""
    try:
        text = located(folder, name).read_text(encoding="utf-8")
    except ConfigError as error:
        return None, f"cannot read the file {name}: {error.message}"
    except OSError as error:
        return None, f"cannot read the file {name}: {error.strerror}"
    except ValueError:
        return None, f"cannot read the file {name}: it is not UTF-8 text"
    return text.removesuffix("\n").removesuffix("\r"), ""
