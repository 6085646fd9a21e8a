"""Standard output and error whose reader may go away: `loader query … | head`, a terminal that was closed."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import IO, Any


class Heard:
    """A stream as it is, until nobody reads it any more: then what is written goes nowhere.

    So a verb ends with its own exit code, and not with that of a library that gives up (1).
    """

    def __init__(self, stream: IO[Any]) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    @property
    def buffer(self) -> Heard:
        """The stream of bytes below a stream of text."""
        return Heard(self._stream.buffer)  # type: ignore[attr-defined]

    def write(self, written: Any) -> int:
        """As the stream, as long as somebody reads it."""
        return self._while_heard(lambda: self._stream.write(written)) or 0

    def flush(self) -> None:
        """As the stream, as long as somebody reads it."""
        self._while_heard(self._stream.flush)

    def _while_heard(self, act: Callable[[], Any]) -> Any:
        try:
            return act()
        except BrokenPipeError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)
            return None
