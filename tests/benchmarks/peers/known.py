"""The peers: which program each is, with what it installs, and what it guarantees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tests.benchmarks.figures import Run, with_share

TITLE = "Beside others"
COLUMNS = ("process_rate", "of_lake", "peak", "cpu_each")
LAKE = "ducklake"
WRITTEN = "tests.benchmarks.peers.written"


@dataclass(frozen=True, slots=True)
class Peer:
    """One of them. `share` of the topic's records is enough for the slow ones; `packages` get a venv."""

    name: str
    guarantee: str
    program: tuple[str, ...] = ()  # of `python -m`, or a script of this folder; none for the loader itself
    share: float = 1.0
    packages: tuple[str, ...] = ()
    jvm: bool = False  # which does the work, unmeasured but for its time; `PROGRAM fetch` gets its jars


OURS = "exactly once; exact duplicates over the whole table; bad records kept with their reasons; a ledger"

PEERS = (
    Peer(LAKE, OURS),
    Peer("duckdb", OURS),
    Peer(
        "script: json, Parquet",
        "at least once: after a crash rows are there twice; no duplicates found; a bad value ends it",
        (WRITTEN, "parquet"),
    ),
    Peer(
        "script: json, PRIMARY KEY",
        "at least once, the first of each id stays; other content with the same id is lost in silence; a bad "
        "value ends it; slower with each row",
        (WRITTEN, "duckdb"),
    ),
    Peer(
        "script: row by row",
        "at least once; no duplicates found; a bad value ends it",
        (WRITTEN, "rows"),
        share=0.01,
    ),
    Peer(
        "dlt, merge",
        "the topic is read from its begin each time and merged by id, the last one stays; types follow the "
        "data; a bad value ends it",
        ("dlt_load.py",),
        share=0.05,
        packages=("dlt[duckdb,parquet]", "confluent-kafka"),
    ),
    Peer(
        "Quix Streams, DuckDB",
        "at least once; no duplicates found; a bad value ends it",
        ("quix_load.py",),
        share=0.1,
        packages=("quixstreams", "duckdb", "pyarrow"),
    ),
    Peer(
        "Spark, dropDuplicates",
        "exactly once by a log of its own, which only Spark reads; the first of each id stays; other content "
        "with the same id is lost in silence; a bad value becomes null",
        ("spark_load.py",),
        packages=("pyspark==4.1.1", "jgo"),
        jvm=True,
    ),
)


def of_lake(runs: Sequence[Run]) -> list[Run]:
    """The runs; those of others with their rate as a share of what the loader did in the same round."""
    theirs = {peer.name for peer in PEERS if peer.program}
    shared = with_share(runs, "of_lake", "process_rate", lambda run: (run.round, run.what, LAKE))
    return [new if run.who in theirs else run for run, new in zip(runs, shared, strict=True)]
