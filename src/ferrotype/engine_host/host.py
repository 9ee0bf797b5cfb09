"""Makes the engine, once, and runs the jobs that the room sends."""

import asyncio
import os
import traceback
from collections.abc import Coroutine, Sequence
from typing import Any

from ferrotype import plugins
from ferrotype.engine_host.bench import JobBench, Threads, at_work
from ferrotype.engine_host.line import Line
from ferrotype.engine_rooms import frames
from ferrotype.engine_rooms.frames import LONGEST
from ferrotype.media import Output
from ferrotype.ports.engine import Engine, EngineRefusal, EngineUnfit, Job, Selective

OUT_OF_MEMORY = 3  # exit code


class Host:
    """One engine and the jobs that are with it."""

    def __init__(self, engine: str, line: Line) -> None:
        self._name = engine
        self._line = line
        self._jobs: dict[str, tuple[JobBench, asyncio.Task[Sequence[Output]]]] = {}
        self._runs: set[asyncio.Task[None]] = set()

    async def serve(self) -> None:
        """Make the engine, say hello, then work until the room hangs up (which kills us)."""
        setup = self._line.first()
        if not isinstance(setup, frames.Setup):
            raise frames.BrokenFrame("the room did not begin with the engine's options")
        engine = self._make(setup.options)
        loop = asyncio.get_running_loop()
        loop.set_default_executor(Threads(thread_name_prefix="engine"))

        def take(frame: frames.ToHost) -> None:
            loop.call_soon_threadsafe(self._take, engine, frame)

        if isinstance(engine, Selective):
            self._line.tell(lambda: engine.unfit)
        self._line.deliver(take)
        self._line.send(frames.Hello(engine.concurrency))
        await loop.create_future()

    def _make(self, options: dict[str, Any]) -> Engine:
        """Make the engine, or tell the room why there is none."""
        try:
            return plugins.load_engine(self._name)(**options)
        except Exception as error:
            why = str(error)
            if not isinstance(error, plugins.PluginError):
                traceback.print_exception(error)
                why = f"The engine {self._name!r} cannot be made: {error!r}."
            self._line.send(frames.Unmade(why[:LONGEST]))
            raise

    def _take(self, engine: Engine, frame: frames.ToHost) -> None:
        match frame:
            case frames.Begin(job):
                self._begin(engine, job)
            case frames.Noted(task, number, error) if task in self._jobs:
                self._jobs[task][0].noted(number, error)
            case frames.Stop(task, final) if task in self._jobs:
                bench, making = self._jobs[task]
                bench.final = final
                bench.stopping.set()
                making.cancel()

    def _begin(self, engine: Engine, job: Job) -> None:
        bench = JobBench(job, self._line)
        making = asyncio.create_task(_at(bench, engine.run(job, bench)))
        self._jobs[job.task] = bench, making
        run = asyncio.create_task(self._see_through(job.task, bench, making))
        self._runs.add(run)
        run.add_done_callback(self._runs.discard)

    async def _see_through(
        self, task: str, bench: JobBench, making: asyncio.Task[Sequence[Output]]
    ) -> None:
        """Wait for a job's end and that of its threads, then tell the room."""
        await asyncio.wait({making})
        await bench.cleared()
        del self._jobs[task]
        try:
            ending = _ending(task, making, bench)
            if isinstance(ending, frames.Returned):
                self._line.beat()  # so that the task does not come again before the room knows
            self._line.send(ending)
        except Exception as error:  # of a stranger's making, and no news would count as a stall
            why = f"what the engine said cannot be told: {error!a}"[:LONGEST]
            self._line.send(frames.Failed(task, why))


async def _at(bench: JobBench, work: Coroutine[Any, Any, Sequence[Output]]) -> Sequence[Output]:
    at_work.set(bench)
    outputs = list(await work)
    for output in outputs:
        if not isinstance(output, Output):  # an engine may be a stranger's, and unchecked
            raise TypeError(f"an engine returns outputs, not {type(output).__name__}")
    return outputs


def _ending(task: str, making: asyncio.Task[Sequence[Output]], bench: JobBench) -> frames.ToRoom:
    if making.cancelled():
        return frames.Failed(task, "stopped as asked")
    error = making.exception()
    if error is None:
        return frames.Done(task, list(making.result()), bench.usage, bench.shown)
    if isinstance(error, EngineRefusal):
        return frames.Refused(task, error.refusal, _sentence(error.message))
    if isinstance(error, EngineUnfit):
        return frames.Returned(task, _sentence(error.message))
    traceback.print_exception(error)
    if isinstance(error, MemoryError):
        os._exit(OUT_OF_MEMORY)
    return frames.Failed(task, _sentence(f"{type(error).__name__}: {error}"))


def _sentence(text: str) -> str:
    """Return text as it can travel: file names and upstreams may have put half characters in it."""
    return text.encode("utf-8", "backslashreplace").decode()[:LONGEST]
