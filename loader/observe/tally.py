"""What one run has done, counted from its receipts."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from loader.errors import without_hint
from loader.model import Batch, Position, Receipt, Totals
from loader.observe.logs import logger
from loader.stopping import Stop


@dataclass(slots=True)
class Tally:
    """Sums receipts over restarts, and says each as a log line. An `engine.Observer`."""

    stop: Stop
    totals: Totals = field(default_factory=Totals)
    batches: int = 0
    partitions: dict[int, dict[str, int]] = field(default_factory=dict)
    phases: dict[str, float] = field(default_factory=dict)
    bytes: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    begun: float = field(default_factory=time.monotonic)

    def began(self, positions: Mapping[int, Position]) -> None:
        """Nothing: what was committed counts."""

    def committed(self, receipt: Receipt) -> None:
        """Add a batch that is durable."""
        self.stop.succeeded(receipt)
        self.totals += receipt.totals
        self.batches += 1
        for span in receipt.spans:
            known = self.partitions.setdefault(span.partition, {"begin": span.begin, "end": span.end})
            known["end"] = span.end
        for phase, seconds in receipt.seconds.items():
            self.phases[phase] = self.phases.get(phase, 0.0) + seconds
        self.bytes.update(receipt.bytes)
        self.reasons.update(receipt.reasons)
        counts = receipt.totals
        if receipt.kind == "accept":
            gaps = [f"[{span.partition}]:{span.begin}-{span.end}" for span in receipt.spans]
            logger().warning("loss accepted", batch=receipt.batch, seq=receipt.seq, gaps=", ".join(gaps))
            return
        if receipt.kind == "topic":
            logger().warning("new topic", batch=receipt.batch, seq=receipt.seq, note=receipt.note)
            return
        logger().info(
            "committed",
            batch=receipt.batch,
            seq=receipt.seq,
            loaded=counts.loaded,
            duplicates=counts.duplicates,
            quarantined=counts.quarantined,
            skipped=counts.skipped,
        )

    def conflicted(self, batch: Batch, attempt: int) -> None:
        """Say that another writer was first."""
        logger().debug("another writer committed first", batch=batch.id, attempt=attempt)

    def restarting(self, reason: Exception, pause: float) -> None:
        """Say that memory was dropped, and why."""
        logger().warning(
            "beginning again from the warehouse", reason=without_hint(reason), pause=round(pause, 2)
        )

    def result(self, pipeline: str, outcome: str) -> dict[str, Any]:
        """The result of `load` and `run`, as --json prints it."""
        seconds = time.monotonic() - self.begun
        counts = self.totals
        return {
            "pipeline": pipeline,
            "outcome": outcome,
            "batches": self.batches,
            "consumed": counts.consumed,
            "loaded": counts.loaded,
            "duplicates": counts.duplicates,
            "quarantined": counts.quarantined,
            "skipped": counts.skipped,
            "reasons": dict(self.reasons.most_common()),
            "holes": counts.holes,
            "seconds": round(seconds, 3),
            "records_per_second": round(counts.consumed / seconds) if seconds else 0,
            "phases": {name: round(spent, 3) for name, spent in self.phases.items()},
            "bytes": dict(self.bytes),
            "partitions": {str(number): span for number, span in sorted(self.partitions.items())},
        }
