"""The page with metrics and health of `run` and `schedule`, where `[metrics]` asks for one."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from loader.errors import LoaderError
from loader.observe.logs import logger

if TYPE_CHECKING:
    from loader.config import Config, Job
    from loader.engine import Observer
    from loader.observe.health import Health
    from loader.observe.metrics import Meters
    from loader.runs import Run
    from loader.schedule.conduct import Observer as JobObserver


@contextmanager
def load_metrics(config: Config) -> Iterator[tuple[Observer, ...]]:
    """What shall observe a `run`; the page is there for the block. Raises ActionNeeded (port taken)."""
    if config.metrics.port is None:
        yield ()
        return
    from loader.observe.metrics import LoadMetrics

    meters, health = _meters(config)
    hook = LoadMetrics(meters, health)
    with _page(config, meters, health, lambda: hook.known, shared=True):
        yield (hook,)


@contextmanager
def job_metrics(config: Config) -> Iterator[tuple[JobObserver, ...]]:
    """As `load_metrics`, for a `schedule`."""
    if config.metrics.port is None:
        yield ()
        return
    from loader.observe.metrics import JobMetrics

    meters, health = _meters(config)
    warehouse = FromWarehouse(config, meters)
    with _page(config, meters, health, lambda: warehouse.offsets, shared=False):
        yield JobMetrics(meters, health), warehouse


def _meters(config: Config) -> tuple[Meters, Health]:
    from loader.observe.health import Health
    from loader.observe.metrics import Meters

    versions = {"version": version("loader-kafka"), "python": platform.python_version()}
    return Meters(config.pipeline, {**versions, "duckdb": version("duckdb")}), Health()


@contextmanager
def _page(
    config: Config,
    meters: Meters,
    health: Health,
    known: Callable[[], Mapping[int, int]],
    *,
    shared: bool,
) -> Iterator[None]:
    from loader.kafka.lag import Lagging
    from loader.observe.looking import Looking
    from loader.observe.metrics import Waiting
    from loader.observe.page import Page

    place = config.metrics
    with ExitStack() as stack:
        page = stack.enter_context(Page(place.host, place.port or 0, meters.registry, health))
        lagging = stack.enter_context(closing(Lagging(config, shared=shared)))
        stack.enter_context(Looking(lagging.ask, known, Waiting(meters, health), health))
        logger().info("metrics and health", at=page.address)
        yield


class FromWarehouse:
    """Reads after each job what only the warehouse knows. A `schedule.conduct.Observer`.

    Never at another time: a DuckDB file that is open here could not be opened by a job.
    """

    def __init__(self, config: Config, meters: Meters) -> None:
        self.offsets: dict[int, int] = {}
        """The committed offsets, as of the last look."""
        self._config, self._meters = config, meters
        about = "Records that wait in quarantine."
        self._open = meters.gauge("loader_quarantine_open_records", about)

    def waiting(self) -> None:
        """Nothing: it is no trouble."""

    def ended(self, job: Job, run: Run, retry_in: float | None) -> None:
        """Look; a warehouse that cannot be read now is left for the next time."""
        del job, run, retry_in
        from loader.warehouse.reading import Reader

        try:
            with Reader(self._config, tells=False) as reader:
                self._show(reader)
        except (LoaderError, OSError) as away:
            logger().debug("the warehouse was not read for the metrics", reason=str(away))

    def _show(self, reader: Any) -> None:
        rows = reader.of_pipeline("read/partitions")
        self.offsets = {row["partition"]: row["end"] for row in rows}
        states = {row["state"]: row["records"] for row in reader.of_pipeline("read/quarantine_states")}
        self._open.labels(**self._meters.labels).set(states.get("open", 0))
        for last in reader.of_pipeline("read/last_batch"):
            self._meters.newest_event(last["newest_event"])
