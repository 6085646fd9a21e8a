"""The page with metrics and health: /metrics, /healthz and /readyz over HTTP."""

from __future__ import annotations

import socket
import socketserver
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import Self

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from loader.errors import ActionNeeded
from loader.observe.health import Health

PATIENCE = 10.0  # seconds for a client to say what it wants
TEXT = "text/plain; charset=utf-8"

Answer = tuple[HTTPStatus, str, bytes]


class Page:
    """Serves until it is left, in threads of its own. A context manager."""

    def __init__(self, host: str, port: int, registry: CollectorRegistry, health: Health) -> None:
        """Raises ActionNeeded where it cannot listen there."""
        self._registry, self._health = registry, health
        handler = type("Handler", (_Handler,), {"answers": self._answers()})
        try:
            self._server = _Server(host, port, handler)
        except OSError as error:
            hint = "another port or host: loader --set metrics.port=9465 run"
            raise ActionNeeded(f"{host}:{port}: {error.strerror}", address="metrics", hint=hint) from error
        self.address = f"http://{host}:{port}"
        self._thread = threading.Thread(target=self._server.serve_forever, name="page", daemon=True)

    def __enter__(self) -> Self:
        """Begin to serve."""
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        """Let the port go."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _answers(self) -> dict[str, Callable[[str], Answer]]:
        return {"/metrics": self._metrics, "/healthz": self._alive, "/readyz": self._ready}

    def _metrics(self, accept: str) -> Answer:
        encode, kind = choose_encoder(accept)
        return HTTPStatus.OK, kind, encode(self._registry)

    def _alive(self, _accept: str) -> Answer:
        """Whether a new process is not needed."""
        return _plain(self._health.broken)

    def _ready(self, _accept: str) -> Answer:
        """Whether work can be done now."""
        return _plain(self._health.trouble)


def _plain(trouble: str) -> Answer:
    status = HTTPStatus.SERVICE_UNAVAILABLE if trouble else HTTPStatus.OK
    return status, TEXT, f"{trouble or 'ok'}\n".encode()


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, host: str, port: int, handler: type[BaseHTTPRequestHandler]) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, port), handler)


class _Handler(BaseHTTPRequestHandler):
    answers: dict[str, Callable[[str], Answer]]
    timeout = PATIENCE

    def do_GET(self) -> None:
        """Answer."""
        answer = self.answers.get(self.path.split("?", 1)[0])
        status, kind, body = (
            answer(self.headers.get("Accept", "")) if answer else (HTTPStatus.NOT_FOUND, TEXT, b"not found\n")
        )
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Nothing: a scrape is no news."""
