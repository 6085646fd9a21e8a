"""`loader quarantine edit`: give a refused record another value; the original stays beside it."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from loader.cli.quarantine import filters
from loader.cli.quarantine.entry import found, shown
from loader.errors import ActionNeeded, ConfigError

if TYPE_CHECKING:
    from loader.cli.context import Context
    from loader.config import Config
    from loader.warehouse.wanted import Place

BECAME = {"loaded": "load it", "duplicate": "count it as a duplicate", "skipped": "skip it"}


def edit(
    ctx: typer.Context,
    position: filters.Position,
    value: Annotated[
        str | None, typer.Option(metavar="TEXT", help="The new value; without it $EDITOR opens.")
    ] = None,
    original: Annotated[
        bool, typer.Option("--original", help="Forget the edited value, go back to the original.")
    ] = False,
) -> None:
    """Give one record another value for the next retry; the original bytes are kept beside it."""
    context: Context = ctx.obj
    config, place = context.config(), filters.place(context, position)
    if original and value is not None:
        raise ConfigError("--value and --original exclude each other", address="quarantine edit")
    row, _ = found(config, place, position)
    if row["state"] != "open":
        message, hint = f"the entry is {row['state']}, not open", f"loader quarantine show {position}"
        raise ActionNeeded(message, address=position, hint=hint)
    before = row["value"] if row["edited"] is None else row["edited"]
    after = None if original else _edited(before, position) if value is None else value.encode()
    changed = after != (row["edited"] if original else before)
    result: dict[str, Any] = {"position": str(place), "changed": changed, "retry": None}
    if changed:
        result |= _kept(config, place, after)
    context.emit(result, lambda: context.output.print(shown(_sentence(position, result))))


def _kept(config: Config, place: Place, value: bytes | None) -> dict[str, Any]:
    """Keep the value, and say what a retry would do with it."""
    from loader.warehouse.retry import edit as keep
    from loader.warehouse.retry import opened, retry
    from loader.warehouse.wanted import Wanted

    with opened(config, time.sleep) as quarantine:
        batch = keep(quarantine, place, value, time.sleep)
        would = retry(quarantine, Wanted(places=(place,)), time.sleep, dry_run=True)
    totals = would.totals
    ends = {"loaded": totals.loaded, "duplicate": totals.duplicates, "skipped": totals.skipped}
    outcome = next((name for name, records in ends.items() if records), "refused")
    return {"batch": batch, "retry": outcome, "reasons": list(would.reasons)}


def _sentence(position: str, result: dict[str, Any]) -> str:
    if not result["changed"]:
        return f"{position}: nothing was changed"
    if result["retry"] == "refused":
        return f"{position}: changed; a retry would refuse it again ({'; '.join(result['reasons'])})"
    became = BECAME[result["retry"]]
    return f"{position}: changed; a retry would {became}: loader quarantine retry {result['position']}"


def _edited(before: bytes | None, position: str) -> bytes:
    """What the user's editor makes of the value. Raises ActionNeeded."""
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR")
    if not editor:
        message, hint = "neither $VISUAL nor $EDITOR is set", "give the new value with --value"
        raise ActionNeeded(message, address=position, hint=hint)
    with tempfile.TemporaryDirectory(prefix="loader-edit-") as folder:
        file = Path(folder) / "value.json"
        file.write_bytes(before or b"")
        command = [*shlex.split(editor), str(file)]
        try:
            code = subprocess.run(command, check=False).returncode  # noqa: S603 - the user's own
        except OSError as error:
            message = f"the editor did not start: {error}"
            raise ActionNeeded(message, address=position, hint="give the new value with --value") from error
        after = file.read_bytes()
    if code or not after.strip():
        why = f"the editor ended with {code}" if code else "the file was left empty"
        hint = "edit it again, or give the new value with --value"
        raise ActionNeeded(f"{why}; nothing was changed", address=position, hint=hint)
    ends = after.endswith(b"\n") and not (before or b"").endswith(b"\n")
    return after[:-1] if ends else after  # editors end the last line
