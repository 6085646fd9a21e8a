"""Whether a process that stays is well, and whether it can do its work now."""

from __future__ import annotations

from dataclasses import dataclass

from loader.secrets import redacted


@dataclass(slots=True)
class Health:
    """What is in the way, part by part; an empty text is nothing. Written by one thread each."""

    work: str = ""  # of the loads or jobs
    broker: str = "the broker has not been asked yet"
    broken: str = ""  # what only a new process can mend

    @property
    def trouble(self) -> str:
        """Why no work can be done now, in one line; empty when it can."""
        return " ".join(redacted(self.broken or self.work or self.broker).split())
