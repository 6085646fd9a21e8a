"""A pipeline as its user has it: a folder with a configuration, the command line, and the judge.

story = tell(1_000, seed=1)
topics.produce(kafka, topic, story.messages)
pipeline = Pipeline(cli, kafka, topic, "ducklake")
assert pipeline("load").code == 0
assert pipeline.check() == story.expected
"""

from __future__ import annotations

import json
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from duckdb import DuckDBPyConnection

from tests.making import copy_folder
from tests.oracle import Counts, Record, Store, check_exact, database, lake, read_topic
from tests.oracle.around import Sample, never_ahead
from tests.oracle.group import acknowledged
from tests.oracle.store import LAKE, home
from tests.servers import topics
from tests.servers.command import Cli, Result, Running
from tests.servers.topics import Message

T = TypeVar("T")

KINDS = ("ducklake", "duckdb")
PATHS = {"ducklake": "ducklake:sqlite:catalog.sqlite", "duckdb": "warehouse.duckdb"}

CONFIG = """\
pipeline = "{name}"
[kafka]
bootstrap = "{bootstrap}"
topic = "{topic}"
group = "{name}-{topic}"
[warehouse]
path = "{path}"
[table]
name = "orders"
id = "order_id"
event_time = "timestamp"
[table.columns]
order_id = {{ type = "VARCHAR", check = "length(order_id) <= 64" }}
timestamp = {{ type = "TIMESTAMPTZ", zone = "UTC" }}
user_id = {{ type = "BIGINT", required = false }}
amount = {{ type = "DECIMAL(18,2)", check = "amount >= 0" }}
"""

STANDING = "SELECT * FROM loader.offsets ORDER BY generation"  # so that the topic in force stands last
SHORT_SESSION = {"session.timeout.ms": "1500", "heartbeat.interval.ms": "300"}
"""A member that was killed is thrown out of its group after 1.5 s instead of 45."""

POISON: tuple[bytes | None, ...] = (
    None,
    b"",
    b"not json",
    b"[1, 2]",
    b'{"order_id": "cut off',
    b"\xff\xfe\x00",
    b"\x00\x00\x00\x00\x07framed",
    b'{"user_id": 101, "action": "purchase", "amount": 250}',
    b'{"order_id": "P1", "timestamp": "yesterday", "amount": 1}',
    b'{"order_id": "P2", "timestamp": "2026-03-03T10:30:00Z", "amount": 0.001}',
    b'{"order_id": "P3", "timestamp": "2026-03-03T10:30:00Z", "amount": -1}',
    b'{"order_id": "P4", "timestamp": "2026-03-03T10:30:00Z", "amount": 99999999999999999.99}',
)


class Story(NamedTuple):
    """Messages, and where each of them has to end, in whatever order they are read."""

    messages: list[Message]
    expected: Counts


def tell(
    unique: int,
    *,
    seed: int,
    partitions: int = 3,
    duplicates: float = 0.02,
    conflicts: float = 0.01,
    poison: float = 0.01,
    first: int = 0,
) -> Story:
    """`unique` orders and their faults as shares of them, shuffled over the partitions.

    An id has a duplicate or a conflict, never both, so that the counts do not depend on the order.
    """
    chance = random.Random(seed)
    values: list[bytes | None] = [order(first + number) for number in range(unique)]
    twins, rivals, refused = (round(unique * share) for share in (duplicates, conflicts, poison))
    half = unique // 2
    values += [order(first + chance.randrange(half)) for _ in range(twins)]
    values += [order(first + n, amount=0.01) for n in chance.sample(range(half, unique), rivals)]
    values += [POISON[n % len(POISON)] for n in range(refused)]
    chance.shuffle(values)
    messages = [Message(value, partition=chance.randrange(partitions)) for value in values]
    return Story(messages, Counts(unique, twins, rivals + refused, 0))


def order(number: int, amount: float | None = None) -> bytes:
    """The bytes of an order."""
    return json.dumps(
        {
            "order_id": f"ORD{number:07d}",
            "timestamp": f"2026-03-03T10:{number // 60 % 60:02d}:{number % 60:02d}Z",
            "user_id": number % 997,
            "amount": number % 1000 + 0.25 if amount is None else amount,
        }
    ).encode()


def until(condition: Callable[[], T], what: str, timeout: float = 60.0) -> T:
    """Look again and again until the condition holds (seconds); what it gave is returned.

    A look that costs much comes seldom, so that it does not take the processor from what it waits for.
    """
    deadline = time.monotonic() + timeout
    begun = time.monotonic()
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not within {timeout} s: {what}"
        time.sleep(max(0.02, min(0.5, 2 * (time.monotonic() - begun))))
        begun = time.monotonic()
    return found


@dataclass
class Pipeline:
    """One configuration in a folder of its own; calling it runs a verb of the command line on it."""

    cli: Cli
    bootstrap: str
    topic: str
    kind: str = "ducklake"
    name: str = "orders"
    client: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Write the configuration."""
        self.folder = self.cli.folder / self.name
        self.folder.mkdir()
        text = CONFIG.format(
            name=self.name, bootstrap=self.bootstrap, topic=self.topic, path=PATHS[self.kind]
        )
        client = "".join(f'"{key}" = "{value}"\n' for key, value in self.client.items())
        self.file = self.folder / "loader.toml"
        self.file.write_text(f"{text}[kafka.client]\n{client}")
        self.cli.env.setdefault("TMPDIR", str(self.cli.folder))  # tracebacks go where they are removed

    def copied(self, cli: Cli) -> Pipeline:
        """The same with a copy of its folder, for verbs that change nothing in Kafka: it shares the group."""
        copy = replace(self, cli=cli)
        copy_folder(self.folder, copy.folder)
        return copy

    def __call__(self, *words: object, env: dict[str, str] | None = None, timeout: float = 120.0) -> Result:
        """Run a verb to its end, with --json."""
        return self.cli("-c", self.file, "--json", *words, env=env, timeout=timeout)

    def start(self, *words: object, env: dict[str, str] | None = None) -> Running:
        """Start a verb and go on."""
        return self.cli.start("-c", self.file, "--json", *words, env=env)

    @property
    def group(self) -> str:
        """The consumer group."""
        return f"{self.name}-{self.topic}"

    @property
    def warehouse(self) -> Path:
        """The file of the warehouse."""
        return self.folder / {"ducklake": "catalog.sqlite", "duckdb": "warehouse.duckdb"}[self.kind]

    def store(self, on: DuckDBPyConnection | None = None) -> Store:
        """The warehouse by plain DuckDB; a DuckDB file only while nobody writes it."""
        if self.kind == "ducklake":
            return lake(self.warehouse, on=on)
        return database(self.warehouse, on=on)

    def rows(self, sql: str) -> list[dict[str, Any]]:
        """The result of a query by plain DuckDB."""
        with self._looked_at() as store:
            return store.rows(sql)

    @contextmanager
    def _looked_at(self) -> Iterator[Store]:
        """The warehouse on the connection of this thread, which is given up after a failure."""
        try:
            with self.store(_home()) as store:
                yield store
        except BaseException:
            HOMES.__dict__.clear()
            raise

    def batches(self) -> int:
        """How many batches are committed, by plain DuckDB."""
        return int(self.rows("SELECT count(*) AS n FROM loader.batches")[0]["n"])

    def positions(self) -> dict[int, int]:
        """The committed offsets, by plain DuckDB."""
        return {row["partition"]: row["next_offset"] for row in self.rows(STANDING)}

    def behind(self) -> int:
        """How many offsets the warehouse is behind the topic."""
        positions = self.positions()
        return sum(
            end - positions.get(p, 0) for p, (_, end) in topics.ends(self.bootstrap, self.topic).items()
        )

    def acknowledged(self) -> dict[int, int]:
        """What Kafka's group has on record."""
        return acknowledged(self.bootstrap, self.group, self.topic)

    def check(self, records: Sequence[Record] | None = None, *, caught_up: bool = True) -> Counts:
        """Judge the warehouse against the topic (O1 to O5), and Kafka's group against the warehouse (O6)."""
        found = records if records is not None else read_topic(self.bootstrap, self.topic)
        with self._looked_at() as store:
            return self.check_in(store, found, self.acknowledged(), caught_up=caught_up)

    def check_in(
        self, store: Store, records: Sequence[Record], acknowledged: Mapping[int, int], *, caught_up: bool
    ) -> Counts:
        """The same, in an open warehouse and with what Kafka's group has on record."""
        counts = check_exact(records, store, pipeline=self.name, caught_up=caught_up)
        positions = {row["partition"]: row["next_offset"] for row in store.rows(STANDING)}
        never_ahead([Sample(dict(acknowledged), positions)])
        return counts

    def verify(self) -> None:
        """`loader verify` says so too."""
        verdict = self("verify")
        assert verdict.code == 0, verdict.out
        assert verdict.json["ok"] is True


HOMES = threading.local()


def _home() -> DuckDBPyConnection:
    """A connection of this thread for one warehouse after the other; it remembers nothing of their files."""
    if not HOMES.__dict__:
        HOMES.connection = home(*LAKE)
        HOMES.connection.execute("SET enable_external_file_cache = false")
    connection: DuckDBPyConnection = HOMES.connection
    return connection


def committed(running: Running) -> int:
    """How many batches a running command says that it has committed; it must not have failed."""
    assert running.process.poll() in {None, 0, -signal.SIGKILL}, running.err
    return running.err.count("] committed ")


def files_of(folder: Path) -> set[str]:
    """The names of everything in a folder."""
    return {path.name for path in folder.rglob("*")}
