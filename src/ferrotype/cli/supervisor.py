"""Keeps the processes of `ferrotype serve` running, and ends with all of them."""

import asyncio
import os
import signal
import sys
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import structlog

from ferrotype import lifeline

PAUSES = (0.0, 1.0, 2.0, 5.0)  # seconds before a restart, by deaths within the span
DEATHS = 5  # within the span: give up
SPAN = 60.0  # seconds
PATIENCE = 10.0  # seconds that a child has to end once it must end now
TAIL = 20  # lines of a child's log that are shown when we give up

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class Child:
    """A process to keep: `pass_fds` are open in it under the same numbers.

    It is not started before `after`. Its environment is `env` and the pid that it must call
    `lifeline.tie_if_asked` for.
    """

    name: str
    argv: Sequence[str]
    env: Mapping[str, str]
    pass_fds: Sequence[int] = ()
    after: asyncio.Event | None = None


async def supervise(children: Sequence[Child]) -> int:
    """Run the children until a SIGTERM or SIGINT, which is passed on; a second one means now.

    Each that dies is started again. Returns 0 after a signal, 1 when one died too often.
    """
    stopping, hurry = asyncio.Event(), asyncio.Event()

    def ask() -> None:
        if stopping.is_set():
            hurry.set()
        stopping.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ask)
    keepers = [_Keeper(child, stopping, hurry) for child in children]
    try:
        async with asyncio.TaskGroup() as group:
            for keeper in keepers:
                group.create_task(keeper.keep())
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
    given_up = [keeper for keeper in keepers if keeper.given_up]
    for keeper in given_up:
        keeper.explain()
    return 1 if given_up else 0


@dataclass
class _Keeper:
    """One child, through all its lives."""

    child: Child
    stopping: asyncio.Event
    hurry: asyncio.Event
    given_up: bool = False
    tail: deque[bytes] = field(default_factory=lambda: deque(maxlen=TAIL))

    async def keep(self) -> None:
        """Run the child again and again until the stop."""
        deaths: deque[float] = deque()
        loop = asyncio.get_running_loop()
        if self.child.after is not None:
            await _first_of(self.child.after, self.stopping)
        while not self.stopping.is_set():
            code = await self._live()
            if self.stopping.is_set():
                return
            now = loop.time()
            deaths.append(now)
            while deaths[0] < now - SPAN:
                deaths.popleft()
            _log.error("died", action="serve.restart", child=self.child.name, code=code)
            if len(deaths) >= DEATHS:
                self.given_up = True
                self.hurry.set()
                self.stopping.set()
                return
            await _wait(self.stopping, PAUSES[len(deaths) - 1])

    def explain(self) -> None:
        """Say on standard error why we gave up."""
        _write(
            f"ferrotype: {self.child.name} ended {DEATHS} times within {SPAN:g} s. "
            "It said last:\n".encode()
            + b"".join(self.tail)
        )

    async def _live(self) -> int:
        """Run the child once, and return its exit code."""
        process = await asyncio.create_subprocess_exec(
            *self.child.argv,
            env={**self.child.env, lifeline.PARENT: str(os.getpid())},
            pass_fds=self.child.pass_fds,
            stdin=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,  # Ctrl-C reaches it through us alone, once
        )
        assert process.stderr is not None
        saying = asyncio.create_task(self._pass_on(process.stderr))
        ending = asyncio.create_task(self._end_when_asked(process))
        try:
            return await process.wait()
        finally:
            ending.cancel()
            if process.returncode is None:
                process.kill()
            await asyncio.wait({saying}, timeout=1.0)  # a stranger may hold the pipe open
            saying.cancel()

    async def _end_when_asked(self, process: asyncio.subprocess.Process) -> None:
        await self.stopping.wait()
        process.terminate()
        await self.hurry.wait()
        process.terminate()
        await asyncio.sleep(PATIENCE)
        process.kill()

    async def _pass_on(self, stream: asyncio.StreamReader) -> None:
        rest = b""
        while chunk := await stream.read(64 * 1024):
            *lines, rest = (rest + chunk).split(b"\n")
            self.tail.extend(line + b"\n" for line in lines)
            rest = rest[-4096:]
            await asyncio.to_thread(_write, chunk)


async def _first_of(*events: asyncio.Event) -> None:
    waits = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()


async def _wait(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return


def _write(text: bytes) -> None:
    sys.stderr.buffer.write(text)
    sys.stderr.buffer.flush()
