"""From files, variables and options to a Config, or to one error with every mistake."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from loader.config import client
from loader.config.checks import findings
from loader.config.mistakes import Mistake, config_error, in_words
from loader.config.model import Config
from loader.config.sources import KeyPath, Merged, merge, resolve
from loader.config.values import is_pipeline_name
from loader.errors import ConfigError

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

    from loader.config.values import Toml, Tree

VARIABLE = "LOADER_CONFIG"
DEFAULT_FILE = "loader.toml"


def default_file(environ: Mapping[str, str] = os.environ) -> Path:
    """The configuration without -c: `$LOADER_CONFIG`, else `./loader.toml`."""
    return Path(environ.get(VARIABLE) or DEFAULT_FILE)


def load_config(
    path: Path | None = None, overrides: Sequence[str] = (), environ: Mapping[str, str] = os.environ
) -> Config:
    """Read the file (default: `$LOADER_CONFIG`, else `./loader.toml`) under environment and options.

    `overrides` are the texts given to `--set`. Raises ConfigError with all mistakes.
    """
    file = path or default_file(environ)
    merged = merge(_read(file), str(file), overrides, environ)
    return _build(merged, file.absolute().parent, file.absolute(), environ)


def config_from(tree: Tree, folder: Path, environ: Mapping[str, str] = os.environ) -> Config:
    """Make a Config from values already in memory; relative paths belong to `folder`."""
    return _build(Merged("configuration", _copy(tree)), folder.absolute(), None, environ)


def config_over(
    tree: Tree, folder: Path, overrides: Sequence[str], environ: Mapping[str, str] = os.environ
) -> Config:
    """Make a Config from values in memory, under environment and options as a file would be."""
    return _build(merge(_copy(tree), "configuration", overrides, environ), folder.absolute(), None, environ)


def _copy(value: Toml) -> Toml:
    if isinstance(value, Mapping):
        return {name: _copy(below) for name, below in value.items()}
    return [_copy(below) for below in value] if isinstance(value, list | tuple) else value


def _read(file: Path) -> Tree:
    what = ""
    try:
        return tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise _missing(file) from None
    except UnicodeDecodeError as error:
        what = f"is not UTF-8 text (at byte {error.start})"
    except (ValueError, RecursionError) as error:  # not TOML, or a number or a nesting beyond Python's limits
        what = _with_place(str(error))
    except OSError as error:
        what = f"cannot be read: {error.strerror}"
    raise config_error([Mistake(str(file), (), what)], str(file))


def _missing(file: Path) -> ConfigError:
    what = "there is no such configuration file"
    hint = "loader init --example" + ("" if str(file) == DEFAULT_FILE else f" {file}")
    return ConfigError(what, address=str(file), hint=hint, mistakes=(str(Mistake(str(file), (), what)),))


def _with_place(message: str) -> str:
    """`Invalid value (at line 3, column 5)` with the place first."""
    found = re.fullmatch(r"(.*) \(at (.*)\)", message, re.DOTALL)
    return f"{found[2]}: {found[1]}" if found else message


def _build(merged: Merged, folder: Path, file: Path | None, environ: Mapping[str, str]) -> Config:
    resolve(merged, folder, environ)
    _complete(merged)
    unresolved = {mistake.key for mistake in merged.mistakes}
    context = {"folder": folder, "file": file, "hidden": merged.hidden}
    config, errors = _validated(merged.tree, context)
    for error in errors:
        path = tuple(str(part) for part in error["loc"] if part != "[key]")
        if path not in unresolved:
            merged.fault(path, *in_words(error, secret=_is_secret(merged, path)))
    _check(merged)
    if config is None or merged.mistakes:
        raise config_error(merged.mistakes, merged.origin)
    return config


def _validated(tree: Tree, context: Mapping[str, Toml]) -> tuple[Config | None, list[ErrorDetails]]:
    """Outside of the exception's reach: it holds the values, and a traceback would show them."""
    try:
        return Config.model_validate(tree, context=dict(context)), []
    except ValidationError as error:
        return None, error.errors(include_url=False)


def _check(merged: Merged) -> None:
    """Add what only several keys show, except at keys that are wrong already."""
    known = {mistake.key for mistake in merged.mistakes}
    for finding in findings(merged.tree):
        if finding.path not in known:
            hidden = _holds_hidden(merged, finding.path)
            what = "is not valid" if hidden and finding.tells else finding.what
            merged.fault(finding.path, what, "" if hidden else finding.nearest)


def _is_secret(merged: Merged, path: KeyPath) -> bool:
    below = any(hidden == path[: len(hidden)] for hidden in merged.hidden)
    address = path in {("warehouse", "path"), ("warehouse", "data")}  # may hold a password one day
    return below or address or (path[:2] == ("kafka", "client") and client.is_secret(path[-1]))


def _holds_hidden(merged: Merged, path: KeyPath) -> bool:
    return _is_secret(merged, path) or any(path == hidden[: len(path)] for hidden in merged.hidden)


def _complete(merged: Merged) -> None:
    """Add sections that are missing, so that each missing key is told, and the default of `kafka.group`."""
    for section in ("kafka", "warehouse", "table"):
        merged.tree.setdefault(section, {})
    kafka, pipeline, table = merged.tree["kafka"], merged.tree.get("pipeline"), merged.tree["table"]
    if isinstance(table, dict) and table.get("duplicates") == "off":
        table.setdefault("id", [])
    if isinstance(kafka, dict) and "group" not in kafka:
        fits = isinstance(pipeline, str) and is_pipeline_name(pipeline)
        kafka["group"] = pipeline if fits else "unnamed"  # else the pipeline's own mistake is told, once
        if ("pipeline",) in merged.hidden:
            merged.hidden.add(("kafka", "group"))
