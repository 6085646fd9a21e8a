"""`loader verify`: prove the balance."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

import typer

from loader.errors import ActionNeeded, BrokerAway, ComparisonFailed, LoaderError

if TYPE_CHECKING:
    from loader.cli.context import Context
    from loader.config import Config
    from loader.model import Identity

SIGNS = {"ok": "[green]ok[/green]", "failed": "[red]failed[/red]", "skipped": "[yellow]skipped[/yellow]"}


def verify(ctx: typer.Context) -> None:
    """Prove that every record up to the committed offsets ended in exactly one place."""
    result = proof(ctx.obj.config())
    ctx.obj.emit(result, lambda: print_proof(ctx.obj, result))
    if not result["ok"]:
        raise typer.Exit(ComparisonFailed.exit_code)


def proof(config: Config, *, embedded: bool = False) -> dict[str, Any]:
    """All checks on one snapshot, and those that need the broker where it can be reached."""
    from loader.warehouse.reading import Reader
    from loader.warehouse.verify import checks

    with Reader(config) as reader:
        found = [check.as_json() for check in checks(reader)]
        partitions = reader.of_pipeline("read/partitions")
        holes = reader.of_pipeline("read/verify_spans_with_holes")
        recorded = reader.recorded()
    if recorded is None:
        raise ActionNeeded(
            "this pipeline has loaded nothing here", address=config.pipeline, hint="loader load"
        )
    found.append(_broker(config, recorded, partitions, holes, embedded=embedded))
    return {
        "ok": all(check["status"] != "failed" for check in found),
        "checks": found,
        "partitions": partitions,
    }


def _broker(
    config: Config,
    recorded: Identity,
    partitions: list[Any],
    holes: list[Any],
    *,
    embedded: bool,
) -> dict[str, str]:
    """Check 5: the same topic, offsets within its log, every hole confirmed by reading it again."""
    try:
        status, detail = _compared(config, recorded, partitions, holes, embedded=embedded)
    except BrokerAway as error:
        status, detail = "skipped", f"no broker in reach: {error.message}"
    except LoaderError as error:
        status, detail = "failed", str(error)
    return {"name": "broker", "status": status, "detail": detail}


def _compared(
    config: Config,
    recorded: Identity,
    partitions: list[Any],
    holes: list[Any],
    *,
    embedded: bool,
) -> tuple[str, str]:
    from loader.guards import same_topic, within_log
    from loader.kafka.recheck import broker, miscounted
    from loader.model import Position

    with closing(broker(config, embedded=embedded)) as asked:
        identity, known = asked.identity(), {row["partition"]: Position(row["end"]) for row in partitions}
        same_topic(identity, recorded)
        log = asked.log(known)
        within_log(config.kafka.topic, known, log)
    wrong, gone = miscounted(config, holes, log, embedded=embedded)
    if wrong:
        return "failed", "; ".join(wrong)
    topic = "the same topic" if identity.topic_id else "topic id unknown (in-process broker)"
    left = f", {gone} not any more (retention)" if gone else ""
    return "ok", f"{topic}, offsets within the log, {len(holes)} spans with holes read again{left}"


def print_proof(context: Context, result: dict[str, Any]) -> None:
    """The checks and the balance as tables."""
    from rich.table import Table

    out = context.output
    for check in result["checks"]:
        out.print(f"{SIGNS[check['status']]:>24} {check['name']}: ", end="")
        out.print(check["detail"], markup=False)
    names = [
        "partition",
        "begin",
        "end",
        "consumed",
        "loaded",
        "duplicates",
        "quarantined",
        "skipped",
        "holes",
    ]
    table = Table(*names)
    for row in result["partitions"]:
        table.add_row(*(f"{row[name]:,}" for name in names))
    out.print(table)
    out.print("balance proved" if result["ok"] else "NOT in balance", style="bold")
