"""`loader verify`: prove the balance."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Annotated, Any

import typer

from loader.errors import ActionNeeded, BrokerAway, ComparisonFailed, ConfigError, LoaderError
from loader.plural import counted

if TYPE_CHECKING:
    from loader.cli.context import Context
    from loader.config import Config
    from loader.model import Identity

SIGNS = {"ok": "[green]ok[/green]", "failed": "[red]failed[/red]", "skipped": "[yellow]skipped[/yellow]"}


def verify(
    ctx: typer.Context,
    *,
    deep: Annotated[
        bool,
        typer.Option("--deep", help="Read the topic again and compare every record with where it ended."),
    ] = False,
    derived: Annotated[
        bool, typer.Option("--derived", help="Make the derived tables anew in memory and compare them.")
    ] = False,
) -> None:
    """Prove that every record up to the committed offsets ended in exactly one place."""
    result = proof(ctx.obj.config(), deep=deep, derived=derived)
    ctx.obj.emit(result, lambda: print_proof(ctx.obj, result))
    if not result["ok"]:
        raise typer.Exit(ComparisonFailed.exit_code)


def proof(
    config: Config, *, embedded: bool = False, deep: bool = False, derived: bool = False
) -> dict[str, Any]:
    """All checks on one snapshot, and those that need the broker where it can be reached."""
    from loader.warehouse.reading import Reader
    from loader.warehouse.verify import checks
    from loader.warehouse.verify_derived import derived_checks

    with Reader(config) as reader:
        found = [check.as_json() for check in (*checks(reader), *derived_checks(reader, anew=derived))]
        partitions = reader.of_pipeline("read/partitions")
        holes = reader.of_pipeline("read/verify_spans_with_holes")
        shown = {name: reader.of_pipeline(f"read/{name}") for name in ("gaps", "rewinds", "topics")}
        recorded = reader.recorded()
    if recorded is None:
        raise ActionNeeded(
            "this pipeline has loaded nothing here", address=config.pipeline, hint="loader load"
        )
    found.append(_broker(config, recorded, partitions, holes, embedded=embedded))
    if deep:
        found.append(_deep(config, partitions, found[-1], shown["topics"]))
    return {
        "ok": all(check["status"] != "failed" for check in found),
        "checks": found,
        "partitions": partitions,
        **shown,
    }


def _broker(
    config: Config,
    recorded: Identity,
    partitions: list[Any],
    holes: list[Any],
    *,
    embedded: bool,
) -> dict[str, str]:
    """Check 5: the same topic, offsets within its log, every hole confirmed by reading it again.

    In a compacted topic more holes may have come since.
    """
    try:
        status, detail = _compared(config, recorded, partitions, holes, embedded=embedded)
    except BrokerAway as error:
        status, detail = "skipped", f"no broker in reach: {error.message}"
    except ConfigError:
        raise
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
    from loader.kafka.look import broker
    from loader.kafka.recheck import recounted
    from loader.model import Position

    with closing(broker(config, embedded=embedded)) as asked:
        identity, known = asked.identity(), {row["partition"]: Position(row["end"]) for row in partitions}
        same_topic(identity, recorded)
        log = asked.log(known)
        within_log(config.kafka.topic, known, log)
    again = recounted(config, holes, log, embedded=embedded)
    if again.findings:
        return "failed", "; ".join(again.findings)
    topic = "the same topic" if identity.topic_id else "topic id unknown (in-process broker)"
    left = f", {again.gone} not any more (retention)" if again.gone else ""
    left += f", {counted(again.compacted, 'records')} of them compacted away since" if again.compacted else ""
    return (
        "ok",
        f"{topic}, offsets within the log, {counted(len(holes), 'spans')} with holes read again{left}",
    )


def _deep(config: Config, partitions: list[Any], broker: dict[str, str], topics: list[Any]) -> dict[str, str]:
    """The topic read again and compared record by record. Raises BrokerAway, because it was asked for."""
    if broker["status"] == "skipped":
        raise BrokerAway(broker["detail"], address=config.kafka.topic, hint="loader verify, without --deep")
    if broker["status"] == "failed":
        return {"name": "deep", "status": "skipped", "detail": "not while the check of the broker fails"}
    status, detail = _reread(config, partitions)
    former = sum(topic["consumed"] for topic in topics[:-1])
    if former:
        detail += f"; {former:,} records of {len(topics) - 1} former topics cannot be read again"
    return {"name": "deep", "status": status, "detail": detail}


def _reread(config: Config, partitions: list[Any]) -> tuple[str, str]:
    from loader.kafka.again import read_again
    from loader.kafka.look import broker
    from loader.model import Span
    from loader.warehouse.deep import Comparison
    from loader.warehouse.reading import Reader

    with closing(broker(config)) as asked:
        log = asked.log([row["partition"] for row in partitions])
        compacted = asked.is_compacted()
    gone = 0
    with Reader(config) as reader, closing(Comparison(reader)) as comparison:
        for row in partitions:
            begin = max(row["begin"], log[row["partition"]].low)
            gone += begin - row["begin"]
            if begin < row["end"]:
                for piece in read_again(config, Span(row["partition"], begin, row["end"])):
                    comparison.compare(piece.span, piece.records, compacted=compacted)
        (kept,) = reader.of_pipeline("read/retained")
    more = comparison.places["removed by retention"] - kept["quarantined"] - kept["duplicates"]
    if more > 0:
        return "failed", f"{more:,} records more are in no place than retention has removed"
    if comparison.wrong:
        return "failed", f"{counted(comparison.wrong, 'findings')}: {'; '.join(comparison.problems)}"
    places = ", ".join(f"{count:,} {place}" for place, count in sorted(comparison.places.items()))
    left = f"; not in the log any more (retention): {counted(gone, 'offsets')}" if gone else ""
    return "ok", f"every record was read again and is where it should be: {places or 'none'}{left}"


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
