"""What every section of the configuration is made of."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field

from loader.config import values
from loader.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable


def key(sentence: str, kind: str, *, shown: str = "", **rules: values.Toml) -> values.Toml:
    """Declare a key; `shown` describes a default that TOML cannot write."""
    return Field(description=sentence, json_schema_extra={"kind": kind, "shown": shown}, **rules)


def folder_of(context: values.Toml) -> Path:
    """The folder to which relative paths belong: that of the file, from the context of the validation."""
    return Path((context or {}).get("folder") or Path.cwd())


def located(folder: Path, text: str) -> Path:
    """A path of the configuration as an absolute one. Raises ConfigError for a ~ of no user."""
    try:
        return Path(os.path.normpath(folder / Path(text).expanduser()))
    except RuntimeError:
        raise ConfigError("there is no such user", address=text, hint="write the path without ~") from None


class Section(BaseModel):
    """A table of the file; unknown keys and values of another type are mistakes."""

    model_config = ConfigDict(
        strict=True, extra="forbid", frozen=True, validate_default=True, hide_input_in_errors=True
    )

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        """Show nothing: only Config knows which values were given as references."""
        return ()
