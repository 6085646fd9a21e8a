"""One campaign: a topic, a warehouse, and rounds of faults drawn by seed until there were enough."""

from __future__ import annotations

import random
import signal
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from tests.chaos.feed import Feed
from tests.chaos.watch import Watch
from tests.chaos.workers import LONG, Ends, Worker
from tests.pipelines import Pipeline
from tests.servers.kafka import KafkaServer

MENDED = ("--set", "table.columns.amount.check=amount > -100000")  # with it some refusals become rows
EARLY = 0.5  # the share of moments that do not wait for a commit: they may meet the start and the recovery
PATIENCE = 20.0  # seconds in which a process has to commit something, or is signalled without
SAMPLED = 0.3  # the share of kills after which a DuckDB file is looked at
LOADS = 0.25  # the share of `loader load` among the workers that are alone
SESSION = 1.5  # seconds after which the group gives a silent member's partitions away
MORE = {"load": (1,), "run": (1, 1, 2, 3)}  # commits that a moment waits for; a load has few
WAITS, SIZES = ("20ms", "100ms", "400ms"), (200, 1000, 5000)  # of a batch

MIXES: Mapping[str, Mapping[str, float]] = {
    "kills": {"kill": 0.97, "maintain": 0.03},
    "all": {"kill": 0.45, "term": 0.1, "zombie": 0.1, "broker_kill": 0.05, "broker_restart": 0.05,
            "maintain": 0.1, "retry": 0.1, "rebalance": 0.05},
}  # fmt: skip
"""How often each fault is drawn."""

NEED_ROWS = ("maintain", "retry")  # these refuse a warehouse that holds nothing


@dataclass(frozen=True)
class Wanted:
    """What the command line asks for; a campaign ends after so many kills that hit, or so many seconds."""

    warehouse: str
    seed: int
    kills: int
    seconds: float | None = None
    workers: int = 1
    mix: str = "all"
    rate: float = 500.0
    share: int = 2_000
    start: str = "fresh"
    warehouses: int = 1


class Kill(NamedTuple):
    """A SIGKILL that ended a live process."""

    at: datetime
    sent: dict[int, int]  # how far the topic reached then at least, by partition
    verb: str
    commits: int  # of that process


class Campaign:
    """The rounds; what they did is in the attributes. The broker runs and the pipeline is new."""

    def __init__(
        self, wanted: Wanted, seed: int, kafka: KafkaServer, pipeline: Pipeline, feed: Feed, watch: Watch
    ) -> None:
        self.wanted, self.seed = wanted, seed
        self.kafka, self.pipeline, self.feed, self.watch = kafka, pipeline, feed, watch
        self.kills, self.tried = list[Kill](), 0
        self.ends, self.faults = Ends(), Counter[str]()
        self._chance = random.Random(f"campaign {seed}")
        self._workers: list[Worker] = []
        self._starts = [2.0]  # seconds from the start of a process to its first commit
        self._begun = time.monotonic()
        self._alone = wanted.workers == 1

    def go(self) -> None:
        """Rounds until there were enough; then everything is healed and what is left is loaded."""
        chosen = MIXES[self.wanted.mix]
        while not self._enough():
            self.feed.grant(self.wanted.share)
            self._fill()
            fault = self._chance.choices(list(chosen), list(chosen.values()))[0]
            if fault in NEED_ROWS and not self._loaded():
                fault = "kill"
            self.faults[fault] += 1
            FAULTS[fault](self)
            self._reap()
            print(f"seed {self.seed}: {len(self.kills)} kills, {dict(self.faults)}", file=sys.stderr)

    def stop(self) -> None:
        """End all that runs, as a user would."""
        for worker in self._workers:
            worker.send(signal.SIGCONT)
            worker.terminate()
        self._reap()

    def _loaded(self) -> bool:
        """Whether anything has been committed, as far as is known."""
        return any(kill.commits for kill in self.kills) or any(worker.commits for worker in self._workers)

    def _enough(self) -> bool:
        if self.wanted.seconds is not None:
            return time.monotonic() - self._begun > self.wanted.seconds
        return len(self.kills) >= self.wanted.kills

    # ------------------------------------------------------------ processes

    def _fill(self) -> None:
        while len(self._workers) < self.wanted.workers:
            self._workers.append(self._start())

    def _start(self) -> Worker:
        """A worker with batches of a drawn size; one that is alone needs no group."""
        wait, size = self._chance.choice(WAITS), self._chance.choice(SIZES)
        small = ("--set", f"batch.wait={wait}", "--set", f"batch.records={size}")
        verb = "load" if self._alone and self._chance.random() < LOADS else "run"
        assign = ("--set", "kafka.assign=all") if self._alone else ()
        return Worker(self.pipeline.start(verb, *small, *assign), verb)

    def _reap(self) -> None:
        for worker in [each for each in self._workers if not each.lives]:
            self.ends.note(worker)
            self._workers.remove(worker)

    def _moment(self, worker: Worker) -> None:
        """Let a worker run to a drawn moment, or to its end."""
        if self._chance.random() < EARLY:
            worker.lasts(self._early())
            return
        new = not worker.commits
        more = self._chance.choice(MORE[worker.verb])
        lives = worker.commits_again(more, PATIENCE)
        if new and lives and worker.commits == more:
            self._starts.append(time.monotonic() - worker.born)
        worker.lasts(self._chance.uniform(0, 0.2))

    def _early(self) -> float:
        """Seconds after which a new process is somewhere before its first commit, or has just made it."""
        return self._chance.uniform(0, statistics.median(self._starts[-20:]))

    # ------------------------------------------------------------ faults

    def kill(self) -> None:
        """SIGKILL to a worker at a drawn moment."""
        victim = self._chance.choice(self._workers)
        self._moment(victim)
        self._kill(victim)

    def _kill(self, victim: Worker) -> None:
        kill = Kill(datetime.now(UTC), dict(self.feed.ends), victim.verb, victim.commits)
        self.tried += 1
        if not victim.kill():
            return
        self.kills.append(kill)
        if self._alone and self._chance.random() < SAMPLED:
            self.watch.between()

    def term(self) -> None:
        """SIGTERM to a worker at a drawn moment: it ends in good order."""
        victim = self._chance.choice(self._workers)
        self._moment(victim)
        victim.terminate()

    def zombie(self) -> None:
        """SIGSTOP at a drawn moment; the others go on, or a second copy is started; then SIGCONT."""
        victim = self._chance.choice(self._workers)
        self._moment(victim)
        victim.send(signal.SIGSTOP)
        if self._alone:
            second = Worker(self.pipeline.start("load"), "second load")
            second.running.process.wait(LONG)
            self.ends.note(second)
        else:
            victim.lasts(SESSION + self._chance.uniform(0.2, 2))
        victim.send(signal.SIGCONT)
        victim.commits_again(1, self._chance.uniform(0, 3))

    def broker_kill(self) -> None:
        """SIGKILL to the broker; it comes back on what it has on disk."""
        self._moment(self._chance.choice(self._workers))
        self.kafka.kill()
        self._away()

    def broker_restart(self) -> None:
        """SIGTERM to the broker, and a new start."""
        self._moment(self._chance.choice(self._workers))
        self.kafka.stop()
        self._away()

    def _away(self) -> None:
        self._chance.choice(self._workers).lasts(self._chance.uniform(0, 1.5))
        self.kafka.start(LONG)

    def maintain(self) -> None:
        """Upkeep beside the workers, half of the time killed at a drawn moment."""
        self._beside("maintain", "maintain")

    def retry(self) -> None:
        """A retry of what was refused beside the workers, half of the time killed at a drawn moment."""
        self._beside("retry", *MENDED, "quarantine", "retry", "--all")

    def _beside(self, name: str, *words: str) -> None:
        if self.pipeline.kind == "duckdb" and self._chance.random() < 0.8:  # else it is told to come again
            self.stop()
        command = Worker(self.pipeline.start(*words), name)
        if self._chance.random() < 0.5:
            command.lasts(self._early())
            self._kill(command)
        command.running.process.wait(LONG)
        self.ends.note(command)

    def rebalance(self) -> None:
        """One more worker joins, and leaves again."""
        newcomer = self._start()
        newcomer.commits_again(1, self._chance.uniform(1, 6))
        newcomer.terminate()
        self.ends.note(newcomer)


FAULTS: Mapping[str, Callable[[Campaign], None]] = {
    "kill": Campaign.kill,
    "term": Campaign.term,
    "zombie": Campaign.zombie,
    "broker_kill": Campaign.broker_kill,
    "broker_restart": Campaign.broker_restart,
    "maintain": Campaign.maintain,
    "retry": Campaign.retry,
    "rebalance": Campaign.rebalance,
}
