"""A TCP proxy that breaks connections on request: late, stalled, reset, or cut in the middle, in either direction."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeVar

from services.local_stack.child_process import LOOPBACK

Toxic = Literal["latency", "stall", "reset", "cut"]
Direction = Literal["up", "down"]
"""Up: from the client to the server."""
TOXICS: Final[tuple[Toxic, ...]] = ("latency", "stall", "reset", "cut")
DIRECTIONS: Final[tuple[Direction, ...]] = ("up", "down")
LATENCY_SECONDS: Final = 0.25
Served = TypeVar("Served")
RESET_AT_ONCE: Final = struct.pack("ii", 1, 0)


@dataclass
class Link:
    """One proxied address: `port` for clients, `upstream` the server's. At most one toxic a direction."""

    upstream: int
    port: int
    toxics: dict[Direction, Toxic] = field(default_factory=dict)
    late_seconds: float = LATENCY_SECONDS
    """How late `latency` makes each piece of data."""
    bitten: int = 0
    """How many pieces of data a toxic has met."""
    open: set[asyncio.StreamWriter] = field(default_factory=set)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One client's connection, until either side ends it."""
        try:
            up_reader, up_writer = await asyncio.open_connection(LOOPBACK, self.upstream)
        except OSError:
            _reset(writer)
            return
        both = (writer, up_writer)
        self.open.update(both)
        pumps = [
            asyncio.create_task(self._pump(reader, up_writer, "up", both)),
            asyncio.create_task(self._pump(up_reader, writer, "down", both)),
        ]
        await asyncio.gather(*pumps, return_exceptions=True)
        for side in both:
            side.close()
            self.open.discard(side)

    async def _pump(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        direction: Direction,
        both: tuple[asyncio.StreamWriter, asyncio.StreamWriter],
    ) -> None:
        try:
            while data := await reader.read(65536):
                toxic = self.toxics.get(direction)
                if toxic is not None:
                    self.bitten += 1
                    if await self._bite(toxic, direction, data, writer):
                        for side in both:
                            _reset(side)
                        return
                writer.write(data)
                await writer.drain()
            writer.write_eof()
        except OSError:
            for side in both:
                _reset(side)

    async def _bite(self, toxic: Toxic, direction: Direction, data: bytes, writer: asyncio.StreamWriter) -> bool:
        """Does what the toxic does to one piece of data; whether the connection is to be reset."""
        if toxic == "latency":
            await asyncio.sleep(self.late_seconds)
        while self.toxics.get(direction) == "stall":
            await asyncio.sleep(0.05)
        if toxic == "cut":
            writer.write(data[: len(data) // 2])
            await writer.drain()
            await asyncio.sleep(0.01)  # the half must be on its way before the reset overtakes it
        return toxic in ("cut", "reset")


class Proxies:
    """Links, served by a thread of their own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._servers: list[asyncio.Server] = []
        self._links: list[Link] = []
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxies", daemon=True)
        self._thread.start()

    def link(self, upstream: int = 0) -> Link:
        """A new link; set its `upstream` before anybody connects."""
        listener = socket.create_server((LOOPBACK, 0), backlog=200)
        made = Link(upstream, listener.getsockname()[1])
        self._links.append(made)
        self._servers.append(self._run(asyncio.start_server(made.serve, sock=listener)))
        return made

    def close(self) -> None:
        """Ends every connection."""
        self._run(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _end(self) -> None:
        for server in self._servers:
            server.close()
        serving = asyncio.all_tasks() - {asyncio.current_task()}
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)
        for link in self._links:
            for writer in link.open:
                _reset(writer)
        await asyncio.sleep(0.01)  # what was aborted is closed by the loop, a moment later

    def _run(self, work: Coroutine[Any, Any, Served]) -> Served:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)


@contextmanager
def proxies() -> Iterator[Proxies]:
    """Proxies that end with the block."""
    made = Proxies()
    try:
        yield made
    finally:
        made.close()


def _reset(writer: asyncio.StreamWriter) -> None:
    """RST, not FIN: the other side sees a connection that broke, not one that was closed."""
    with suppress(OSError):
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_AT_ONCE)
    writer.transport.abort()
