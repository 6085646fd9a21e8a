"""What is done on a schedule, and how old what is loaded may become."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BeforeValidator

from loader import cron
from loader.config import values
from loader.config.section import Section, key

JOBS = ("load", "maintain", "refresh", "export")


def _job(name: str) -> str:
    if name not in JOBS:
        raise ValueError(f"must be one of {', '.join(JOBS)}")
    return name


def _line(text: str) -> str:
    cron.parse(text)
    return text


def _zone(name: str) -> str:
    if not values.is_zone(name):
        raise ValueError("must be a time zone such as UTC or Europe/Berlin")
    return name


class Job(Section):
    """`[[schedule]]`: one job of `loader schedule`."""

    job: Annotated[str, AfterValidator(_job)] = key("Verb to run: load, maintain, refresh or export.", "text")
    cron: Annotated[str, AfterValidator(_line)] | None = key(
        "When to run, as crontab means it (0 and 7 are Sunday); or every.",
        "text", default=None, shown="this or every",
    )  # fmt: skip
    every: values.Duration | None = key(
        "How often to run, beginning at once; or cron.",
        "duration", default=None, gt=0, shown="this or cron",
    )  # fmt: skip
    zone: Annotated[str, AfterValidator(_zone)] = key(
        "Time zone that cron is read in.", "text", default="UTC"
    )
    jitter: values.Duration = key(
        "Longest random delay of a run, so that many pipelines do not start together.",
        "duration", default="0s",
    )  # fmt: skip
    args: Annotated[tuple[values.Text, ...], BeforeValidator(values.as_tuple)] = key(
        "Options of the verb.", "list of texts", default=()
    )

    @property
    def when(self) -> str:
        """When it runs, in words."""
        return f"cron {self.cron} ({self.zone})" if self.cron else f"every {self.every:g} s"


class Freshness(Section):
    """`[freshness]`: how long a record may wait in the topic."""

    warn: values.Duration | None = key(
        "Waiting time of a record from which status says warn.",
        "duration", default=None, gt=0, shown="unset: no target",
    )  # fmt: skip
    fail: values.Duration | None = key(
        "Waiting time of a record from which status says fail, and status --check exits 3.",
        "duration", default=None, gt=0, shown="unset: no target",
    )  # fmt: skip


class Maintain(Section):
    """`[maintain]`: upkeep of the warehouse, by `loader maintain` and inside `loader run`."""

    every: values.Duration = key(
        "How often run does upkeep between its batches; 0s leaves it to loader maintain.",
        "duration", default="1h",
    )  # fmt: skip
    target_file: values.Size = key(
        "Small Parquet files of a lake are merged up to this size.", "size", default="64 MiB"
    )
    keep_snapshots: values.Duration = key(
        "How long the past of a lake can be queried.", "duration", default="7d"
    )
    delete_after: values.Duration = key(
        "How long a file that nothing needs any more is kept, for readers that still have it open.",
        "duration", default="1d", ge=3600,
    )  # fmt: skip
    orphans_after: values.Duration = key(
        "Age at which a file without a name in the catalogue counts as left by a kill and is deleted.",
        "duration", default="1d", ge=3600,
    )  # fmt: skip
    keep_runs: values.Duration = key("How long the run history goes back.", "duration", default="90d")


class Retention(Section):
    """`[retention]`: what upkeep removes from the books when it is old; its counts stay."""

    quarantine: values.Duration | None = key(
        "How long a quarantine entry is kept after it was closed; an open one stays.",
        "duration", default=None, ge=3600, shown="unset: for ever",
    )  # fmt: skip
    duplicates: values.Duration | None = key(
        "How long duplicates are kept.", "duration", default=None, ge=3600, shown="unset: for ever"
    )
    spans: values.Duration | None = key(
        "How long the spans of batches are kept one by one.",
        "duration", default=None, ge=3600, shown="unset: for ever",
    )  # fmt: skip
