"""Log lines name the batch that they are about, for people and as JSON."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator

import pytest

from loader.batching import Batcher, BatchPolicy
from loader.engine import load
from loader.model import Batch, Receipt
from loader.observe.logs import logger, set_up
from loader.testing.warehouse import MemorySplit, MemoryStaged, MemoryWarehouse, Shared
from loader.trail import about_batch, batch_under_way
from tests.unit.test_engine import Bench, orders

LOG = logging.getLogger("loader.warehouse")


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """Logging is as before afterwards."""
    root, loader = logging.getLogger(), logging.getLogger("loader")
    before = root.handlers[:], root.level, loader.level
    yield
    root.handlers[:] = before[0]
    root.setLevel(before[1])
    loader.setLevel(before[2])


@pytest.mark.parametrize("format_", ["json", "text"])
def test_whatever_is_logged_about_a_batch_names_it(capsys: pytest.CaptureFixture[str], format_: str) -> None:
    """Our own logger and the plain one of a module; outside of a batch there is no such key."""
    set_up(0, format_)
    with about_batch(4711):
        LOG.warning("the disk is slow")
        logger().info("written", rows=3)
        logger().info("committed", batch=12)
    LOG.warning("all is well")
    first, second, third, last = capsys.readouterr().err.splitlines()
    if format_ == "json":
        named = [json.loads(line).get("batch") for line in (first, second, third, last)]
        assert named == [4711, 4711, 12, None]
        assert json.loads(first)["event"] == "the disk is slow"
    else:
        assert all("batch=4711" in line for line in (first, second))
        assert "batch=12" in third
        assert "batch" not in last


class Telling(MemoryWarehouse):
    """Notes at each step which batch is named, beside the batch that it is about."""

    def __init__(self, shared: Shared) -> None:
        super().__init__(shared)
        self.seen: list[tuple[int, int | None]] = []

    def stage(self, batch: Batch) -> MemoryStaged:
        """Note and stage."""
        self.seen.append((batch.id, batch_under_way()))
        return super().stage(batch)

    def split(self, staged: MemoryStaged, before: MemorySplit | None = None) -> MemorySplit:
        """Note and split."""
        self.seen.append((staged.batch.id, batch_under_way()))
        return super().split(staged, before)

    def commit(self, split: MemorySplit) -> Receipt:
        """Note and commit."""
        self.seen.append((split.batch.id, batch_under_way()))
        return super().commit(split)


def test_the_engine_names_the_batch_in_both_of_its_threads() -> None:
    """Staging runs beside the commit of another batch: each thread names its own."""
    bench = Bench(*orders(0, 25))
    bench.policy, bench.chunk = BatchPolicy(10, 1 << 30, 60), 5
    warehouse = Telling(bench.shared)
    batcher = Batcher(bench.policy, bench.clock)
    load(bench.source(), warehouse, batcher, bench.stop, bench.watch, bench.clock.sleep)
    assert len(warehouse.seen) == 9
    assert all(batch == named for batch, named in warehouse.seen)
    assert batch_under_way() is None


def test_a_line_is_one_line_of_an_event_and_its_facts(capsys: pytest.CaptureFixture[str]) -> None:
    """A fact that could be taken for another is quoted, and nothing acts on the terminal."""
    set_up(0, "text")
    logger().warning("new\x1b[31m topic", note="a b", seq=3, offset="orders[0]@5", empty=None)
    line = capsys.readouterr().err
    assert re.fullmatch(
        r"\d\d:\d\d:\d\d \[warning ] new\\x1b\[31m topic +empty=None note='a b' "
        r"offset=orders\[0]@5 seq=3\n",
        line,
    )


@pytest.mark.parametrize("format_", ["json", "text"])
def test_a_librarys_error_comes_with_its_traceback(capsys: pytest.CaptureFixture[str], format_: str) -> None:
    """Without the values of variables, which may be secrets, and as one object for machines."""
    set_up(0, format_)
    password = "hunter2"
    try:
        range(7).index(len(password) + 1)
    except ValueError:
        logging.getLogger("apscheduler").exception("job %s failed", 7)
    told = capsys.readouterr().err
    assert "ValueError: 8 is not in range" in told
    assert "hunter2" not in told
    if format_ == "json":
        (line,) = told.splitlines()
        assert json.loads(line)["event"] == "job 7 failed"
