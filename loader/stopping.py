"""When loading ends: asked by a signal, at a limit, or because nothing was reached for too long."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from loader.errors import LoaderError, Temporary
from loader.model import Chunk, Receipt, Span

LOOK_AROUND = 0.2  # seconds between two looks at the signals while waiting for records
LONGEST_PAUSE = 5.0  # seconds between two restarts
LOOK_BACK = 2.0  # seconds between two looks at the warehouse while there is nothing to do


@dataclass(slots=True)
class Stop:
    """The limits of one run and what it has done so far; the clock is given, in seconds."""

    clock: Callable[[], float]
    batch_run: bool = True
    max_records: int | None = None
    max_seconds: float | None = None
    unreachable: float = 30.0
    new_warehouse: bool = False
    accept_loss: tuple[Span, ...] = ()  # the exact ranges that this run may leave out
    new_topic: str = ""  # the id of the topic that may follow the one that was loaded so far
    requested: bool = False
    commits: int = 0
    _read: int = 0
    _committed: int = 0
    _restarts: int = 0
    _begun: float = field(init=False)
    _last_good: float = field(init=False)
    _looked: float = field(init=False)

    def __post_init__(self) -> None:
        """Start the clocks."""
        self._begun = self._last_good = self._looked = self.clock()

    def reached(self) -> bool:
        """Whether to stop now: asked to, or at a limit."""
        return self.requested or self.limit_reached()

    def limit_reached(self) -> bool:
        """Whether `--max-records` or `--max-seconds` has been reached."""
        late = self.max_seconds is not None and self.clock() - self._begun >= self.max_seconds
        return late or (self.max_records is not None and self._read >= self.max_records)

    def bounded(self, chunk: Chunk) -> Chunk:
        """The chunk, cut where `--max-records` ends."""
        kept = chunk if self.max_records is None else chunk.first(self.max_records - self._read)
        self._read += kept.records.num_rows
        return kept

    def patience(self, wait: float) -> float:
        """How long to wait for records: at most `wait`, and not so long that a signal goes unseen."""
        return max(0.0, min(wait, LOOK_AROUND))

    def succeeded(self, receipt: Receipt) -> None:
        """Note a commit: the bound on being unreachable counts from here."""
        self._committed += receipt.totals.consumed
        self.commits += 1
        self._restarts = 0
        self._last_good = self.clock()

    def idle(self) -> None:
        """Note that there is nothing to do: then being unreachable counts from here, too."""
        self._last_good = self.clock()

    def looks_back(self) -> bool:
        """Whether it is time to see that the warehouse still stands where we do: every LOOK_BACK seconds."""
        if self.clock() - self._looked < LOOK_BACK:
            return False
        self._looked = self.clock()
        return True

    def pause_before_restart(self, reason: Exception) -> float:
        """Seconds to wait before the next restart; raises the reason when the bound has passed."""
        away = self.clock() - self._last_good
        if away >= self.unreachable:
            raise _final(reason, away)
        self._read = self._committed
        self._restarts += 1
        return float(min(LONGEST_PAUSE, 0.1 * 2**self._restarts))


def _final(reason: Exception, away: float) -> LoaderError:
    if isinstance(reason, LoaderError):
        return reason
    return Temporary(f"no batch could be committed for {away:.0f} s: {reason}", hint="run again later")
