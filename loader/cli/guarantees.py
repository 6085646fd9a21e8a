"""`loader guarantees`: what this configuration promises, what it does not, and which tests show it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from loader.cli.context import Context
    from loader.config import Config

MOUNTS = Path("/proc/mounts")
VOLATILE = frozenset({"tmpfs", "ramfs"})
SHARED = frozenset({
    "nfs", "nfs4", "cifs", "smb3", "fuse.sshfs", "9p", "afs", "autofs", "ceph", "fuse.ceph-fuse",
    "fuse.glusterfs",
})  # fmt: skip

KILLS = ("tests/crash/test_kill_points.py", "tests/chaos/test_chaos.py")
WRITERS = ("tests/contract/test_warehouse.py", "tests/acceptance/test_groups.py")


@dataclass(frozen=True, slots=True)
class Guarantee:
    """One promise: whether it holds here, why, and the tests that show it (none: argued, not shown)."""

    name: str
    holds: bool
    why: str
    shown_by: tuple[str, ...] = ()


def guarantees(ctx: typer.Context) -> None:
    """Say what this configuration promises and what it does not, and why."""
    config = ctx.obj.config()
    found = promised(config, file_system(config.warehouse.file))
    result = {
        "pipeline": config.pipeline,
        "warehouse": config.warehouse.kind,
        "guarantees": [asdict(each) for each in found],
    }
    ctx.obj.emit(result, lambda: _print(ctx.obj, found))


def promised(config: Config, system: str) -> list[Guarantee]:
    """The promises of a configuration whose warehouse lies on a file system of this type ('' unknown)."""
    return [
        Guarantee(
            "atomic",
            holds=True,
            why="rows, quarantine, duplicates, ledger and offsets change in one transaction; "
            "Kafka is told afterwards",
            shown_by=KILLS,
        ),
        _fenced(config, system),
        _deduplicated(config),
        Guarantee(
            "nothing lost in silence",
            holds=True,
            why="offsets that are gone, and a topic that was replaced, stop the load with the exact range",
            shown_by=("tests/integration/test_kafka_source.py",),
        ),
        Guarantee(
            "refused records kept",
            holds=True,
            why="whole, with key, headers, position and every reason; more than limits.quarantine stops",
            shown_by=("tests/contract/test_hard_cases.py", "tests/unit/test_limit.py"),
        ),
        *_derived(config),
        _readers(config),
        _durable(config, system),
        _several(config, system),
    ]


def _deduplicated(config: Config) -> Guarantee:
    table = config.table
    if table.duplicates == "off":
        why = 'table.duplicates is "off": every event is a row; each offset still is loaded once'
        return Guarantee("deduplicated", holds=False, why=why)
    kept = "counts as a duplicate that differs" if table.on_conflict == "keep_first" else "goes to quarantine"
    why = f"by {', '.join(table.id)}, exactly, over the whole table; same id and other content {kept}"
    shown_by = ("tests/contract/test_warehouse.py", "tests/chaos/test_chaos.py")
    return Guarantee("deduplicated", holds=True, why=why, shown_by=shown_by)


def _several(config: Config, system: str) -> Guarantee:
    name, shown_by = "several workers", ("tests/acceptance/test_groups.py",)
    if config.warehouse.kind == "duckdb":
        why = "a DuckDB file has one writer; the second one ends with exit code 75"
        return Guarantee(name, holds=False, why=why, shown_by=shown_by)
    if system in SHARED:
        return Guarantee(name, holds=False, why=_on_a_share(config, system))
    why = "workers of one group, on this machine, share the partitions of one lake"
    return Guarantee(name, holds=True, why=why, shown_by=shown_by)


def _on_a_share(config: Config, system: str) -> str:
    return f"{config.warehouse.file} lies on {system}, where file locks and fsync cannot be relied on"


def _fenced(config: Config, system: str) -> Guarantee:
    if system in SHARED:
        return Guarantee("fenced", holds=False, why=_on_a_share(config, system))
    why = "a commit is refused unless head and offsets are those that its batch was made from"
    if config.warehouse.kind == "duckdb":
        why += "; DuckDB locks the file besides"
    return Guarantee("fenced", holds=True, why=why, shown_by=WRITERS)


def _derived(config: Config) -> list[Guarantee]:
    """What holds for derived tables, where there are some."""
    if not config.derive:
        return []
    tables = ", ".join(derive.table for derive in config.derive)
    why = f"{tables}: committed with the batch, equal to a rebuild in the order of batches"
    found = [Guarantee("derived tables", holds=True, why=why, shown_by=("tests/contract/test_derive.py",))]
    if topics := sorted({derive.send_to for derive in config.derive if derive.send_to}):
        why = f"to {', '.join(topics)}: at least once; sent again with the same key after a kill"
        found.append(
            Guarantee("sent on", holds=True, why=why, shown_by=("tests/acceptance/test_derived.py",))
        )
    return found


def _readers(config: Config) -> Guarantee:
    name, shown_by = "readers never blocked", ("tests/acceptance/test_readers.py",)
    if config.warehouse.kind == "ducklake":
        why = "readers see whole batches, of the last commit, at any time (in DuckDB: SET threads = 1)"
        return Guarantee(name, holds=True, why=why, shown_by=shown_by)
    if config.warehouse.publish_path is None:
        why = "a DuckDB file is locked while it is written; set warehouse.publish, or use a ducklake: path"
        return Guarantee(name, holds=False, why=why)
    why = f"not from the file itself while it is written, but from the copy {config.warehouse.publish_path}"
    return Guarantee(name, holds=True, why=why, shown_by=("tests/contract/test_warehouse.py",))


def _durable(config: Config, system: str) -> Guarantee:
    name = "durable after power loss"
    if system in VOLATILE:
        return Guarantee(name, holds=False, why=f"{config.warehouse.file} lies on {system}, in memory")
    if system in SHARED:
        return Guarantee(name, holds=False, why=_on_a_share(config, system))
    why = "new files and their folders are synced before COMMIT, and so is COMMIT"
    return Guarantee(name, holds=True, why=why, shown_by=("tests/crash/test_syscalls.py",))


def file_system(file: Path, mounts: Path = MOUNTS) -> str:
    """The type of the file system that holds a path which may not exist yet; '' where it cannot be told."""
    try:
        lines = mounts.read_text().splitlines()
    except OSError:
        return ""
    whole = file.resolve()
    points = [(line.split(" ")[1].replace("\\040", " "), line.split(" ")[2]) for line in lines]
    holding = [
        (len(point), at, kind) for at, (point, kind) in enumerate(points) if whole.is_relative_to(point)
    ]
    return max(holding, default=(0, 0, ""))[2]  # of two mounts on one place the later one is on top


def _print(context: Context, found: list[Guarantee]) -> None:
    from rich.table import Table

    table = Table("guarantee", "", "why", "shown by")
    for each in found:
        sign = "[green]yes[/green]" if each.holds else "[red]no[/red]"
        table.add_row(each.name, sign, each.why, "\n".join(each.shown_by) or "no test")
    context.output.print(table)
