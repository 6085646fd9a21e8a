"""What is in the topic and not loaded yet, for people and metrics: nothing is decided by it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from loader.kafka.look import broker
from loader.kafka.waiting import oldest_waiting
from loader.model import Lag

if TYPE_CHECKING:
    from loader.config import Config


class Lagging:
    """Asks for the lag, on a connection that stays; close it after use."""

    def __init__(self, config: Config, *, shared: bool) -> None:
        """`shared`: other members of the group load too, and Kafka knows how far they are."""
        self._config, self._shared = config, shared
        self._broker = broker(config)

    def ask(self, committed: Mapping[int, int]) -> Lag:
        """The lag behind these offsets. Raises BrokerAway, ActionNeeded (as `Broker.identity`).

        Of a partition that is not among them, what the group has acknowledged counts, or where a new
        pipeline would begin. Of nothing, nothing is known.
        """
        if not committed and not self._shared:
            return Lag({}, None)
        partitions = range(self._broker.identity().partitions)
        at = self._at(partitions, committed)
        log = self._broker.log(partitions)
        lag = {partition: max(0, log[partition].end - at[partition]) for partition in partitions}
        behind = {partition: at[partition] for partition in partitions if lag[partition]}
        oldest = oldest_waiting(self._config, behind) if behind else None
        return Lag(lag, max(0.0, time.time() - oldest) if oldest is not None else 0.0)

    def _at(self, partitions: range, committed: Mapping[int, int]) -> dict[int, int]:
        told = self._broker.acknowledged() if self._shared else {}
        known = {p: max(committed.get(p, 0), told.get(p, 0)) for p in {*committed, *told}}
        rest = [partition for partition in partitions if partition not in known]
        start = "earliest" if known else self._config.kafka.start  # new partitions are read from their start
        return known | (self._broker.starts(rest, start) if rest else {})

    def close(self) -> None:
        """Let the connection go."""
        self._broker.close()
