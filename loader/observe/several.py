"""Several observers as one."""

from __future__ import annotations

from collections.abc import Mapping

from loader.engine import Observer
from loader.model import Batch, Position, Receipt


class Several:
    """Tells each observer in turn. An `engine.Observer`."""

    def __init__(self, *observers: Observer) -> None:
        self._observers = observers

    def began(self, positions: Mapping[int, Position]) -> None:
        """Tell all."""
        for observer in self._observers:
            observer.began(positions)

    def committed(self, receipt: Receipt) -> None:
        """Tell all."""
        for observer in self._observers:
            observer.committed(receipt)

    def conflicted(self, batch: Batch, attempt: int) -> None:
        """Tell all."""
        for observer in self._observers:
            observer.conflicted(batch, attempt)

    def restarting(self, reason: Exception, pause: float) -> None:
        """Tell all."""
        for observer in self._observers:
            observer.restarting(reason, pause)
