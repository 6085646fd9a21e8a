"""One broker for a whole test session, started when the first test asks for it.

The pytest process that the user started owns the broker: it alone outlives all xdist workers, even
those that crash. Workers ask for the address through a socket; the first question starts the broker.
"""

from __future__ import annotations

import shutil
import tempfile
import threading
from multiprocessing.connection import Client, Connection, Listener
from pathlib import Path

from tests.servers.kafka import KafkaServer


class SharedKafka:
    """The owner's side: answers each connection with the broker's address, or with what went wrong."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="loader-tests-"))
        self._lock = threading.Lock()
        self._server: KafkaServer | None = None
        self._failure = ""
        self._listener = Listener(str(self._folder / "ask"), family="AF_UNIX")
        self.address = str(self._listener.address)
        threading.Thread(target=self._answer_all, name="shared-kafka", daemon=True).start()

    def bootstrap(self) -> str:
        """The address of the broker, which is started now if it was not; raises what prevented it."""
        with self._lock:
            if self._failure:
                raise RuntimeError(self._failure)
            if self._server is None:
                self._server = self._start()
            return self._server.bootstrap

    def close(self) -> None:
        """End the broker and remove its data."""
        self._listener.close()
        with self._lock:
            if self._server is not None:
                self._server.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _start(self) -> KafkaServer:
        """Try once in a session: tests that need the broker would fail in the same way."""
        server = KafkaServer(self._folder / "kafka")
        try:
            server.start()
        except Exception as error:
            self._failure = "\n".join(
                [f"Kafka could not be started: {error}", *getattr(error, "__notes__", [])]
            )
            raise
        return server

    def _answer_all(self) -> None:
        while True:
            try:
                connection = self._listener.accept()
            except OSError:  # closed: the session is over
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: Connection) -> None:
        with connection:
            try:
                connection.send(("ok", self.bootstrap()))
            except Exception as error:  # noqa: BLE001  it is raised again by the worker that asked
                connection.send(("failed", f"{error!r}\n{self._failure}"))


def ask(address: str) -> str:
    """A worker's side: the address of the shared broker."""
    with Client(address, family="AF_UNIX") as connection:
        outcome, text = connection.recv()
    if outcome != "ok":
        raise RuntimeError(text)
    return str(text)
