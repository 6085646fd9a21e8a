"""A bad network between a client and a broker: it cuts, hangs, is slow, and loses answers.

    with Proxy(port_of_the_broker) as network:
        network.cut()

Frames of Kafka's protocol are passed on whole: 4 bytes of length; a request begins with its api key
(2 bytes), version (2) and correlation id (4), an answer with the correlation id.
"""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from typing import Self

from tests.servers.kafka import free_ports

OFFSET_COMMIT = 8  # an api key


class Proxy:
    """Listens on `port` and passes everything on; the attributes may be changed at any time.

    `delay` are seconds before each frame is passed on; `hangs` keeps connections open and passes
    nothing on; answers to the api keys in `loses` are swallowed, and counted in `lost`.
    """

    def __init__(self, broker: int) -> None:
        [self.port] = free_ports(1)
        self.delay = 0.0
        self.hangs = False
        self.loses: frozenset[int] = frozenset()
        self.lost = 0
        self._broker = broker
        self._writers: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        begun = asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self._server = asyncio.run_coroutine_threadsafe(begun, self._loop).result(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._server.close)
        self.cut()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def cut(self) -> None:
        """Break all connections, in the middle of whatever they carry."""
        self._loop.call_soon_threadsafe(self._abort)

    def _abort(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answers, requests = await asyncio.open_connection("127.0.0.1", self._broker)
        swallowed: set[bytes] = set()
        ends = {writer, requests}
        self._writers |= ends
        try:
            await asyncio.gather(
                self._pass_on(reader, requests, swallowed, is_request=True),
                self._pass_on(answers, writer, swallowed, is_request=False),
            )
        except (OSError, asyncio.IncompleteReadError):
            pass  # one end is gone, so the other one goes too
        finally:
            self._writers -= ends
            for end in ends:
                with suppress(OSError):
                    end.close()

    async def _pass_on(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        swallowed: set[bytes],
        *,
        is_request: bool,
    ) -> None:
        while True:
            length = await reader.readexactly(4)
            frame = await reader.readexactly(int.from_bytes(length, "big"))
            await asyncio.sleep(self.delay)
            while self.hangs:  # noqa: ASYNC110 - another thread ends it
                await asyncio.sleep(0.05)
            if is_request and int.from_bytes(frame[:2], "big") in self.loses:
                swallowed.add(frame[4:8])
            elif not is_request and frame[:4] in swallowed:
                swallowed.discard(frame[:4])
                self.lost += 1
                continue
            writer.write(length + frame)
            await writer.drain()
