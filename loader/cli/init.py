"""`loader init`: write a configuration to begin with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from loader.errors import ActionNeeded, ConfigError
from loader.statements import shipped


def init(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(help="File to write.")] = Path("loader.toml"),
    example: Annotated[bool, typer.Option("--example", help="The orders example of the README.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite a file that is there.")] = False,
) -> None:
    """Write the orders example as a configuration; never overwrites without --force."""
    if not example:
        message = "say what to write"
        raise ConfigError(message, address="init", hint="loader init --example")
    if file.exists() and not force:
        raise ActionNeeded(
            "is there already", address=str(file), hint=f"loader init --example --force {file}"
        )
    text = (shipped("config") / "orders.toml").read_text()
    try:
        file.write_text(text.replace('"ducklake:sqlite:../', '"ducklake:sqlite:').replace('"../', '"'))
    except OSError as error:
        raise ConfigError(f"cannot be written: {error.strerror}", address=str(file)) from error
    ctx.obj.emit({"outcome": "written", "file": str(file)}, f"wrote {file}; next: loader -c {file} check")
