"""A line to an upstream that counts what passes, and breaks what a test names.

It speaks just enough HTTP to know one request from another; what it forwards goes through as bytes.
"""

import asyncio
import json
from collections import Counter, deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from ferrotype.engines.dashscope.region import NOBODY

Forward = Callable[[], Awaitable[bytes]]
Trick = Callable[["Request", Forward], Awaitable[bytes | None]]


@dataclass(frozen=True)
class Request:
    """One request as it came."""

    kind: str  # create, query, probe, cancel, policy, upload, file
    raw: bytes

    @property
    def head(self) -> str:
        return self.raw.partition(b"\r\n\r\n")[0].decode("latin-1")

    @property
    def body(self) -> bytes:
        return self.raw.partition(b"\r\n\r\n")[2]


@dataclass
class Tamper:
    """Forwards, unless there is a trick for a kind of request: each trick is played once."""

    host: str
    there: int
    port: int = 0
    tricks: dict[str, deque[Trick]] = field(default_factory=dict)
    always: dict[str, Trick] = field(default_factory=dict)
    seen: list[Request] = field(default_factory=list)
    passed: Counter[str] = field(default_factory=Counter)
    open: set[asyncio.StreamWriter] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    def play(self, kind: str, *tricks: Trick) -> None:
        """Play tricks with the next requests of a kind, in this order."""
        self.tricks.setdefault(kind, deque()).extend(tricks)

    def requests(self, kind: str) -> list[Request]:
        return [request for request in self.seen if request.kind == kind]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open.add(writer)
        try:
            with suppress(asyncio.IncompleteReadError, ConnectionError):
                request = await _read(reader)
                self.seen.append(request)
                answer = await self._answer(request)
                if answer is None:
                    writer.transport.abort()
                    return
                writer.write(answer)
                await writer.drain()
        finally:
            self.open.discard(writer)
            writer.close()

    async def _answer(self, request: Request) -> bytes | None:
        async def forward() -> bytes:
            self.passed[request.kind] += 1
            return await self._forward(request)

        waiting = self.tricks.get(request.kind)
        if waiting:
            return await waiting.popleft()(request, forward)
        if request.kind in self.always:
            return await self.always[request.kind](request, forward)
        return await forward()

    async def _forward(self, request: Request) -> bytes:
        reader, writer = await asyncio.open_connection(self.host, self.there)
        try:
            head, _, body = request.raw.partition(b"\r\n\r\n")
            writer.write(head + b"\r\nConnection: close\r\n\r\n" + body)
            return await reader.read()
        finally:
            writer.close()


async def _read(reader: asyncio.StreamReader) -> Request:
    head = await reader.readuntil(b"\r\n\r\n")
    length = 0
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            length = int(line.partition(b":")[2])
    body = await reader.readexactly(length)
    method, target, _ = head.decode("latin-1").split(" ", 2)
    return Request(_kind(method, target), head + body)


def _kind(method: str, target: str) -> str:
    if target.startswith("/api/v1/services/"):
        return "create"
    if target.startswith("/api/v1/uploads"):
        return "policy"
    if target.startswith("/upload"):
        return "upload"
    if target.startswith("/files/"):
        return "file"
    if method == "POST":
        return "cancel"
    return "probe" if NOBODY in target else "query"


@asynccontextmanager
async def tampered(url: str) -> AsyncIterator[Tamper]:
    """Open a line before the server of a URL, on a port of its own."""
    parts = urlsplit(url)
    tamper = Tamper(parts.hostname or "", parts.port or 0)
    server = await asyncio.start_server(tamper.serve, tamper.host, 0)
    tamper.port = server.sockets[0].getsockname()[1]
    try:
        yield tamper
    finally:
        server.close()
        for writer in list(tamper.open):
            writer.transport.abort()


def http(status: int, body: object, *headers: str, type: str = "application/json") -> bytes:
    """Write an answer; what is no text becomes JSON."""
    data = (body if isinstance(body, str) else json.dumps(body)).encode()
    lines = (f"HTTP/1.1 {status} X", f"Content-Type: {type}", f"Content-Length: {len(data)}")
    return "\r\n".join((*lines, *headers, "Connection: close", "", "")).encode() + data


def error(status: int, code: str, message: str = "As rehearsed.", *headers: str) -> Trick:
    """Answer with an error in the vendor's shape, without forwarding."""
    return answer(http(status, {"code": code, "message": message, "request_id": "r"}, *headers))


def answer(said: bytes) -> Trick:
    """Answer so, without forwarding."""

    async def trick(_: Request, __: Forward) -> bytes:
        return said

    return trick


async def cut_before(_: Request, __: Forward) -> None:
    """Cut the line when the request has come, without forwarding it."""


async def cut_after(_: Request, forward: Forward) -> None:
    """Forward, then cut the line instead of bringing the answer back."""
    await forward()


async def twice(_: Request, forward: Forward) -> bytes:
    """Bring the answer back, and once more after it."""
    said = await forward()
    return said + said


def instead(said: bytes) -> Trick:
    """Forward, but bring something else back."""

    async def trick(_: Request, forward: Forward) -> bytes:
        await forward()
        return said

    return trick


def changed(old: bytes, new: bytes) -> Trick:
    """Forward, and change words of the same length in the answer."""
    assert len(old) == len(new)

    async def trick(_: Request, forward: Forward) -> bytes:
        return (await forward()).replace(old, new)

    return trick


class Held:
    """Forwards, then keeps the answer back until `free` is set."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self.free = asyncio.Event()

    async def __call__(self, _: Request, forward: Forward) -> bytes:
        said = await forward()
        self.reached.set()
        await self.free.wait()
        return said
