"""What is seen while the loader works: by a reader of the lake, or between two writers of a file."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from aiokafka.errors import KafkaError

from tests.oracle.around import Look, Sample
from tests.oracle.group import acknowledged
from tests.oracle.live import collected
from tests.pipelines import Pipeline
from tests.servers.command import REPOSITORY

PAUSE = 5.0  # seconds between two looks


class Watch:
    """Collects samples (O6) and, in a lake, looks (O7) until `end`."""

    def __init__(self, pipeline: Pipeline, folder: Path) -> None:
        self._pipeline, self._seen = pipeline, folder / "seen.jsonl"
        self._samples: list[Sample] = []
        self._process = self._start() if pipeline.kind == "ducklake" else None

    def _start(self) -> subprocess.Popen[bytes]:
        wanted = {
            "catalog": str(self._pipeline.folder / "catalog.sqlite"),
            "bootstrap": self._pipeline.bootstrap,
            "group": self._pipeline.group,
            "topic": self._pipeline.topic,
            "pause": PAUSE,
        }
        command = [sys.executable, "-m", "tests.oracle.live", json.dumps(wanted)]
        with self._seen.open("wb") as out, self._seen.with_suffix(".err").open("wb") as err:
            return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=out, stderr=err, cwd=REPOSITORY)

    def between(self) -> None:
        """Nobody writes now: look at a DuckDB file, which cannot be read otherwise."""
        if self._process is None and any(self._pipeline.folder.glob("*.duckdb")):
            try:
                told = acknowledged(self._pipeline.bootstrap, self._pipeline.group, self._pipeline.topic)
            except (KafkaError, OSError):  # the broker is away
                return
            self._samples.append(Sample(told, self._pipeline.positions()))

    def end(self) -> tuple[list[Sample], list[Look] | None, list[str]]:
        """Samples, looks (None for a DuckDB file), and what went wrong while looking."""
        if self._process is None:
            return self._samples, None, []
        self._process.communicate()
        samples, looks, errors = collected(self._seen.read_text().splitlines())
        if self._process.returncode:
            errors.append(self._seen.with_suffix(".err").read_text())
        return samples, looks, errors

    def kill(self) -> None:
        """End it whatever it does."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
