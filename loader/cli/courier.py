"""Send what derived tables have put into the outbox: after each commit, at the start, at the end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from loader.errors import LoaderError
from loader.failpoints import fail_point

if TYPE_CHECKING:
    from collections.abc import Mapping

    from loader.config import Config
    from loader.engine import Observer
    from loader.kafka.delivery import Delivery
    from loader.model import Batch, Position, Receipt
    from loader.warehouse.outbox import Outbox
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
            _deliver(outbox, self.delivery, table, topic)


def topics(config: Config) -> tuple[tuple[str, str], ...]:
    """The derived tables whose new rows are sent on, and the topic of each."""
    return tuple((each.table, each.send_to) for each in config.derive if each.send_to)


def send_rest(config: Config, warehouse: DuckWarehouse) -> LoaderError | None:
    """At the end of a command that has changed derived tables: send what waits.

    What kept it from that comes back, for the command to raise when it has told what it did: that stands.
    """
    from loader.kafka.delivery import Delivery

    delivery = Delivery(config)
    try:
        for table, topic in topics(config):
            _deliver(warehouse.outbox, delivery, table, topic)
    except LoaderError as error:
        message = f"that is done, but rows wait to be sent, with the next load: {error.message}"
        return type(error)(message, address=error.address, hint=error.hint)
    return None


def _deliver(outbox: Outbox, delivery: Delivery, table: str, topic: str) -> None:
    reached = 0
    for rows in outbox.unsent(table):
        fail_point("before_send")
        delivery.send(topic, [(row.key, row.value) for row in rows])
        reached = rows[-1].seq
    if reached:
        fail_point("before_mark")
        outbox.mark(table, reached)
        fail_point("after_mark")
