"""Send rows with their keys to topics, and come back when the broker has them all."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from loader.errors import RecordsRefused
from loader.kafka.producer import Sender

if TYPE_CHECKING:
    from loader.config import Config


class Delivery:
    """Producers for the topics that derived rows go to, each made when it is needed first."""

    def __init__(self, config: Config) -> None:
        kafka = config.kafka
        self._settings = {"bootstrap.servers": kafka.bootstrap, **kafka.client_settings()}
        self._senders: dict[str, Sender] = {}

    def send(self, topic: str, rows: Iterable[tuple[bytes, bytes]]) -> None:
        """Send keys and values; every one is acknowledged when it returns.

        Raises TopicMissing, BrokerAway, RecordsRefused: some of them may have arrived then.
        """
        if topic not in self._senders:
            sender = Sender(self._settings, topic)
            sender.check_topic()
            self._senders[topic] = sender
        sender = self._senders[topic]
        sender.put(((key, value, None, None) for key, value in rows))
        sender.drain()
        if sender.refused:
            causes = ", ".join(f"{count} {name}" for name, count in sorted(sender.by_error.items()))
            message = f"the broker refused rows of a derived table: {causes}"
            raise RecordsRefused(message, address=topic, hint="they are sent again at the next start")
