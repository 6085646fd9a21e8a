"""Send what derived tables have put into the outbox: after each commit, and at the start what a kill left."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from loader.failpoints import fail_point

if TYPE_CHECKING:
    from collections.abc import Mapping

    from loader.engine import Observer
    from loader.kafka.delivery import Delivery
    from loader.model import Batch, Position, Receipt
    from loader.warehouse.store import DuckWarehouse


@dataclass(frozen=True, slots=True)
class Courier:
    """An `engine.Observer`: the others hear everything first, then what was committed is delivered.

    `topics` says where the rows of each table go. Rows are marked when the broker has them all, so they are
    sent at least once; again, with the same keys, when the loader ends in between.
    """

    others: Observer
    warehouse: DuckWarehouse
    delivery: Delivery
    topics: tuple[tuple[str, str], ...]

    def began(self, positions: Mapping[int, Position]) -> None:
        """Tell the others."""
        self.others.began(positions)

    def committed(self, receipt: Receipt) -> None:
        """Count the batch and deliver. Raises as `deliver`: the batch stands all the same."""
        self.others.committed(receipt)
        self.deliver()

    def conflicted(self, batch: Batch, attempt: int) -> None:
        """Tell the others."""
        self.others.conflicted(batch, attempt)

    def restarting(self, reason: Exception, pause: float) -> None:
        """Tell the others."""
        self.others.restarting(reason, pause)

    def deliver(self) -> None:
        """Send what is above the marks. Raises TopicMissing, BrokerAway, RecordsRefused, WarehouseBusy."""
        outbox = self.warehouse.outbox  # a new one when the warehouse was opened anew
        for table, topic in self.topics:
            reached = 0
            for rows in outbox.unsent(table):
                fail_point("before_send")
                self.delivery.send(topic, [(row.key, row.value) for row in rows])
                reached = rows[-1].seq
            if reached:
                fail_point("before_mark")
                outbox.mark(table, reached)
                fail_point("after_mark")
