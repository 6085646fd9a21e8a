"""Starts of `loader` without its imports: one process has done them, and forks a child for each command.

A command spends most of its second on imports, in which a kill could meet nothing. A child runs the same
`main` with the same words as `python -m loader`, in a process of its own with its own environment, folder and
files. It leaves with `os._exit`: what libraries began before the fork cannot be ended in order.

A request comes on a connection of its own: a line of JSON (`words`, `env`, `folder`, `before`) with three
descriptors (stdin, stdout, stderr). The answers are the process id, then the exit code once it has ended.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import pkgutil
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

LEFT_OUT = ("loader.__main__", "loader.warehouse.asked")  # programs of their own
MOST = 1 << 20  # bytes of a request
FLUSH_FAILED = 120  # Python's exit code when standard output cannot be written at the end


class Child:
    """A forked `loader`, with the part of `subprocess.Popen` that tests use."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self.pid = int(_line(connection))
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """The exit code, negative for a signal; None while it lives."""
        return self._look(0)

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end (seconds); raises subprocess.TimeoutExpired."""
        if (code := self._look(timeout)) is None:
            raise subprocess.TimeoutExpired("loader", timeout or 0)
        return code

    def send_signal(self, number: int) -> None:
        """A signal; no effect on one that has ended."""
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)  # the number is no other's: the child is reaped after it was told

    def terminate(self) -> None:
        """SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def _look(self, timeout: float | None) -> int | None:
        if self.returncode is None and select.select([self._connection], [], [], timeout)[0]:
            self.returncode = int(_line(self._connection))
            self._connection.close()
        return self.returncode


class Nursery:
    """The process that forks; `env` is what it has itself, with `LD_PRELOAD` for all its children."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="nursery-"))
        self.address = str(self._folder / "ask")
        command = [sys.executable, "-m", "tests.servers.nursery", self.address]
        self._home = subprocess.Popen(command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._home.stdout is not None
        if not self._home.stdout.readline():
            raise EOFError("the nursery did not start")

    def start(
        self,
        words: Sequence[str],
        env: Mapping[str, str],
        folder: Path,
        files: Sequence[int],
        before: tuple[str, Mapping[str, object]] | None = None,
    ) -> Child:
        """Begin a command; `files` are its stdin, stdout and stderr, `before` is a function `module:name`.

        The function is called in the child, before the command, with these arguments.
        """
        order = {"words": words, "env": dict(env), "folder": str(folder), "before": before}
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(self.address)
        socket.send_fds(connection, [json.dumps(order).encode() + b"\n"], list(files))
        return Child(connection)

    def close(self) -> None:
        """End it; children that live are not touched."""
        self._home.communicate()
        shutil.rmtree(self._folder, ignore_errors=True)


def serve(address: str) -> list[str]:
    """Fork for each request; returns in a child only, with its words, and ends with standard input."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(address)
    listener.listen(128)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    os.write(1, b"ready\n")
    while True:
        ready, _, _ = select.select([0, listener], [], [])
        if 0 in ready:
            os._exit(0)
        connection, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            return _answer(connection)
        connection.close()


def _answer(connection: socket.socket) -> list[str]:
    """Fork the command and tell of it; returns in the command only."""
    line, files, _, _ = socket.recv_fds(connection, MOST, 3)
    while not line.endswith(b"\n"):
        line += connection.recv(MOST)
    if (pid := os.fork()) == 0:
        connection.close()
        return _settled(json.loads(line), files)
    try:
        connection.sendall(f"{pid}\n".encode())
        ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        assert ended is not None
        code = ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status
        connection.sendall(f"{code}\n".encode())
        connection.recv(1)  # until nobody can send a signal to this number any more
    finally:
        os._exit(0)


def _settled(order: dict[str, Any], files: Sequence[int]) -> list[str]:
    """In the command: files, folder and environment as asked for."""
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    os.chdir(order["folder"])
    os.environ.clear()
    os.environ.update(order["env"])
    time.tzset()
    sys.modules["loader.failpoints"]._armed = os.environ.get("LOADER_FAIL", "")  # type: ignore[attr-defined]
    if order["before"]:
        (function, arguments) = order["before"]
        module, _, name = function.partition(":")
        getattr(importlib.import_module(module), name)(**arguments)
    sys.argv = ["loader", *order["words"]]
    return sys.argv[1:]


def _line(connection: socket.socket) -> str:
    """The next line, whatever comes after it; raises EOFError when the other side has ended."""
    found = b""
    while not found.endswith(b"\n"):
        if not (piece := connection.recv(1)):
            raise EOFError("the nursery has ended")
        found += piece
    return found.decode()


def _import_all() -> None:
    """Import all of `loader` and with it what it needs, compile its statements, map DuckDB's extensions.

    What is here before the fork is left alone by the garbage collections of the commands.
    """
    import loader
    from loader import statements
    from loader.warehouse import attach

    for module in pkgutil.walk_packages(loader.__path__, "loader."):
        if module.name not in LEFT_OUT:
            importlib.import_module(module.name)
    root = Path(str(statements.shipped("sql")))
    for file in root.rglob("*.sql"):
        statements._template(str(file.relative_to(root).with_suffix("")))
    with attach.attach_empty() as home:
        attach._load_extensions(home)
    gc.collect()
    gc.freeze()


if __name__ == "__main__":
    from loader.cli.main import main

    _import_all()
    words = serve(sys.argv[1])
    try:
        main(words)
    except SystemExit as end:
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        except OSError:
            os._exit(FLUSH_FAILED)
        os._exit(int(end.code or 0))
    except BaseException:  # noqa: BLE001 - also where there is no memory left to say more
        with suppress(MemoryError):
            traceback.print_exc()
        os._exit(1)
