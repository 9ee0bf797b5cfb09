"""Servers that are sent events, as well or badly behaved as a test wants."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


@dataclass
class Receiver:
    """What it answers to each POST, and what it was sent.

    `answer` b"" leaves the caller waiting; `endless` is sent again and again after the answer;
    `closes`: the connection ends with the answer.
    """

    answer: bytes = OK
    endless: bytes = b""
    closes: bool = False
    port: int = 0
    connections: int = 0
    heads: list[dict[str, str]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    heard: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/events?token=secret"

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(body) for body in self.bodies]

    @property
    def tasks(self) -> list[str]:
        return [event["data"]["task_id"] for event in self.events]

    async def until(self, posts: int) -> None:
        """Wait until so many were sent."""
        async with asyncio.timeout(20), self.heard:
            await self.heard.wait_for(lambda: len(self.bodies) >= posts)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                await self._hear(reader)
                if not self.answer:
                    await reader.read()
                    return
                writer.write(self.answer)
                while self.endless:
                    writer.write(self.endless)
                    await writer.drain()
                if self.closes:
                    return
        except (ConnectionError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()

    async def _hear(self, reader: asyncio.StreamReader) -> None:
        lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        pairs = [line.split(": ", 1) for line in lines[1:] if line]
        head = {name.lower(): value for name, value in pairs}
        body = await reader.readexactly(int(head["content-length"]))
        async with self.heard:
            self.heads.append(head)
            self.bodies.append(body)
            self.heard.notify_all()


@asynccontextmanager
async def receiving(
    tls: ssl.SSLContext | None = None, receiver: Receiver | None = None
) -> AsyncIterator[Receiver]:
    """Open a receiver, or open one again on the port that it had."""
    found = receiver or Receiver()
    listener = await asyncio.start_server(found.serve, "127.0.0.1", found.port, ssl=tls)
    found.port = listener.sockets[0].getsockname()[1]
    try:
        yield found
    finally:
        listener.close()
