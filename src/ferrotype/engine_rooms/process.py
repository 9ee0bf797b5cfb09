"""An engine in a process of its own: start, run, stop, kill."""

import asyncio
import math
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import structlog

from ferrotype.engine_rooms import frames
from ferrotype.engine_rooms.child import Child
from ferrotype.ports.engine import EngineRefusal, EngineUnfit, Job
from ferrotype.ports.engine_room import EngineDied, Made, Recipe

HOST = (sys.executable, "-P", "-X", "faulthandler", "-m", "ferrotype.engine_host")
SILENCE = 10.0  # seconds without a heartbeat that mean death
WATCH = 0.5  # seconds between two looks at the clock
CANCEL_GRACE = 2.0  # seconds that a job has when nobody waits for it any more

_log = structlog.get_logger(__name__)


class Seat:
    """A job that is in the room."""

    def __init__(
        self,
        job: Job,
        progress: Callable[[float], None],
        note: Callable[[bytes], Awaitable[None]],
    ) -> None:
        self.job = job
        self.progress = progress
        self.note = note
        self.noting = 0
        self.moved_at = _now()
        self.ended: asyncio.Future[Made] = asyncio.get_running_loop().create_future()
        self.ended.add_done_callback(lambda future: future.cancelled() or future.exception())

    def fail(self, error: Exception) -> None:
        """End the job with an error, unless it has ended."""
        if not self.ended.done():
            self.ended.set_exception(error)


class ProcessRoom:
    """One engine process (or none yet), in `folder`, with the recipe's options.

    Only `_attend` ends a process; whoever wants its end condemns it. `host` is the command that
    speaks the protocol of `frames`; `ready_within` seconds the engine has to load; `stalls` the
    seconds without progress that end it, for models that differ from the recipe.
    """

    def __init__(
        self,
        recipe: Recipe,
        folder: Path,
        *,
        host: Sequence[str] = HOST,
        ready_within: float = 600.0,
        stalls: Mapping[str, float] = MappingProxyType({}),
    ) -> None:
        self._recipe = recipe
        self._folder = folder
        self._host = host
        self._ready_within = ready_within
        self._stalls = stalls
        self._unfit: Mapping[str, str] = {}
        self._starting = asyncio.Lock()
        self._child: Child | None = None
        self._attending: asyncio.Task[None] | None = None
        self._ready: asyncio.Future[None] | None = None
        self._concurrency = 1
        self._seats: dict[str, Seat] = {}
        self._culprit: str | None = None
        self._heard_at = 0.0
        self._log = _log.bind(engine=recipe.engine)
        self._errands: set[asyncio.Task[None]] = set()

    @property
    def concurrency(self) -> int:
        """How many jobs may run at once in it; known once it has started."""
        return self._concurrency

    @property
    def unfit(self) -> Mapping[str, str]:
        """Why, by model, it cannot be served now, as the engine last said."""
        return self._unfit

    @property
    def pid(self) -> int | None:
        """The engine process's id, None while there is none."""
        return self._child.pid if self._child else None

    async def start(self) -> None:
        """Start the process and wait until it is ready for jobs. Raises `EngineDied`.

        One that is on its way, though whoever started it went away meanwhile, is waited for too.
        """
        async with self._starting:
            if self._child is None or self._child.verdict is not None:
                if self._attending is not None:
                    await asyncio.wait({self._attending})
                await self._open()
            await self._hear_hello()

    async def run(
        self,
        job: Job,
        progress: Callable[[float], None],
        note: Callable[[bytes], Awaitable[None]],
    ) -> Made:
        """Run one job. Raises `EngineRefusal`, `EngineUnfit`, `EngineDied`, or is cancelled.

        When the caller is cancelled, the job is stopped and its end is waited for first.
        """
        await self.start()
        while (former := self._seats.get(job.task)) is not None:
            await asyncio.wait({former.ended})
            await asyncio.sleep(0)
        child = self._child
        if child is None or child.verdict is not None:
            raise EngineDied("the engine process ended before the job began", alone=False)
        seat = self._seats[job.task] = Seat(job, progress, note)
        child.log.new_job()
        try:
            await child.send(frames.Begin(job))
            return await asyncio.shield(seat.ended)
        except asyncio.CancelledError:
            await self.stop(job.task, CANCEL_GRACE)
            raise
        finally:
            del self._seats[job.task]

    async def stop(self, task: str, grace: float, *, final: bool = False) -> None:
        """Ask a job to stop; when it has not ended after `grace` seconds, kill the process.

        `final`: the task does not come again.
        """
        seat, child = self._seats.get(task), self._child
        if seat is None or child is None:
            return
        await child.send(frames.Stop(task, final))
        done, _ = await asyncio.wait({seat.ended}, timeout=grace)
        if not done:
            self._condemn(child, f"the job did not stop within {grace:g} s", task)
            await asyncio.wait({seat.ended})

    async def close(self) -> None:
        """End the process and wait for its end."""
        async with self._starting:
            if self._child is not None:
                self._child.condemn("the room was closed")
            if self._attending is not None:
                await asyncio.wait({self._attending})

    async def _open(self) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            child = await Child.spawn((*self._host, self._recipe.engine), self._folder)
        except OSError as error:
            raise EngineDied(
                f"the engine process could not be started: {error}", alone=False
            ) from error
        self._child, self._culprit, self._heard_at = child, None, _now()
        self._unfit = {}
        self._ready = asyncio.get_running_loop().create_future()
        self._attending = asyncio.create_task(self._attend(child, self._ready))
        await child.send(frames.Setup(self._recipe.options))

    async def _hear_hello(self) -> None:
        child, ready, attending = self._child, self._ready, self._attending
        assert ready is not None
        assert attending is not None
        try:
            async with asyncio.timeout(self._ready_within):
                await asyncio.shield(ready)
        except TimeoutError:
            why = f"the engine was not ready within {self._ready_within:g} s"
            if child is not None:
                child.condemn(why)
            await asyncio.wait({attending})
            raise EngineDied(why, alone=False) from None

    async def _attend(self, child: Child, ready: asyncio.Future[None]) -> None:
        """Listen to a child until its end, then tell everybody who waits for it."""
        watching = asyncio.create_task(self._watch(child))
        try:
            async for frame in child.frames():
                self._heard_at = _now()
                self._take(child, frame)
        except frames.BrokenFrame as error:
            self._condemn(child, str(error))
        watching.cancel()
        why = await child.end()
        self._child = None
        expected = not self._seats and why == "the room was closed"
        level = self._log.info if expected else self._log.warning
        told = {"pid": child.pid, "why": why, "said": self._last_words(child)}
        level("ended", action="engine.end", tasks=list(self._seats), **told)
        if not ready.done():
            ready.set_exception(EngineDied(why, alone=False))
            ready.exception()
        for task, seat in list(self._seats.items()):
            alone = task == self._culprit or (self._culprit is None and len(self._seats) == 1)
            seat.fail(EngineDied(why, alone=alone))

    def _take(self, child: Child, frame: frames.ToRoom) -> None:
        """Act on one frame. Raises `BrokenFrame` for an answer to what was not asked."""
        match frame:
            case frames.Heartbeat(unfit):
                self._feel(unfit)
            case frames.Hello(concurrency):
                if self._ready is None or self._ready.done():
                    raise frames.BrokenFrame("the engine host said hello twice")
                self._concurrency = concurrency
                self._ready.set_result(None)
                self._log.info("ready", action="engine.start", pid=child.pid, at_once=concurrency)
            case frames.Unmade(why):
                self._condemn(child, why)
            case frames.Progress(task, fraction):
                if (seat := self._seats.get(task)) and math.isfinite(fraction):
                    seat.moved_at = _now()
                    seat.progress(min(1.0, max(0.0, fraction)))
            case frames.Note(task, number, memo):
                if seat := self._seats.get(task):
                    self._errand(self._note(child, seat, number, memo))
            case frames.Done(task, outputs, usage, shown):
                made = Made(outputs=outputs, usage=usage, shown=shown)
                self._open_seat(task).set_result(made)
            case frames.Returned(task, why):
                self._open_seat(task).set_exception(EngineUnfit(why))
            case frames.Refused(task, code, message):
                self._open_seat(task).set_exception(EngineRefusal(code, message))
            case frames.Failed(task, message):
                self._open_seat(task).set_exception(EngineDied(message))

    def _feel(self, unfit: Mapping[str, str]) -> None:
        for model in unfit.keys() - self._unfit.keys():
            self._log.warning("unfit", action="engine.unfit", model=model, why=unfit[model])
        for model in self._unfit.keys() - unfit.keys():
            self._log.info("fit again", action="engine.fit", model=model)
        self._unfit = unfit

    def _open_seat(self, task: str) -> asyncio.Future[Made]:
        seat = self._seats.get(task)
        if seat is None or seat.ended.done():
            raise frames.BrokenFrame("the engine host ended a job that it did not have")
        return seat.ended

    async def _note(self, child: Child, seat: Seat, number: int, memo: bytes) -> None:
        seat.noting += 1
        try:
            await seat.note(memo)
            error = None
        except Exception as failure:  # whatever the ledger's reason: the engine must learn of it
            task = seat.job.task
            self._log.warning("note failed", action="engine.note", task=task, error=repr(failure))
            error = str(failure)
        finally:
            seat.noting -= 1
            seat.moved_at = _now()
        await child.send(frames.Noted(seat.job.task, number, error))

    def _errand(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._errands.add(task)
        task.add_done_callback(self._errands.discard)

    async def _watch(self, child: Child) -> None:
        """Condemn a child that gives no sign of life, or whose job does not move."""
        pause = min(WATCH, min((self._recipe.stall, *self._stalls.values())) / 4)
        while child.verdict is None:
            before = _now()
            await asyncio.sleep(pause)
            now = _now()
            if (late := now - before - pause) > SILENCE / 4:  # it was we who slept
                self._heard_at += late
                for seat in self._seats.values():
                    seat.moved_at += late
            if now - self._heard_at > SILENCE:
                self._condemn(child, f"no sign of life for {SILENCE:g} s")
            for task, seat in self._seats.items():
                stall = self._stalls.get(seat.job.model, self._recipe.stall)
                if not seat.noting and now - seat.moved_at > stall:
                    self._condemn(child, f"no progress for {stall:g} s", task)

    def _condemn(self, child: Child, why: str, culprit: str | None = None) -> None:
        if child.verdict is None:
            self._culprit = culprit
        child.condemn(why)

    def _last_words(self, child: Child) -> list[str]:
        """Return the last lines that the child printed, without its callers' prompts."""
        prompts = [seat.job.prompt for seat in self._seats.values() if seat.job.prompt]
        words = list(child.log.tail)
        for prompt in prompts:
            words = [line.replace(prompt, "[prompt]") for line in words]
        return words


def _now() -> float:
    return asyncio.get_running_loop().time()
