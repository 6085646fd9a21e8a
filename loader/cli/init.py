"""`loader init`: write a configuration to begin with."""

from __future__ import annotations

import tomllib
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from loader.errors import ActionNeeded, ConfigError
from loader.plural import counted
from loader.statements import shipped

if TYPE_CHECKING:
    import pyarrow as pa

    from loader.cli.context import Context
    from loader.config import Config
    from loader.inference import Draft, Origin, Sample

SAMPLE = 1_000
TOLERATED = 0.01
ROUNDS = 3  # in which columns are widened that refuse records of the sample


def init(
    ctx: typer.Context,
    file: Annotated[
        Path | None, typer.Argument(help="File to write.", show_default="-c, $LOADER_CONFIG or loader.toml")
    ] = None,
    topic: Annotated[str | None, typer.Option(help="Infer the contract from this topic's records.")] = None,
    bootstrap: Annotated[
        str | None, typer.Option(help="The broker, as host:port.", show_default="localhost:9092")
    ] = None,
    sample: Annotated[int, typer.Option(min=1, help="Look at so many records, old and new ones.")] = SAMPLE,
    tolerate: Annotated[
        float,
        typer.Option(min=0, max=0.5, help="Largest share of records that may be unlike the rest; 0: none."),
    ] = TOLERATED,
    example: Annotated[bool, typer.Option("--example", help="The orders example of the README.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite a file that is there.")] = False,
) -> None:
    """Write a configuration by looking at a topic's records, or the orders example."""
    from loader.config import default_file

    context: Context = ctx.obj
    target = file or context.config_file or default_file()
    if example == (topic is not None):
        hint = "loader init --topic orders, or loader init --example"
        raise ConfigError(
            "say what to write: a configuration for --topic, or --example", address="init", hint=hint
        )
    if target.exists() and not force:
        what = "--example" if example else f"--topic {topic}"
        raise ActionNeeded(
            "is there already", address=str(target), hint=f"loader init {what} --force {target}"
        )
    text, result = (
        (_example(), {}) if topic is None else _inferred(context, topic, bootstrap, sample, tolerate)
    )
    try:
        target.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"cannot be written: {error.strerror}", address=str(target)) from error
    lines = [f"wrote {target}; next: loader -c {target} check", *_told(result)]
    context.emit({"outcome": "written", "file": str(target), **result}, "\n".join(lines))


def _example() -> str:
    text = (shipped("config") / "orders.toml").read_text()
    text = text.replace(
        "beside this folder. Every key: config/example.toml", "in this folder. Every key: loader check --json"
    )
    return text.replace('"ducklake:sqlite:../', '"ducklake:sqlite:').replace('"../', '"')


# ---------------------------------------------------------------- from a topic


def _inferred(
    context: Context, topic: str, bootstrap: str | None, most: int, tolerate: float
) -> tuple[str, dict[str, Any]]:
    """The text of a configuration for a topic, and what it was made from."""
    from loader.inference import as_toml, draft, sample, without_outliers

    config = _to_look(context, topic, bootstrap)
    context.use(config)
    records, in_topic = _records(config, most)
    found = sample(zip(*(records[name].to_pylist() for name in ("value", "text", "key")), strict=True))
    if not found.records:
        what = "; ".join(f"{count:,} x {name}" for name, count in found.unusable.most_common())
        message = f"no JSON object among {counted(records.num_rows, 'records')}: {what}"
        raise ActionNeeded(message, address=topic, hint="loader init --example")
    found = without_outliers(found, topic, tolerate)
    proposed = draft(found, topic)
    origin = _origin(config, found, records.num_rows, in_topic)
    proposed, origin = _tried(proposed, origin, records.take(found.rows))
    return as_toml(proposed, origin), _result(proposed, origin)


def _to_look(context: Context, topic: str, bootstrap: str | None) -> Config:
    """A configuration that is enough to reach the topic: options over the environment."""
    from loader.config import config_over
    from loader.config.values import servers, topic_name
    from loader.inference.write import quoted

    for option, value, right in (("--topic", topic, topic_name), ("--bootstrap", bootstrap, servers)):
        try:
            if value is not None:
                right(value)
        except ValueError as error:
            raise ConfigError(str(error), address=option) from None
    tree = {
        "pipeline": "init",
        "kafka": {"bootstrap": "localhost:9092"},
        "warehouse": {"path": "warehouse.duckdb"},
        "table": {"name": "t", "id": "id", "columns": {"id": {"type": "VARCHAR"}}},
    }
    given = [f"kafka.topic={quoted(topic)}"]
    given += [f"kafka.bootstrap={quoted(bootstrap)}"] if bootstrap else []
    return config_over(tree, Path.cwd(), (*context.overrides, *given))


def _records(config: Config, most: int) -> tuple[pa.Table, int]:
    """A sample of the topic, and how many records there may be. Raises ActionNeeded where there are none."""
    from loader.kafka.peek import Peek

    with Peek(config) as peek:
        log = peek.log()
        found = peek.sample(log, most, config.limits.message_bytes)
    if not found.num_rows:
        message = "the topic holds no record yet, so there is nothing to infer from"
        raise ActionNeeded(message, address=config.kafka.topic, hint="loader init --example")
    return found, sum(part.end - part.low for part in log.values())


def _origin(config: Config, found: Sample, looked_at: int, in_topic: int) -> Origin:
    from loader.config.model import HIDDEN
    from loader.inference import Origin

    shown = config.describe()["kafka"]["client"]
    return Origin(
        bootstrap=config.kafka.bootstrap,
        topic=config.kafka.topic,
        looked_at=looked_at,
        in_topic=in_topic,
        client={name: value for name, value in shown.items() if value != HIDDEN},
        secrets=tuple(name for name, value in shown.items() if value == HIDDEN),
        unusable=found.unusable,
    )


def _tried(proposed: Draft, origin: Origin, records: pa.Table) -> tuple[Draft, Origin]:
    """The proposal after it has read its own sample: columns that refused something are wider."""
    from dataclasses import replace

    from loader.config import config_from
    from loader.inference import as_toml
    from loader.warehouse.rehearse import trial

    refused: Counter[str] = Counter()
    for _ in range(ROUNDS):
        made = config_from(tomllib.loads(as_toml(proposed, replace(origin, secrets=()))), Path.cwd())
        reasons = [reason for row in trial(made, records) for reason in row["reasons"]]
        refused = Counter(f"{reason['column'] or 'record'}: {reason['rule']}" for reason in reasons)
        wider = proposed.widened(reason["column"] for reason in reasons if reason["rule"] != "required")
        if wider == proposed:
            break
        proposed = wider
    return proposed, replace(origin, refused=refused)


def _result(proposed: Draft, origin: Origin) -> dict[str, Any]:
    """What the file was made from, as --json prints it."""
    columns = [
        {"name": c.name, "type": c.type.sql(), "required": c.required, "present": c.seen.present}
        for c in proposed.columns
    ]
    return {
        "topic": origin.topic,
        "looked_at": origin.looked_at,
        "used": proposed.records,
        "not_used": dict(origin.unusable),
        "would_be_refused": dict(origin.refused),
        "columns": columns,
        "left_out": proposed.left_out,
        "id": list(proposed.id),
        "id_is_sure": proposed.id_is_sure,
        "id_candidates": [list(names) for names in proposed.id_candidates],
        "event_time": proposed.event_time or None,
        "event_time_candidates": list(proposed.event_times),
    }


def _told(result: dict[str, Any]) -> list[str]:
    """The same in a few lines."""
    from loader.printable import printable

    if not result:
        return []
    columns = counted(len(result["columns"]), "columns")
    lines = [f"{result['topic']}: {columns} from {counted(result['used'], 'records')}"]
    lines += [f"not used: {count:,} x {what}" for what, count in result["not_used"].items()]
    lines += [f"left out {name}: {why}" for name, why in result["left_out"].items()]
    lines += [
        f"would still be refused: {count:,} x {why}" for why, count in result["would_be_refused"].items()
    ]
    lines.append(f"id: {_id(result)}; event time: {result['event_time'] or 'none found'}")
    return [printable(line) for line in lines]


def _id(result: dict[str, Any]) -> str:
    if not result["id"]:
        return 'none found, so every record is a row (duplicates = "off")'
    sure = (
        "unique and in all of them"
        if result["id_is_sure"]
        else "a guess: unique in all of them, but they are few"
    )
    return f"{', '.join(result['id'])} ({sure})"
