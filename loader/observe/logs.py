"""Log lines on stderr, for people or as JSON: an event and its facts."""

from __future__ import annotations

import json
import logging
import re
import sys
from datetime import UTC, datetime

from loader.printable import printable
from loader.secrets import redacted
from loader.trail import batch_under_way

WIDTH = 30  # columns of the event: the facts of short ones begin below each other


class Log:
    """Takes an event and the facts about it."""

    def __init__(self, name: str) -> None:
        self._log = logging.getLogger(name)

    def debug(self, event: str, **facts: object) -> None:
        """For whoever looks for a cause (`-v`)."""
        self._log.debug(event, extra={"facts": facts})

    def info(self, event: str, **facts: object) -> None:
        """What happens in the ordinary course of things."""
        self._log.info(event, extra={"facts": facts})

    def warning(self, event: str, **facts: object) -> None:
        """What a person should look at."""
        self._log.warning(event, extra={"facts": facts})

    def error(self, event: str, **facts: object) -> None:
        """What ends something."""
        self._log.error(event, extra={"facts": facts})


class Formatter(logging.Formatter):
    """Writes a log line, ours or a library's, without the secrets of the configuration."""

    def __init__(self, *, as_json: bool) -> None:
        super().__init__()
        self._write = _as_json if as_json else _as_text

    def format(self, record: logging.LogRecord) -> str:
        """The line, which names the batch that the thread works on, unless the facts name one."""
        facts = dict(getattr(record, "facts", {}))
        if (batch := batch_under_way()) is not None:
            facts.setdefault("batch", batch)
        trace = self.formatException(record.exc_info) if record.exc_info else ""
        return redacted(self._write(record, facts, trace))


def _as_json(record: logging.LogRecord, facts: dict[str, object], trace: str) -> str:
    if trace:
        facts["exception"] = trace
    when = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="microseconds")
    end = {"level": record.levelname.lower(), "timestamp": when.replace("+00:00", "Z")}
    return json.dumps({**facts, "event": record.getMessage(), **end}, default=str)


def _as_text(record: logging.LogRecord, facts: dict[str, object], trace: str) -> str:
    when = datetime.fromtimestamp(record.created).strftime("%H:%M:%S")  # noqa: DTZ006 - the reader's clock
    told = printable(record.getMessage())
    values = " ".join(f"{name}={_plain(facts[name])}" for name in sorted(facts))
    line = f"{when} [{record.levelname.lower():8}] {told:{WIDTH}} {values}".rstrip()
    return f"{line}\n{trace}" if trace else line


def _plain(value: object) -> str:
    """A value that can be told from the words around it."""
    text = str(value)
    return text if text.isprintable() and not set(text) & set(" ='\"") else repr(text)


class NoRepeats(logging.Filter):
    """Passes over what the line before said: a client without a broker tries ten times a second."""

    def __init__(self) -> None:
        super().__init__()
        self._last = ""

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the line says something else, apart from how long it took."""
        said = re.sub(r"\d+ms", "", record.getMessage())
        repeats, self._last = said == self._last, said
        return not repeats


def set_up(verbosity: int, log_format: str) -> None:
    """Configure all logging of the process: -1 warnings only, 0 normal, 1 everything."""
    level = {-1: logging.WARNING, 0: logging.INFO}.get(verbosity, logging.DEBUG)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Formatter(as_json=log_format == "json"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("loader").setLevel(level)
    # errors that matter come as ours, once, in plain words
    client = logging.getLogger("loader.kafka.client")
    client.setLevel(logging.DEBUG if verbosity > 0 else logging.CRITICAL)
    client.filters[:] = [NoRepeats()]


def logger() -> Log:
    """The loader's logger."""
    return Log("loader")
