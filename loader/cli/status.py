"""`loader status`: where the pipeline stands."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

import typer

from loader import cron
from loader.cli.freshness import freshness, sentence
from loader.cli.words import rounded
from loader.errors import ActionNeeded, BrokerAway, ComparisonFailed, ConfigError, NothingLoaded
from loader.statements import quote_text

if TYPE_CHECKING:
    from loader.cli.context import Context
    from loader.config import Config, Job

STALLED_AFTER = 3  # times batch.wait without a commit, with lag


def status(
    ctx: typer.Context,
    check: Annotated[
        bool, typer.Option("--check", help="Exit 3 when stalled, failed or stale; for health checks.")
    ] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Show it until Ctrl-C, in a terminal.")] = False,
) -> None:
    """Show where the pipeline stands: offsets, lag, last batch, totals, quarantine, schedule."""
    if watch:
        if check:
            message, hint = "ends with Ctrl-C, not with a verdict", "loader status --check, which looks once"
            raise ConfigError(message, address="--watch --check", hint=hint)
        _watch(ctx.obj)
        return
    result = report(ctx.obj.config())
    ctx.obj.emit(result, lambda: _print(ctx.obj, result))
    if check and result["state"] in ("stalled", "failed"):
        hint = result["problem"] or "loader runs, and the log of the worker"
        raise ComparisonFailed(f"the pipeline is {result['state']}", address=result["pipeline"], hint=hint)
    if check and result["freshness"] and result["freshness"]["state"] == "fail":
        message, hint = sentence(result["freshness"]), "loader load, or another worker: loader run"
        raise ComparisonFailed(message, address=result["pipeline"], hint=hint)


def report(config: Config) -> dict[str, Any]:
    """The status as one object; what the broker cannot tell is null."""
    facts = _warehouse(config)
    ends, problem = _broker(config, facts)
    added = sorted(ends.keys() - {row["partition"] for row in facts["offsets"]}) if facts["recorded"] else []
    rows = [*facts["offsets"], *({"partition": partition, "end": 0} for partition in added)]
    partitions = [_partition(row, ends.get(row["partition"])) for row in rows]
    lags = [row["lag"] for row in partitions if row["lag"] is not None]
    lag = sum(lags) if lags else None
    last, totals = facts["last"], facts["totals"]
    return {
        "pipeline": config.pipeline,
        "state": "failed" if problem else _state(last, lag, config.batch.wait),
        "problem": problem,
        "partitions": partitions,
        "lag": lag,
        "freshness": freshness(config, partitions),
        "event_time_lag_s": rounded(last.get("event_age_s")),
        "last_success": last.get("committed_at"),
        "worker": {"name": last["worker"]} if last else None,
        "last_batch": {k: v for k, v in last.items() if k not in ("event_age_s", "newest_event")} or None,
        "totals": {name: totals.get(name, 0) for name in ("loaded", "duplicates", "quarantined", "skipped")},
        "quarantine": {
            "open": facts["states"].get("open", 0),
            "by_reason": facts["reasons"],
            "by_state": facts["states"],
        },
        "unknown_fields": {
            "policy": config.table.unknown_fields,
            "fields": [_unknown(row, config.kafka.topic) for row in facts["unknown"]],
        },
        "derived": [
            {"table": row["name"], "queued": row["queued"], "waiting": row["waiting"]}
            for row in facts["derived"]
        ],
        "gaps": facts["gaps"],
        "schedule": [_job(job, datetime.now(UTC)) for job in config.schedule],
        "last_run": facts["run"],
        "topics": facts["topics"],
        "published_age_s": rounded(facts["age"]),
        "attach": attach_line(config),
    }


def _warehouse(config: Config) -> dict[str, Any]:
    from loader.warehouse.reading import Reader
    from loader.warehouse.wanted import Wanted

    try:
        reader = Reader(config, tells=False)
    except NothingLoaded:
        empty: dict[str, Any] = {"last": {}, "totals": {}, "reasons": {}, "states": {}}
        lists: dict[str, Any] = {"offsets": [], "unknown": [], "gaps": [], "derived": [], "topics": []}
        return {**empty, **lists, "run": None, "age": None, "recorded": None}
    with reader:
        known = reader.contract.known_fields  # a field may have become a column since
        return {
            "recorded": reader.recorded(),
            "offsets": reader.of_pipeline("read/partitions"),
            "last": next(iter(reader.of_pipeline("read/last_batch")), {}),
            "totals": reader.of_pipeline("read/totals")[0],
            "states": {row["state"]: row["records"] for row in reader.of_pipeline("read/quarantine_states")},
            "reasons": {
                row["reason"]: row["records"] for row in reader.of_wanted("read/quarantine_reasons", Wanted())
            },
            "unknown": [
                row for row in reader.of_pipeline("read/unknown_fields") if row["field"] not in known
            ],
            "derived": reader.of_pipeline("read/derived"),
            "gaps": reader.of_pipeline("read/gaps"),
            "run": _run(reader.of_pipeline("read/runs", job=None, most=1)),
            "topics": reader.of_pipeline("read/topics"),
            "age": reader.age,
        }


def _broker(config: Config, facts: dict[str, Any]) -> tuple[dict[int, Any], str]:
    """The log of each partition, and what keeps the pipeline from going on there (or nothing)."""
    from loader.guards import same_topic, within_log
    from loader.kafka.look import broker
    from loader.model import Position

    log: dict[int, Any] = {}
    try:
        with closing(broker(config)) as asked:
            identity = asked.identity()
            log = asked.log(range(identity.partitions))
        if facts["recorded"]:
            known = {row["partition"]: Position(row["end"]) for row in facts["offsets"]}
            same_topic(identity, facts["recorded"], known)
            within_log(identity.topic, known, log)
    except (BrokerAway, ActionNeeded) as problem:
        return log, str(problem)
    return log, ""


def _run(rows: list[dict[str, Any]]) -> dict[str, Any] | None:
    names = ("job", "started_at", "outcome", "exit_code")
    return {name: rows[0][name] for name in names} if rows else None


def _job(job: Job, now: datetime) -> dict[str, Any]:
    """A job of the schedule; `next` is null for an interval, which counts from the start of the scheduler."""
    at = next(cron.parse(job.cron).after(now, ZoneInfo(job.zone)), None) if job.cron else None
    return {
        "job": job.job,
        "args": list(job.args),
        "when": job.when,
        "next": at.strftime("%Y-%m-%dT%H:%M:%SZ") if at else None,
    }


def _unknown(row: dict[str, Any], topic: str) -> dict[str, Any]:
    return {
        "field": row["field"],
        "first": f"{topic}[{row['partition']}]@{row['offset']}",
        "first_seen": row["first_seen"],
        "records": row["records"],
        "looked_at": row["looked_at"],
        "share": round(row["records"] / row["looked_at"], 4),
    }


def _partition(row: dict[str, Any], log: Any) -> dict[str, Any]:
    committed = row["end"]
    return {
        "partition": row["partition"],
        "committed": committed,
        "low": log.low if log else None,
        "end": log.end if log else None,
        "lag": max(0, log.end - committed) if log else None,
    }


def _state(last: dict[str, Any], lag: int | None, wait: float) -> str:
    if not last:
        return "new"
    if not lag:
        return "idle"
    return "stalled" if last["age_s"] > STALLED_AFTER * wait else "behind"


def attach_line(config: Config) -> str:
    """The SQL that attaches the warehouse read-only in any DuckDB; a lake's readers need one thread."""
    address = config.warehouse
    if address.kind == "ducklake":
        options = f"(DATA_PATH {quote_text(str(address.data_path))}, READ_ONLY)"
        return f"ATTACH {quote_text(f'ducklake:sqlite:{address.file}')} AS lake {options}; SET threads = 1;"
    return f"ATTACH {quote_text(str(address.publish_path or address.file))} AS lake (READ_ONLY);"


def _print(context: Context, result: dict[str, Any]) -> None:
    from loader.cli.overview import parts

    for part in parts(result):
        context.output.print(part)
    context.output.print(f"read it with: {result['attach']}", markup=False)


def _watch(context: Context) -> None:
    from rich.console import Console

    from loader.cli.live import watch

    console = Console(highlight=False)
    if context.json or not console.is_terminal:
        hint = "loader status --json, again and again"
        raise ConfigError("is for a terminal, and this is none", address="--watch", hint=hint)
    config = context.config()
    watch(lambda: report(config), console)
