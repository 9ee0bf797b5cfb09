"""A bell for the processes of many machines: LISTEN channels of the ledger's database.

The ends of single tasks have a channel of their own: workers, who are many, need not hear them.

What was rung while the last NOTIFY ran goes out with the next one, after the commits that it tells
of: a NOTIFY within them would make all commits of the database wait for one another. What is lost
(a broken connection, a pooler) is made good by `*`, "look at everything again".
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Collection, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Any

import asyncpg
import structlog

from ferrotype.bells.ears import EVERYTHING, Ear, Ears

CHANNEL, ENDS = "ferrotype", "ferrotype_tasks"
GLANCE = 1.0  # seconds between two looks at everything while nothing can be heard
PULSE = 5.0  # seconds of silence after which the connection is tried
PATIENCE = 5.0  # seconds that the server may take for an answer
_LONGEST = 7_900  # bytes of a payload; the server's limit is 8,000
_MOST = 20  # payloads in one go; more is "*"
_NOTIFY = "SELECT pg_notify(channel, said) FROM unnest($1::text[], $2::text[]) AS t(channel, said)"
log = structlog.get_logger(__name__)


class PostgresBell:
    """Open one a process: `async with PostgresBell.open(url) as bell: await bell.joined()`."""

    def __init__(self, url: str, channels: Collection[str]) -> None:
        self._url = url
        self._channels = channels
        self._name = secrets.token_hex(4)  # by which we know our own rings again
        self._loop = asyncio.get_running_loop()
        self._ears = Ears()
        self._pending: set[str] = set()
        self._some = asyncio.Event()
        self._joined = asyncio.Event()
        self._leaving = False

    @classmethod
    @asynccontextmanager
    async def open(
        cls, url: str, *, ends: bool = True, pooled: bool = False
    ) -> AsyncIterator["PostgresBell"]:
        """Join the bell of a database. Without `ends`, topics `task:<id>` of others are not heard.

        `pooled`: through a pooler of transactions, where nobody can LISTEN: everybody here looks
        at everything once a second. A database that is away is waited for, in the background.
        """
        bell = cls(url, (CHANNEL, ENDS) if ends else (CHANNEL,))
        if pooled:
            bell._joined.set()
        task = asyncio.create_task(bell._glance() if pooled else bell._live())
        try:
            yield bell
        finally:
            await bell._leave(task)

    async def joined(self) -> None:
        """Wait until everything is heard here that others ring, for a few seconds at most."""
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                await self._joined.wait()

    def ring(self, topics: Collection[str]) -> None:
        """Wake every ear that listens to one of these, in all processes. Any thread may call."""
        if topics:
            with suppress(RuntimeError):  # the loop is closed: nobody listens any more
                self._loop.call_soon_threadsafe(self._take, tuple(topics))

    def listen(self, topics: Collection[str]) -> AbstractAsyncContextManager[Ear]:
        """Open an ear. What rings after this is never missed by the ear's next `wait`."""
        return self._ears.listen(topics)

    async def _leave(self, task: asyncio.Task[None]) -> None:
        """Tell what is still to be told, if that takes no time."""
        self._leaving = True
        self._some.set()
        if self._pending and self._joined.is_set():
            await asyncio.wait({task}, timeout=GLANCE)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    def _take(self, topics: Collection[str]) -> None:
        self._ears.wake(topics)
        if EVERYTHING not in self._pending:
            self._pending.update(topics)
        self._some.set()

    async def _glance(self) -> None:
        while True:
            await asyncio.sleep(GLANCE)
            self._pending.clear()
            self._ears.wake((EVERYTHING,))

    async def _live(self) -> None:
        """Hear and tell for as long as a connection holds; glance until there is another."""
        broken = False
        while not self._leaving:
            self._joined.clear()
            try:
                await self._hear_and_tell()
            except Exception as error:  # the client library too breaks in ways of its own
                if self._joined.is_set() or not broken:  # told once an outage
                    log.warning("bell broke", action="listen", error=repr(error))
                broken = True
            self._pending = {EVERYTHING}  # what others may have missed of us
            self._ears.wake((EVERYTHING,))
            await asyncio.sleep(GLANCE)

    async def _hear_and_tell(self) -> None:
        conn = await asyncpg.connect(self._url, timeout=PATIENCE, command_timeout=PATIENCE)
        try:
            conn.add_termination_listener(lambda _: self._some.set())
            for channel in self._channels:
                await conn.add_listener(channel, self._hear)
            self._joined.set()
            self._ears.wake((EVERYTHING,))  # what rang before we heard
            while True:
                await self._wait()
                if conn.is_closed():
                    raise ConnectionResetError("the server closed the bell's connection")
                await self._tell(conn)
                if self._leaving:
                    return
        finally:
            conn.terminate()

    async def _wait(self) -> None:
        """Wait for something to tell, or for a pulse."""
        with suppress(TimeoutError):
            async with asyncio.timeout(PULSE):
                await self._some.wait()
        self._some.clear()

    async def _tell(self, conn: asyncpg.Connection) -> None:
        topics, self._pending = self._pending, set()
        ends = {topic for topic in topics if topic.startswith("task:")}
        told = [
            (channel, payload)
            for channel, some in ((CHANNEL, topics - ends), (ENDS, ends))
            for payload in _payloads(self._name, some)
        ]
        if len(told) > _MOST:
            told = [(channel, f"{self._name}\n{EVERYTHING}") for channel in (CHANNEL, ENDS)]
        await conn.execute(_NOTIFY, [channel for channel, _ in told], [said for _, said in told])

    def _hear(self, _conn: Any, _pid: int, _channel: str, payload: object) -> None:
        name, *topics = str(payload).split("\n")
        if name != self._name:
            self._ears.wake(topics)


def _payloads(name: str, topics: Collection[str]) -> Iterator[str]:
    """Yield the topics in payloads that the server takes, each after our name."""
    lines, size = [name], len(name)
    for topic in topics:
        length = len(topic.encode()) + 1
        if size + length > _LONGEST and len(lines) > 1:
            yield "\n".join(lines)
            lines, size = [name], len(name)
        lines.append(topic)
        size += length
    if len(lines) > 1:
        yield "\n".join(lines)
