"""A line to a server that a test can break as networks do."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit, urlunsplit


class Proxy:
    """Forwards bytes, unless told otherwise."""

    def __init__(self, host: str, port: int) -> None:
        self._there = (host, port)
        self._open = asyncio.Event()
        self._open.set()
        self._lines: set[asyncio.StreamWriter] = set()
        self._word: bytes | None = None
        self._waits = True  # for the answer that is swallowed
        self.broken = 0

    def drop(self) -> None:
        """From now on nothing passes, in either direction, and no line is closed."""
        self._open.clear()

    def heal(self) -> None:
        """Let pass what waited, and all else."""
        self._open.set()

    def swallow_answer_to(self, word: bytes, *, wait: bool = True) -> None:
        """The next time that a caller says this word: deliver it, then cut the line instead of
        bringing the answer back. `wait`: for the answer to be there."""
        self._word, self._waits = word, wait

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Be one line."""
        there, back = await asyncio.open_connection(*self._there)
        self._lines |= {writer, back}
        swallow = asyncio.Event()

        async def out() -> None:
            while data := await reader.read(1 << 16):
                await self._open.wait()
                if self._word is not None and self._word in data:
                    self._word = None
                    swallow.set()
                back.write(data)
                if swallow.is_set() and not self._waits:
                    await asyncio.sleep(0.2)  # let the server begin
                    self.broken += 1
                    return

        async def home() -> None:
            while data := await there.read(1 << 16):
                await self._open.wait()
                if swallow.is_set():
                    await asyncio.sleep(0.2)  # let the server end what it does
                    self.broken += 1
                    return
                writer.write(data)

        ways = [asyncio.ensure_future(out()), asyncio.ensure_future(home())]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            for end in (writer, back):
                self._lines.discard(end)
                end.transport.abort()
            with suppress(OSError, asyncio.CancelledError):
                await asyncio.gather(*ways)

    def cut_all(self) -> None:
        """Cut every line."""
        for line in list(self._lines):
            line.transport.abort()


@asynccontextmanager
async def between(url: str) -> AsyncIterator[tuple[Proxy, str]]:
    """Open a proxy before the server of a URL, and say the URL that leads through it."""
    parts = urlsplit(url)
    proxy = Proxy(parts.hostname or "", parts.port or 0)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    through = urlunsplit(parts._replace(netloc=f"{parts.username}@127.0.0.1:{port}"))
    try:
        yield proxy, through
    finally:
        proxy.heal()
        proxy.cut_all()
        server.close()
