"""The place of work that an engine gets for one job."""

import asyncio
import contextvars
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from ferrotype.engine_host.line import Line
from ferrotype.engine_rooms import frames
from ferrotype.ports.engine import Job

P = ParamSpec("P")
T = TypeVar("T")

QUIET = 0.1  # seconds between two progress frames of one job

at_work: contextvars.ContextVar["JobBench"] = contextvars.ContextVar("at_work")


class JobBench:
    """Meets `ports.engine.Bench` over the line to the room."""

    def __init__(self, job: Job, line: Line) -> None:
        self.workdir = Path(job.workdir)
        self.stopping = threading.Event()
        self.final = False
        self.threads: set[Future[Any]] = set()
        self.usage: dict[str, Any] | None = None
        self.shown: dict[str, Any] | None = None
        self._task = job.task
        self._line = line
        self._said, self._said_at = 0.0, 0.0
        self._notes: dict[int, asyncio.Future[None]] = {}

    def progress(self, fraction: float, step: int = 0, steps: int = 0) -> None:
        """Say how far the job is; said too often, only some of it is sent."""
        now = time.monotonic()
        if now - self._said_at >= QUIET or fraction >= 1 > self._said:
            self._said, self._said_at = fraction, now
            self._line.send(frames.Progress(self._task, float(fraction)))

    async def note(self, memo: bytes) -> None:
        """Keep bytes for the next attempt. Raises `ValueError` over 64 KiB, else `OSError`."""
        if len(memo) > frames.MAX_MEMO:
            raise ValueError(f"a memo may have {frames.MAX_MEMO} bytes, this has {len(memo)}")
        number = len(self._notes)
        self._notes[number] = asyncio.get_running_loop().create_future()
        self._line.send(frames.Note(self._task, number, bytes(memo)))
        await self._notes[number]

    def report(
        self, *, usage: Mapping[str, Any] | None = None, shown: Mapping[str, Any] | None = None
    ) -> None:
        """Say what the answer is to tell in place of what we count."""
        if usage is not None:
            self.usage = dict(usage)
        if shown is not None:
            self.shown = dict(shown)

    def noted(self, number: int, error: str | None) -> None:
        """Wake the engine that waits for a note."""
        waiting = self._notes.get(number)
        if waiting is None or waiting.done():
            return
        if error is None:
            waiting.set_result(None)
        else:
            waiting.set_exception(OSError(f"the note was not kept: {error}"))

    async def cleared(self) -> None:
        """Wait until no thread works at this bench any more (a cancelled `to_thread` goes on)."""
        while self.threads:
            await asyncio.wait([asyncio.wrap_future(thread) for thread in self.threads])


class Threads(ThreadPoolExecutor):
    """The loop's threads, each noted at the bench whose job started it."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Run `fn` in a thread, on behalf of the job in whose context this is called."""
        future = super().submit(fn, *args, **kwargs)
        if (bench := at_work.get(None)) is not None:
            bench.threads.add(future)
            future.add_done_callback(bench.threads.discard)
        return future
