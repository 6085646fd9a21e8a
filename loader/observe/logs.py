"""Log lines on stderr, for people or as JSON."""

from __future__ import annotations

import logging
import re
import sys

import structlog

from loader.secrets import redacted
from loader.trail import batch_under_way


class Formatter(structlog.stdlib.ProcessorFormatter):
    """Writes a log line without the secrets of the configuration."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        return redacted(super().format(record))


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
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        _add_batch,
        structlog.processors.TimeStamper(
            fmt="iso" if log_format == "json" else "%H:%M:%S", utc=log_format == "json"
        ),
    ]
    last: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    formatter = Formatter(foreign_pre_chain=shared, processor=last)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("loader").setLevel(level)
    # errors that matter come as ours, once, in plain words
    client = logging.getLogger("loader.kafka.client")
    client.setLevel(logging.DEBUG if verbosity > 0 else logging.CRITICAL)
    client.filters[:] = [NoRepeats()]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.processors.format_exc_info,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def _add_batch(_logger: object, _name: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Name the batch that the thread works on, unless the line names one itself."""
    if (batch := batch_under_way()) is not None:
        event.setdefault("batch", batch)
    return event


def logger() -> structlog.stdlib.BoundLogger:
    """The loader's logger."""
    found: structlog.stdlib.BoundLogger = structlog.get_logger("loader")
    return found
