"""One engine host as its room sees it: a process group, a line of frames, a stream of logs."""

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Self

import structlog

from ferrotype.engine_rooms import frames
from ferrotype.engine_rooms.logs import ChildLog

ALLOWED = (  # all that a child sees of our environment: no keys, no tokens, no proxies
    "CUDA_VISIBLE_DEVICES",
    "LANG",
    "LC_ALL",
    "LD_LIBRARY_PATH",
    "NVIDIA_VISIBLE_DEVICES",
    "PATH",
    "TZ",
)
LOGS_END_WITHIN = 2.0  # seconds; a stranger may hold our child's standard output open

_log = structlog.get_logger(__name__)


class Child:
    """A running engine host. `condemn` it at any time; `end` waits until it is gone."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        line: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        log: ChildLog,
    ) -> None:
        self.pid = process.pid
        self.log = log
        self.verdict: str | None = None
        self._process = process
        self._reader, self._writer = line
        assert process.stdout is not None
        self._logging = asyncio.create_task(log.follow(process.stdout))

    @classmethod
    async def spawn(cls, argv: Sequence[str], folder: Path) -> Self:
        """Start a host in a process group, a session and a home of its own."""
        ours, theirs = socket.socketpair()
        with theirs, contextlib.ExitStack() as unless_it_runs:
            unless_it_runs.enter_context(ours)
            fd = theirs.fileno()
            process = await asyncio.create_subprocess_exec(
                *argv,
                *("--line", str(fd), "--parent", str(os.getpid())),
                pass_fds=(fd,),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                env=_environment(folder),
                cwd=folder,
                start_new_session=True,
            )
            unless_it_runs.pop_all()
        line = await asyncio.open_unix_connection(sock=ours, limit=frames.MAX_FRAME)
        return cls(process, line, ChildLog(process.pid))

    async def send(self, frame: frames.ToHost) -> None:
        """Send a frame; when the child has hung up, `frames` ends instead of this."""
        with contextlib.suppress(ConnectionError):
            self._writer.write(frames.pack(frame))
            await self._writer.drain()

    async def frames(self) -> AsyncIterator[frames.ToRoom]:
        """Yield what the host says until it hangs up. Raises `BrokenFrame`."""
        with contextlib.suppress(ConnectionError):
            while (frame := await frames.receive(self._reader)) is not None:
                yield frame

    def condemn(self, why: str) -> None:
        """Kill the child and all that it started; the first reason given is the one that counts."""
        self.verdict = self.verdict or why
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)

    async def end(self) -> str:
        """Kill what is left, wait for its end, and return why it ended."""
        if self._process.returncode is None and self.verdict is None:
            await self._wait_briefly()  # it hung up by itself: let it tell its exit code
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        code = await self._process.wait()
        self._writer.close()
        await asyncio.wait({self._logging}, timeout=LOGS_END_WITHIN)
        self._logging.cancel()
        return self.verdict or _describe(code)

    async def _wait_briefly(self) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._process.wait(), 1.0)


def _environment(folder: Path) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ALLOWED if name in os.environ}
    return kept | {"HOME": str(folder), "TMPDIR": str(folder), "PYTHONUNBUFFERED": "1"}


def _describe(code: int) -> str:
    if code < 0:
        return f"the engine process was ended by {signal.Signals(-code).name}"
    return f"the engine process ended with exit code {code}"
