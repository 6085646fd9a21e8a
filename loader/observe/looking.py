"""A thread that looks at the topic again and again, beside whatever the process does."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable, Mapping
from typing import Self

from loader.errors import LoaderError
from loader.model import Lag
from loader.observe.health import Health
from loader.observe.logs import logger
from loader.observe.metrics import Waiting

EVERY = 5.0  # seconds between two looks: what a scrape shows is hardly older

Look = Callable[[Mapping[int, int]], Lag]


class Looking:
    """Shows what `look` finds beyond the offsets that are `known`. A context manager."""

    def __init__(
        self,
        look: Look,
        known: Callable[[], Mapping[int, int]],
        waiting: Waiting,
        health: Health,
        every: float = EVERY,
    ) -> None:
        self._look, self._known, self._waiting, self._health = look, known, waiting, health
        self._every = every
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="looking", daemon=True)

    def __enter__(self) -> Self:
        """Begin with a look at once."""
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        """End; a look under way is not waited for longer than a moment."""
        self._ended.set()
        self._thread.join(1.0)

    def _run(self) -> None:
        try:
            while not self._ended.is_set():
                self._once()
                gc.collect()  # `run` has switched it off, and requests leave cycles behind
                self._ended.wait(self._every)
        except Exception as error:  # noqa: BLE001 - the end of the thread, which /healthz tells
            self._health.broken = f"the look at the topic has ended: {error!r}"
            logger().error("the look at the topic has ended", reason=repr(error))

    def _once(self) -> None:
        try:
            self._waiting.found(self._look(dict(self._known())))
        except LoaderError as away:
            self._waiting.found(None, str(away))
