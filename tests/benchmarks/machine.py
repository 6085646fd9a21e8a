"""What the figures were measured on and with: a table without it means nothing."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from tests.benchmarks.children import REPOSITORY

PACKAGES = ("duckdb", "duckdb-extension-ducklake", "pyarrow", "numpy", "confluent-kafka")

MEASURED = ("loader", "sql", "config", "tests/benchmarks", ":!tests/benchmarks/results")  # of the repository


def machine(kafka: str) -> dict[str, str]:
    """Facts by name; `kafka` says which broker. Imports none of the packages that it names."""
    facts = {
        "cores": str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()),
        "processor": _found("/proc/cpuinfo", r"model name\s*: (.+)") or platform.machine(),
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB",
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "load before": " ".join(f"{load:.1f}" for load in os.getloadavg()),
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
    }
    return facts | {name: version(name) for name in PACKAGES} | {"kafka": kafka, "commit": _commit()}


def described(facts: Mapping[str, str]) -> str:
    """The facts in one paragraph."""
    return ", ".join(f"{name} {value}" for name, value in facts.items())


def _found(file: str, pattern: str) -> str:
    try:
        match = re.search(pattern, Path(file).read_text())
    except OSError:
        return ""
    return match.group(1) if match else ""


def _commit() -> str:
    """The revision of the repository, `-dirty` where files differ from it; earlier results may."""
    try:
        revision = _git("rev-parse", "--short=10", "HEAD")
        return revision + ("-dirty" if _git("diff", "--name-only", "HEAD", "--", *MEASURED) else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _git(*words: str) -> str:
    found = subprocess.run(["git", *words], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    return found.stdout.strip()
