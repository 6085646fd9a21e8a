"""Ten million records wait, and `loader load` needs the memory that it needs for one.

    python -m tests.backlog [--records 10000000] [--warehouse ducklake] [--save]

prints one JSON object, and exits 0 when memory stayed flat and every record was loaded once, else 1;
`--save` keeps it in tests/backlog/results, where the page about reliability reads it. Flat means: the
last tenth of the batches needs no more than the second one, but for 17 bytes of each id, the largest
that the set of known ids takes. Broker and warehouse are made for it, in a temporary folder (4 GB).
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

from tests.pipelines import KINDS, Pipeline, committed
from tests.servers import topics
from tests.servers.command import Cli, Running
from tests.servers.kafka import KafkaServer

RESULTS = Path(__file__).with_name("results")
MB = 1 << 20
BYTES_OF_AN_ID = 17
SLACK = 64 * MB
PARTS = 10
LOOK = 0.05  # seconds between two looks at the memory
HOUR = 3600.0


def main(arguments: list[str] | None = None) -> int:
    """The command line of this module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--records", type=int, default=10_000_000)
    parser.add_argument("--warehouse", choices=KINDS, default="ducklake")
    parser.add_argument("--save", action="store_true", help="keep the result in tests/backlog/results")
    wanted = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="backlog-") as folder:
        result = tried(Path(folder), wanted.warehouse, wanted.records)
    print(json.dumps(result))
    if wanted.save:
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / f"{wanted.warehouse}.json").write_text(json.dumps(result, indent=1) + "\n")
    return 0 if result["ok"] else 1


def tried(folder: Path, kind: str, records: int) -> dict[str, Any]:
    """Fill a topic, load it, prove it; what was found."""
    cli = Cli(folder)
    with KafkaServer(folder / "kafka") as server:
        topics.create(server.bootstrap, "orders", 4)
        pipeline = Pipeline(cli, server.bootstrap, "orders", kind)
        sent = pipeline("replay", "--records", records, timeout=HOUR)
        assert sent.code == 0, sent.err
        running = pipeline.start("load")
        memory = by_part(list(looked_at(running)))
        loaded = running.wait(HOUR).json
        verified = pipeline("verify", timeout=HOUR).code == 0
    flat = memory[-1] - memory[1] <= (SLACK + BYTES_OF_AN_ID * records) / MB
    return {
        "ok": flat and verified and loaded["loaded"] == records,
        "warehouse": kind,
        "records": loaded["loaded"],
        "batches": loaded["batches"],
        "seconds": loaded["seconds"],
        "mb_by_tenth": memory,
        "verified": verified,
    }


def looked_at(running: Running) -> Iterator[tuple[int, int]]:
    """Batches committed so far and bytes in memory, again and again until it has ended."""
    process = psutil.Process(running.pid)
    while running.process.poll() is None:
        try:
            yield committed(running), process.memory_info().rss
        except psutil.NoSuchProcess:
            return
        time.sleep(LOOK)


def by_part(looks: list[tuple[int, int]]) -> list[int]:
    """The most megabytes in each tenth of the batches."""
    whole = max(batches for batches, _ in looks) + 1
    most = [0] * PARTS
    for batches, size in looks:
        part = batches * PARTS // whole
        most[part] = max(most[part], size // MB)
    return most


if __name__ == "__main__":
    sys.exit(main())
