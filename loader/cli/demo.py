"""`loader demo`: the whole path on this machine, without any server."""

from __future__ import annotations

import tempfile
import tomllib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from loader.errors import ActionNeeded, ComparisonFailed
from loader.plural import counted
from loader.statements import shipped

if TYPE_CHECKING:
    from loader.cli.context import Context
    from loader.config import Config

FAULTS = {
    "duplicates": 0.02,
    "conflicts": 0.001,
    "late": 0.01,
    "out_of_order": 0.02,
    "malformed": 0.002,
    "tombstones": 0.001,
    "missing": 0.002,
}
QUERIES = ("revenue_per_hour", "top_products", "load_delay", "duplicates_per_day")
SHOWN = 5  # rows of each query
PATIENCE = 60.0  # seconds for each query
AT_ONCE = 2  # queries


@dataclass(frozen=True, slots=True)
class Demo:
    """What the demo has done, step by step."""

    folder: Path
    dataset: Any
    sent: Any
    first: dict[str, Any]
    second: dict[str, Any]
    proof: dict[str, Any]
    score: dict[str, Any]

    @property
    def ok(self) -> bool:
        """Whether everything is as the answer key says."""
        return bool(self.proof["ok"] and self.score["ok"] and self.second["consumed"] == 0)


def demo(
    ctx: typer.Context,
    records: Annotated[
        int, typer.Option(min=1, max=60_000, help="How many orders, faults included.")
    ] = 60_000,
    seed: Annotated[int, typer.Option(help="Another seed gives other orders.")] = 1,
    folder: Annotated[
        Path | None, typer.Option(help="Where to put it; default: a new temporary folder.")
    ] = None,
) -> None:
    """See it work: sample orders with faults, an in-process broker, load, verify, query."""
    context: Context = ctx.obj
    place = Path(folder or tempfile.mkdtemp(prefix="loader-demo-")).absolute()
    done = _run(context, place, records, seed)
    result = {
        "outcome": "done" if done.ok else "failed",
        "folder": str(done.folder),
        "generated": {"records": done.dataset.records, "expected": done.dataset.expected},
        "sent": done.sent.acknowledged,
        "load": done.first,
        "second_load": done.second,
        "verify": {"ok": done.proof["ok"], "checks": done.proof["checks"]},
        "score": done.score,
    }
    context.emit(result, lambda: _after(context, done))
    if not done.ok:
        raise typer.Exit(ComparisonFailed.exit_code)


def _config(place: Path, bootstrap: str) -> Config:
    """The orders example, pointed at the in-process broker and the demo's folder."""
    from loader.config import config_from

    tree = tomllib.loads((shipped("config") / "orders.toml").read_text())
    tree["kafka"]["bootstrap"] = bootstrap
    tree["warehouse"] = {"path": "ducklake:sqlite:catalog.sqlite", "data": "data"}
    return config_from(tree, place)


def _run(context: Context, place: Path, records: int, seed: int) -> Demo:
    from loader.cli.score import compare
    from loader.cli.verify import proof
    from loader.cli.wiring import Bounds, stream
    from loader.kafka.embedded import EmbeddedBroker
    from loader.replay.generate import GenerateOptions, write

    say = context.console.print
    place.mkdir(parents=True, exist_ok=True)
    if (place / "catalog.sqlite").exists():  # its offsets belong to a broker that is gone
        raise ActionNeeded("there is a warehouse in it already", address=str(place), hint="loader demo")
    dataset = write(GenerateOptions(records, seed=seed, faults=FAULTS), place / "orders.jsonl", None)
    say(f"1. generated {dataset.records:,} sample orders with faults: {dataset.file}")
    with EmbeddedBroker() as broker:
        config = _config(place, broker.bootstrap)
        context.use(config)
        sent = _send(broker, config, dataset.file)
        say(
            f"2. sent {sent.acknowledged:,} records to an in-process broker "
            "(librdkafka's; it cannot tell topic ids)"
        )
        first, _ = stream(config, Bounds(batch_run=True, embedded=True))
        say(f"3. loaded: {counted(first['loaded'], 'rows')}, {counted(first['duplicates'], 'duplicates')}, "
            f"{first['quarantined']:,} quarantined, {first['records_per_second']:,} records/s")  # fmt: skip
        second, _ = stream(config, Bounds(batch_run=True, embedded=True))
        say(f"4. loaded again: {counted(second['consumed'], 'new records')}")
        checked = proof(config, embedded=True)
        say(f"5. verify: {'balance proved' if checked['ok'] else 'NOT in balance'}")
    scored = compare(config, place / "orders.jsonl.answers.jsonl")
    say(f"6. score against the answer key: {'every order as expected' if scored['ok'] else 'differences'}")
    return Demo(place, dataset, sent, first, second, checked, scored)


def _send(broker: Any, config: Config, file: Path) -> Any:
    from loader.kafka.producer import send
    from loader.replay.datasets import read_dataset

    broker.make_topic(config.kafka.topic)
    settings = {"bootstrap.servers": config.kafka.bootstrap}
    sent = send(read_dataset(str(file)), settings, config.kafka.topic)
    if dropped := {p: low for p, low in broker.first_offsets(config.kafka.topic).items() if low}:
        raise ComparisonFailed(
            f"the in-process broker dropped records: {dropped}", hint="loader demo --records 30000"
        )
    return sent


def _after(context: Context, done: Demo) -> None:
    from loader.cli.query import table
    from loader.cli.status import attach_line
    from loader.cli.verify import print_proof
    from loader.warehouse.ask import ask

    print_proof(context, done.proof)
    with ThreadPoolExecutor(AT_ONCE) as asking:  # each question is a process
        answers = list(asking.map(lambda name: ask(context.config(), name, PATIENCE), QUERIES))
    for name, result in zip(QUERIES, answers, strict=True):
        context.output.print(f"\n[bold]loader query {name}[/bold] (first {SHOWN} rows)")
        table(context, result.slice(0, SHOWN))
    context.output.print(
        f"\nYour tables: {done.folder}. Open them in any DuckDB with the ducklake extension:"
    )
    context.output.print(f"  {attach_line(context.config())}", markup=False)
    context.output.print(
        "Next, with a real Kafka: docker compose up, or your own: "
        "loader init --example, set kafka.bootstrap, loader check --connect, loader load"
    )
