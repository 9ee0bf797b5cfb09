"""An engine room to measure against a bare call: a real process, jobs without a service."""

import asyncio
import itertools
import sys
import threading
import time
from collections.abc import Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from msgspec.structs import replace

from ferrotype.engine_rooms.process import ProcessRoom
from ferrotype.media import Output
from ferrotype.ports.engine import Job
from ferrotype.ports.engine_room import Recipe

T = TypeVar("T")
FOREVER = 3600.0  # seconds without progress: whoever measures has a deadline of their own


class Room:
    """One engine process of diffusers, driven from a thread that does not measure."""

    def __init__(self, folder: Path, recipes: Mapping[str, Mapping[str, Any]]) -> None:
        self._folder = folder
        self._numbers = itertools.count()
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        options = {"device": "", "weights": str(folder), "recipes": dict(recipes)}
        first = next(iter(recipes))
        # the child finds its modules where we found ours, however those were made known to us
        start = f"import sys; sys.path[:0] = {sys.path!r}; from ferrotype.engine_host.__main__ "
        self._room = ProcessRoom(
            Recipe(
                model=first, engine="diffusers", label="substitute", options=options, stall=FOREVER
            ),
            folder / "room",
            host=(sys.executable, "-c", start + "import main; main()"),
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
        }  # fmt: skip
        return Job(
            task=task, attempt=1, model=model, kind=kind, size=size, workdir=str(folder),
            **(plain | more),
        )  # fmt: skip

    def run(self, jobs: Sequence[Job]) -> tuple[float, list[Sequence[Output]]]:
        """Run jobs as mates; return the seconds until the last of them ended, and the outputs."""
        names = tuple(job.task for job in jobs)
        mates = [replace(job, mates=tuple(n for n in names if n != job.task)) for job in jobs]
        began = time.perf_counter()
        made = self._do(self._all(mates))
        return time.perf_counter() - began, made

    async def _all(self, jobs: Sequence[Job]) -> list[Sequence[Output]]:
        async def no_note(_: bytes) -> None:
            return

        work = [self._room.run(job, lambda _: None, no_note) for job in jobs]
        return [made.outputs for made in await asyncio.gather(*work)]

    def close(self) -> None:
        """End the process."""
        self._do(self._room.close())
        self._loop.call_soon_threadsafe(self._loop.stop)

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()
