"""An engine room to measure against a bare call: a real process, jobs without a service."""

import asyncio
import itertools
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

from msgspec.structs import replace

from ferrotype.engine_rooms.process import ProcessRoom
from ferrotype.media import Output
from ferrotype.ports.engine import Job
from ferrotype.ports.engine_room import Made, Recipe

T = TypeVar("T")
CALM = "import torch; torch.set_num_threads(1)\n"  # more threads only slow tiny work down
FOREVER = 3600.0  # seconds without progress: whoever measures has a deadline of their own


class Room:
    """One engine process of diffusers, driven from a thread of its own.

    `first`: a program that the process is to run before it makes its engine.
    """

    def __init__(
        self, folder: Path, recipes: Mapping[str, Mapping[str, Any]], *, first: str = "pass"
    ) -> None:
        self._folder = folder
        self._numbers = itertools.count()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        options = {"device": "", "weights": str(folder), "recipes": dict(recipes)}
        # the child finds its modules where we found ours, however those were made known to us
        start = (
            f"import sys; sys.path[:0] = {sys.path!r}\n"
            "from ferrotype import plugins\n"
            "from ferrotype.engine_host.__main__ import main\n"
            "load = plugins.load_engine\n"
            f"plugins.load_engine = lambda name: exec({first!r}, {{}}) or load(name)\n"
            "main()"
        )
        self._room = ProcessRoom(
            Recipe(
                model="*", engine="diffusers", label="substitute", options=options, stall=FOREVER
            ),
            folder / "room",
            host=(sys.executable, "-c", start),
        )

    def start(self) -> float:
        """Start the process and load what is to be warm; return the seconds that took."""
        began = time.perf_counter()
        self._do(self._room.start())
        return time.perf_counter() - began

    def job(self, model: str, kind: str, size: tuple[int, int], **more: Any) -> Job:
        """Return a job with a folder of its own."""
        task = f"t{next(self._numbers)}"
        folder = self._folder / "work" / task
        folder.mkdir(parents=True)
        plain: dict[str, Any] = {
            "prompt": "a flower shop", "negative": "", "n": 1, "seed": 1, "fields": {},
            "inputs": {}, "duration": None, "fps": None, "memo": None,
            "served_by": "diffusers; substitute",
        }  # fmt: skip
        return Job(
            task=task, attempt=1, model=model, kind=kind, size=size, workdir=str(folder),
            **(plain | more),
        )  # fmt: skip

    @property
    def pid(self) -> int | None:
        """The engine process's id."""
        return self._room.pid

    @property
    def unfit(self) -> Mapping[str, str]:
        """Why, by model, it cannot be served now, as the process last said."""
        return self._room.unfit

    def begin(self, job: Job, progress: Callable[[float], None] = lambda _: None) -> "Future[Made]":
        """Run one job, and do not wait for it."""
        return asyncio.run_coroutine_threadsafe(self._run(job, progress), self._loop)

    def stop(self, task: str, grace: float = 2.0) -> None:
        """Have a job stop, as the worker does."""
        self._do(self._room.stop(task, grace))

    def run(self, jobs: Sequence[Job]) -> tuple[float, list[Sequence[Output]]]:
        """Run jobs as mates; return the seconds until the last of them ended, and the outputs."""
        began = time.perf_counter()
        running = [self.begin(job) for job in mates(jobs)]
        made = [one.result().outputs for one in running]
        return time.perf_counter() - began, made

    async def _run(self, job: Job, progress: Callable[[float], None]) -> Made:
        async def no_note(_: bytes) -> None:
            return

        return await self._room.run(job, progress, no_note)

    def close(self) -> None:
        """End the process, if that was not done."""
        if self._loop.is_closed():
            return
        self._do(self._room.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()


def mates(jobs: Sequence[Job]) -> list[Job]:
    """Return jobs that are to run in one call: each knows the others."""
    names = [job.task for job in jobs]
    return [replace(job, mates=tuple(n for n in names if n != job.task)) for job in jobs]
