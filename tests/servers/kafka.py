"""A real Apache Kafka on this machine: one node, KRaft, a second to start.

    with KafkaServer(folder) as kafka:
        Producer({"bootstrap.servers": kafka.bootstrap})

The same object can be stopped, killed or paused and started again on its data.
No broker outlives the process that started it, not even if that is killed: a small watcher waits
for the end of a pipe which only its parent holds open.
"""

from __future__ import annotations

import atexit
import base64
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Self

from tests.servers.jars import SMALL_JVM, Installation, installation, lock

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

STARTED = "Kafka Server started"
LISTENERS = "PLAINTEXT://127.0.0.1:{client},CONTROLLER://127.0.0.1:{controller}"

SETTINGS = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    # a topic that is missing must be seen to be missing
    "auto.create.topics.enable": "false",
    "delete.topic.enable": "true",
    # one node, and first groups and transactions without waiting
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "1",
    "offsets.topic.segment.bytes": "1048576",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "1",
    "transaction.state.log.segment.bytes": "1048576",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "1",
    "group.initial.rebalance.delay.ms": "0",
    # tests may ask for short sessions
    "group.min.session.timeout.ms": "1000",
    "group.consumer.min.session.timeout.ms": "1000",
    "group.consumer.min.heartbeat.interval.ms": "200",
    "group.consumer.heartbeat.interval.ms": "500",
    "group.consumer.session.timeout.ms": "10000",
    # records with old timestamps must not vanish under a test; a topic that wants retention says so
    "log.retention.ms": "-1",
    # retention, compaction and abandoned transactions are looked at often
    "log.retention.check.interval.ms": "1000",
    "log.initial.task.delay.ms": "500",
    "log.cleaner.backoff.ms": "500",
    "log.segment.delete.delay.ms": "1000",
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": "500",
    # a small process
    "log.cleaner.dedupe.buffer.size": "4194304",
    "num.network.threads": "2",
    "num.io.threads": "4",
}
"""Differences from Kafka's defaults; addresses and folders are added by the server."""

QUICK_RESTART = {"broker.session.timeout.ms": "2000", "broker.heartbeat.interval.ms": "300"}
"""A killed broker may come back only when its old session has ended: 9 s by default."""


class KafkaServer:
    """One broker with its own folder, ports and cluster id; `settings` go over SETTINGS.

    `properties` is what is written to server.properties at each start; tests may change it before.
    """

    def __init__(
        self,
        folder: Path,
        *,
        settings: Mapping[str, str] | None = None,
        jvm: Sequence[str] = SMALL_JVM,
        cluster: str = "",
    ) -> None:
        """`cluster` is the id of the cluster that it belongs to, where it is not its own."""
        self.folder = folder
        self._cluster = cluster or new_uuid()
        self.jvm = tuple(jvm)
        self.log = folder / "broker.log"
        client, controller = free_ports(2)
        listeners = LISTENERS.format(client=client, controller=controller)
        self.bootstrap = f"127.0.0.1:{client}"
        self.properties = SETTINGS | {
            "listeners": listeners,
            "advertised.listeners": listeners.split(",")[0],
            "controller.quorum.voters": f"1@127.0.0.1:{controller}",
            "log.dirs": str(folder / "data"),
            **(settings or {}),
        }
        self._process: subprocess.Popen[bytes] | None = None
        self._watcher: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def pid(self) -> int:
        """The broker's process id; raises when it does not run."""
        if self._process is None:
            raise RuntimeError("this broker is not running")
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the process is there (also when paused)."""
        return self._process is not None and self._process.poll() is None

    def start(self, timeout: float = 60.0) -> None:
        """Start on the data that is there, and return when the broker takes requests (seconds)."""
        if self.running:
            return
        kafka = installation()
        self._launch(kafka, trained(kafka))
        self._wait_until(self._says_started, timeout)

    def stop(self, timeout: float = 20.0) -> None:
        """End it in good order (SIGTERM), or else by force after so many seconds."""
        if self._process is None:
            return
        self.resume()
        self._process.terminate()
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._reap()

    def kill(self) -> None:
        """End it at once (SIGKILL), as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._reap()

    def pause(self) -> None:
        """Make it hang (SIGSTOP): connections stay, nothing answers; returns when that is so."""
        self._signal(signal.SIGSTOP)
        self._wait_until(lambda: _all_stopped(self.pid), 5.0)

    def resume(self) -> None:
        """Let a paused broker go on (SIGCONT)."""
        self._signal(signal.SIGCONT)

    def tail(self, lines: int = 40) -> str:
        """The end of the broker's log."""
        if not self.log.exists():
            return "(no log)"
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def _launch(self, kafka: Installation, extra: Sequence[str]) -> None:
        """Start the process and its watcher; `extra` are options of the JVM."""
        self.folder.mkdir(parents=True, exist_ok=True)
        data, node = Path(self.properties["log.dirs"]), self.properties["node.id"]
        _format_folder(kafka, data, node, self._cluster)
        file = self.folder / "server.properties"
        file.write_text("".join(f"{key}={value}\n" for key, value in self.properties.items()))
        command = [*kafka.java(*self.jvm, *extra), "kafka.Kafka", str(file)]
        with self.log.open("ab") as log:
            self._begin = log.tell()
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                cwd=self.folder,
            )
        self._watcher = _watch(self._process.pid)
        atexit.register(self.kill)

    def _says_started(self) -> bool:
        """Whether this start (the log is appended to) has come to its end; raises if it died."""
        with self.log.open("rb") as log:
            log.seek(self._begin)
            if STARTED.encode() in log.read():
                return True
        if not self.running:
            raise RuntimeError("the broker ended while it started")
        return False

    def _wait_until(self, condition: Callable[[], bool], timeout: float) -> None:
        deadline = time.monotonic() + timeout
        try:
            while not condition():
                if time.monotonic() > deadline:
                    raise TimeoutError(f"Kafka was not ready within {timeout} s")  # noqa: TRY301  one way out
                time.sleep(0.02)
        except Exception as error:
            error.add_note(f"{self.log}:\n{self.tail()}")
            self.kill()
            raise

    def _signal(self, number: signal.Signals) -> None:
        """Signal our own process only, and only while it lives."""
        if self._process is not None:
            self._process.send_signal(number)

    def _reap(self) -> None:
        """Wait for the dead process; its watcher goes before its id can belong to another."""
        if self._watcher is not None:
            self._watcher.kill()
            self._watcher.communicate()
        if self._process is not None:
            self._process.wait()
        self._process = self._watcher = None
        atexit.unregister(self.kill)


def _all_stopped(pid: int) -> bool:
    """Whether each thread of the process has obeyed SIGSTOP (taken on trust where there is no /proc)."""
    threads = Path(f"/proc/{pid}/task").glob("*/stat")
    return all(thread.read_text().rpartition(")")[2].split()[0] == "T" for thread in threads)


def _watch(pid: int) -> subprocess.Popen[bytes]:
    """A process that kills `pid` when we are gone: then nobody holds its standard input open."""
    script = f"cat >/dev/null; kill -9 {pid}"
    return subprocess.Popen(["/bin/sh", "-c", script], stdin=subprocess.PIPE, start_new_session=True)


def _format_folder(kafka: Installation, data: Path, node: str, cluster: str) -> None:
    """Give a new broker its log folder."""
    if (data / "meta.properties").exists():
        return
    shutil.copytree(kafka.formatted, data, dirs_exist_ok=True)
    meta = f"version=1\ncluster.id={cluster}\nnode.id={node}\ndirectory.id={new_uuid()}\n"
    (data / "meta.properties").write_text(meta)


def new_uuid() -> str:
    """A random id as Kafka writes them; the first letter keeps it from looking like an option."""
    return "K" + base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")[1:]


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on.

    They lie below the range from which clients get theirs (32768 and up on Linux): a client that
    keeps trying to reach a stopped broker there could end up connected to itself.
    """
    ports: list[int] = []
    chance = random.SystemRandom()
    while len(ports) < count:
        port = chance.randrange(20_000, 32_000)
        with socket.socket() as probe:
            if port not in ports and probe.connect_ex(("127.0.0.1", port)) != 0:
                ports.append(port)
    return ports


def trained(kafka: Installation) -> Sequence[str]:
    """JVM options that use what a training run has learnt; the run is made once on a machine."""
    with lock(kafka.folder / "lock"):
        if not kafka.aot.exists():
            _train(kafka)
    return (f"-XX:AOTCache={kafka.aot}", "-Xlog:aot*=off", "-Xlog:cds=off")


def _train(kafka: Installation) -> None:
    """Start and stop a broker while the JVM takes notes; the notes appear complete or not at all."""
    with tempfile.TemporaryDirectory(dir=kafka.folder) as folder:
        server, notes = KafkaServer(Path(folder)), Path(folder) / "kafka.aot"
        server._launch(kafka, [f"-XX:AOTCacheOutput={notes}"])
        server._wait_until(server._says_started, 120.0)
        server.stop(timeout=120.0)
        notes.rename(kafka.aot)
