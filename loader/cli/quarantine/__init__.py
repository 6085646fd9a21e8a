"""`loader quarantine`: refused records, from the first look to the last word."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import typer

from loader.cli.quarantine.drop import drop
from loader.cli.quarantine.edit import edit
from loader.cli.quarantine.export import export
from loader.cli.quarantine.list import list_
from loader.cli.quarantine.retry import retry
from loader.cli.quarantine.show import show

app = typer.Typer(help="Refused records: list, show, edit, retry, drop, export.", no_args_is_help=True)
VERBS: dict[str, Callable[..., Any]] = {
    "list": list_,
    "show": show,
    "edit": edit,
    "retry": retry,
    "drop": drop,
    "export": export,
}
for _name, _function in VERBS.items():
    app.command(_name)(_function)
