"""What every verb gets: the global options, the configuration, and how to answer."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loader.cli.words import sentence
from loader.secrets import hide

if TYPE_CHECKING:
    from rich.console import Console

    from loader.config import Config

WIDE = 200  # columns of a table that goes into a file or a pipe


@dataclass
class Context:
    """The global options of one call; `verb` is filled in when it is known."""

    config_file: Path | None = None
    overrides: tuple[str, ...] = ()
    json: bool = False
    verbosity: int = 0
    log_format: str = "text"
    profile: bool = False  # whether the phases of a load are told, too
    verb: str = ""
    told: bool = False  # whether the result was printed
    _config: Config | None = field(default=None, repr=False)

    def config(self) -> Config:
        """The configuration, read once. Raises ConfigError with all mistakes."""
        if self._config is None:
            from loader.config import load_config

            self.use(load_config(self.config_file, self.overrides))
            assert self._config is not None  # noqa: S101 - just set
        return self._config

    def use(self, config: Config) -> None:
        """Use a configuration, which may have been made in memory; from now on its secrets are not told."""
        hide(config.secrets())
        self._config = config

    @cached_property
    def console(self) -> Console:
        """Where progress and messages for people go: stderr."""
        from rich.console import Console

        return Console(stderr=True, quiet=self.verbosity < 0, soft_wrap=True, highlight=False)

    @cached_property
    def output(self) -> Console:
        """Where the text result for people goes: stdout."""
        from rich.console import Console

        width = None if sys.stdout.isatty() else WIDE
        return Console(soft_wrap=True, highlight=False, width=width)

    def emit(self, result: dict[str, Any], text: Callable[[], None] | str) -> None:
        """Print the result: one JSON line with --json, else the text for people."""
        self.told = True
        if self.json:
            print_json({"command": self.verb, **result})
        elif callable(text):
            text()
        else:
            self.output.print(text, markup=False)

    def tell(self, result: dict[str, Any]) -> None:
        """Print the result of `load` or `run`."""
        self.emit(result, sentence(result, profiled=self.profile))


def print_json(result: dict[str, Any]) -> None:
    """Exactly one line with one JSON object on stdout."""
    sys.stdout.write(json.dumps(result, default=str, ensure_ascii=False) + "\n")
    sys.stdout.flush()
