"""What all measurements stand on: a broker, files of orders, topics filled with them."""

from __future__ import annotations

import os
import sys
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks.children import run_python
from tests.benchmarks.loads import words
from tests.benchmarks.sets import TWICE, DataSet
from tests.servers import topics
from tests.servers.kafka import KafkaServer


@dataclass(frozen=True, slots=True)
class Bench:
    """Broker and scratch folder of one run, and how much is to be measured."""

    bootstrap: str
    folder: Path
    records: int  # in a topic, unless a measurement says otherwise
    rounds: int
    kinds: tuple[str, ...]  # of warehouses
    seconds: float | None = None  # for each run of a measurement that takes its time

    @contextmanager
    def empty_topic(self, partitions: int) -> Iterator[str]:
        """A new topic, deleted in the end: the broker may be somebody's."""
        topic = f"bench-{uuid.uuid4().hex[:12]}"
        topics.create(self.bootstrap, topic, partitions)
        try:
            yield topic
        finally:
            topics.delete(self.bootstrap, topic)

    @contextmanager
    def topic(self, data: DataSet, records: int | None = None) -> Iterator[str]:
        """A new topic that holds the data set once."""
        with self.empty_topic(data.partitions) as topic:
            self.send(topic, data, records)
            yield topic

    def send(self, topic: str, data: DataSet, records: int | None = None) -> None:
        """Add all records of the data set to a topic."""
        client = f'kafka.client."compression.type"={data.compression}'
        file = self.dataset(data, records or self.records)
        sent = run_python(*words(self.bootstrap, topic, client), "replay", str(file)).result
        say(f"sent {sent['sent']:,} records ({data.name}) in {sent['seconds']:.1f} s")
        os.sync()  # or the first round would share the disk with the broker's late writes

    def dataset(self, data: DataSet, records: int) -> Path:
        """The file that holds so many records of a data set; written when it is first asked for."""
        repeated = 0.0 if data.duplicates == TWICE else data.duplicates
        file = self.folder / f"{data.size}-{data.poison:.9f}-{repeated:.9f}-{records}.parquet"
        if not file.exists():
            shares = ["--poison", f"{data.poison:.9f}", "--duplicates", f"{repeated:.9f}"]
            size = ["--records", str(records), "--size", str(data.size)]
            made = run_python("tests.benchmarks.dataset", str(file), *size, *shares).result
            say(f"wrote {records:,} orders of {made['bytes'] / records:.0f} bytes ({data.name})")
        return file


@contextmanager
def opened(bootstrap: str, **amounts: Any) -> Iterator[Bench]:
    """A bench with these fields, on the broker that was named or on a new one; its folder goes in the end."""
    with tempfile.TemporaryDirectory(prefix="loader-bench-") as name:
        folder = Path(name)
        os.environ["PYTHONPYCACHEPREFIX"] = f"{folder}/bytecode"  # for all children; nothing into the tree
        server = nullcontext() if bootstrap else KafkaServer(folder / "kafka")
        with server as ours:
            yield Bench(ours.bootstrap if ours else bootstrap, folder, **amounts)


def say(text: str) -> None:
    """Tell whoever waits what has been done."""
    print(text, file=sys.stderr, flush=True)
