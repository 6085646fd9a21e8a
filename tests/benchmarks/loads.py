"""One run of the ceiling or of `loader load`, as figures by name (figures.py says what they are)."""

from __future__ import annotations

import shutil
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.benchmarks.children import REPOSITORY, Done, run_python

CONTRACT = REPOSITORY / "config" / "orders.toml"
FILES = {"ducklake": "catalog.sqlite", "duckdb": "warehouse.duckdb"}  # of each kind of warehouse
PREFIXES = {"ducklake": "ducklake:sqlite:", "duckdb": ""}
LOGS = ("--log-format", "json")  # in place of no log lines


def words(bootstrap: str, topic: str, *settings: str, logs: bool = False) -> list[str]:
    """`loader` with the contract of the example and more settings."""
    broker = (f"kafka.bootstrap={bootstrap}", f"kafka.topic={topic}")
    given = [word for each in (*broker, *settings) for word in ("--set", each)]
    return ["loader", "--json", *(LOGS if logs else ("-q",)), "-c", str(CONTRACT), *given]


@dataclass(frozen=True, slots=True)
class Warehouse:
    """Where a load goes, and a consumer group that has acknowledged nothing elsewhere."""

    kind: str
    folder: Path
    group: str = field(default_factory=lambda: f"bench-{uuid.uuid4().hex[:12]}")

    @property
    def file(self) -> Path:
        """The catalogue of the lake, or the DuckDB file."""
        return self.folder / FILES[self.kind]

    @property
    def settings(self) -> list[str]:
        """As `--set` takes them."""
        path = f"warehouse.path={PREFIXES[self.kind]}{self.file}"
        data = f"warehouse.data={self.folder}/data"
        return [path, data, f"kafka.group={self.group}", "limits.quarantine=1.0"]

    def keep(self) -> None:
        """Remember what it holds now. Files of a lake are never changed, so the catalogue is enough."""
        shutil.copyfile(self.file, self._kept)

    def restore(self) -> None:
        """Make it hold what it held when `keep` was called."""
        for rest in self.folder.glob(f"{self.file.name}[-.]wal"):
            rest.unlink()
        shutil.copyfile(self._kept, self.file)

    @property
    def _kept(self) -> Path:
        return self.file.with_name(f"{self.file.name}.kept")


@contextmanager
def fresh(kind: str) -> Iterator[Warehouse]:
    """A warehouse that a load will make, removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="loader-bench-warehouse-") as folder:
        yield Warehouse(kind, Path(folder))


def load(
    bootstrap: str,
    topic: str,
    warehouse: Warehouse,
    *settings: str,
    options: tuple[str, ...] = (),
    logs: bool = False,
) -> Done:
    """`loader load` to its end."""
    given = words(bootstrap, topic, *warehouse.settings, *settings, logs=logs)
    return run_python(*given, "load", *options)


def checked(done: Done, expected: Mapping[str, int]) -> Done:
    """The load, if it caught up with these counts: or RuntimeError: it is no figure."""
    wanted = {"outcome": "caught_up", **expected}
    if {name: done.result[name] for name in wanted} != wanted:
        raise RuntimeError(f"the load should have ended with {wanted}: {done.result}")
    return done


def figures(done: Done, records: int) -> dict[str, float]:
    """Figures of any program that read so many records; its rate is of the whole process."""
    return {
        "process_rate": records / done.wall,
        "peak": done.peak,
        "cpu": done.cpu,
        "cpu_each": done.cpu / records,
    }


def load_figures(done: Done) -> dict[str, float]:
    """Figures of a load."""
    records = done.result["consumed"]
    own = {"rate": records / done.result["seconds"], "batches": done.result["batches"]}
    return own | figures(done, records)


def phases(done: Done) -> dict[str, float]:
    """Seconds of each phase for one batch of the load."""
    return {name: seconds / done.result["batches"] for name, seconds in done.result["phases"].items()}


def ceiling(bootstrap: str, topic: str, records: int) -> dict[str, float]:
    """Figures of ceiling A."""
    done = run_python("tests.benchmarks.ceiling", bootstrap, topic, "--records", str(records))
    return {"rate": done.result["records_per_second"]} | figures(done, records)
