"""One attempt at one task, from its claim to the move that ends it."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from enum import Enum, auto
from pathlib import Path

import structlog
from structlog.contextvars import bound_contextvars

from ferrotype import metrics, traces
from ferrotype.catalogue import Model
from ferrotype.errors import Busy, Conflict, FerrotypeError, Refused, UploadFailed
from ferrotype.media import File, Output, Produced
from ferrotype.ports.engine import EngineRefusal, EngineUnfit, Job, Posted
from ferrotype.ports.engine_room import EngineDied, Made
from ferrotype.ports.ledger import Claim, Ending
from ferrotype.ports.seal import Claim as Said
from ferrotype.task import Rehearsed, Result, Status, Task
from ferrotype.traces import Span
from ferrotype.worker.delivery import Delivery
from ferrotype.worker.inputs import Inputs
from ferrotype.worker.outputs import BadOutput, inspect, weigh
from ferrotype.worker.patience import persist
from ferrotype.worker.sealing import sealed
from ferrotype.worker.seats import Seat
from ferrotype.worker.station import Station
from ferrotype.worker.toolbox import Toolbox

HOLD = 0.6  # of the latency, spent after the claim; the rest is spent before it

Tell = Callable[[], Awaitable[Task]]

_log = structlog.get_logger(__name__)


class Fate(Enum):
    """What may happen to an attempt while it is being made."""

    STOPPED = auto()  # its owner asked for it
    LATE = auto()  # its deadline passed
    RETURNED = auto()  # the worker ends before it does
    LOST = auto()  # it is no longer this worker's: nothing may be published


class Attempt:
    """Makes what a claim asks for in a seat of a station, then tells the ledger, once."""

    def __init__(
        self,
        claim: Claim,
        station: Station,
        seat: Seat,
        tools: Toolbox,
        mates: tuple[str, ...] = (),
    ) -> None:
        self.lease = claim.lease
        self._mates = mates
        self.progress = 0.0
        self.moved = False  # there is progress that the ledger does not know of
        self._claim = claim
        self._station = station
        self._seat = seat
        self._tools = tools
        self._model: Model = tools.catalogue.nearest(claim.task.model, claim.task.route)
        self._rehearsed = claim.order.rehearsed or Rehearsed()
        self._held = max(HOLD * tools.options.latency, self._rehearsed.running)
        self._delivery = Delivery(tools.store, claim.task, claim.lease)
        self._fate: Fate | None = None
        self._making: asyncio.Task[Ending] | None = None
        self._claimed_at = tools.clock.steady()
        self._begun = time.time_ns()
        self._parts: list[Span] = []  # what is told to those who trace the task

    def interrupt(self, fate: Fate) -> None:
        """End the attempt early. The first fate counts, unless it is lost."""
        if self._fate is None or fate is Fate.LOST:
            first, self._fate = self._fate is None, fate
            if first and self._making is not None:
                self._making.cancel()

    async def see_through(self) -> None:
        """Make it and tell the ledger. Whatever goes wrong here ends this attempt alone."""
        with bound_contextvars(task=self.lease.task, attempt=self.lease.attempt):
            await self._see_through()

    async def _see_through(self) -> None:
        self._count_claim(self._claim.task)
        try:
            tell = await self._outcome()
            self._seat.leave()
            await self._end(tell)
        except Exception as error:
            _log.exception("attempt broke", action="attempt.fault")
            await self._end(self._fault(f"{type(error).__name__} in the worker"))
        finally:
            if self._making is not None:
                self._making.cancel()
            self._seat.leave()
            await asyncio.to_thread(self._tools.workshop.clear, self.lease)

    def _count_claim(self, task: Task) -> None:
        metrics.claims(task.model).inc()
        if task.claim_at == task.first_claim_at:
            metrics.wait_seconds(task.model).observe(_seconds(task.submit_at, task.claim_at))

    async def _outcome(self) -> Tell:
        """Return the move that this attempt comes to."""
        if self._claim.refusal is not None:
            return self._fail(*self._claim.refusal)
        if self._fate is not None:
            return self._fated(self._fate)
        self._making = asyncio.create_task(self._make())
        patience = self._station.patience(self._model.name) + self._held
        alarm = asyncio.get_running_loop().call_later(patience, self.interrupt, Fate.LATE)
        try:
            await asyncio.wait({self._making})
        finally:
            alarm.cancel()
        if self._making.cancelled():
            return self._fated(self._fate) if self._fate else self._fault("the engine gave up")
        return self._made(self._making)

    def _made(self, making: asyncio.Task[Ending]) -> Tell:
        try:
            ending = making.result()
        except EngineRefusal as refusal:
            return self._fail(refusal.refusal, refusal.message)
        except (Refused, UploadFailed) as error:
            return self._fail(error.code, error.message)
        except EngineUnfit as error:
            return self._give_back(error.message)
        except EngineDied as error:
            if error.alone:
                return self._fault(str(error))
            self._seat.share_blame()
            return self._give_back(str(error))
        except (BadOutput, FerrotypeError) as error:
            return self._fault(str(error))
        return lambda: self._tools.work.settle(self.lease, ending)

    async def _make(self) -> Ending:
        folder = self._tools.workshop.bench(self.lease)
        inputs = await self._bring(folder) if self._claim.order.inputs else {}
        job = self._job(folder, inputs)
        with traces.timed(self._parts, "engine"):
            made = await self._run(job)
        self._seat.leave()
        weigh(made.usage)
        weigh(made.shown)
        limit = self._tools.options.max_output
        outputs = _with_failures(made.outputs, self._rehearsed.failed)
        count = max(1, len(outputs)) if job.posted else job.n  # an upstream makes what it makes
        pieces = await asyncio.to_thread(inspect, outputs, folder, count, limit)
        if (seal := self._tools.seal) is not None:
            said = Said(task=job.task, model=job.model, served_by=job.served_by)
            with traces.timed(self._parts, "seal"):
                pieces = await asyncio.to_thread(sealed, pieces, seal, said)
        await self._hold()
        with traces.timed(self._parts, "store"):
            produced = await self._delivery.keep(pieces)
        metrics.result_bytes(self._model.name).inc(sum(item.bytes for item in produced))
        return self._ending(made, produced, inputs)

    async def _bring(self, folder: Path) -> dict[str, list[File]]:
        """Bring the caller's files; they may take long, and an engine need not wait for them.

        What an attempt before this one has passed on may be made already: then the engine is to
        say whether it can do without files that cannot be had any more.
        """
        order = self._claim.order
        bringer = Inputs(
            self._tools.fetcher,
            self._tools.inputs,
            folder,
            placeholders=self._rehearsed.placeholders,
        )
        try:
            with traces.timed(self._parts, "inputs"):
                rules = self._model.input_rules
                inputs = await self._seat.lend(bringer.bring(order.inputs, rules))
        except Refused:
            if order.posted is None or self._claim.memo is None:
                raise
            return {}
        size = sum(file.bytes for files in inputs.values() for file in files)
        metrics.input_bytes(self._model.name).inc(size)
        return inputs

    def _ending(
        self, made: Made, produced: tuple[Produced, ...], inputs: dict[str, list[File]]
    ) -> Ending:
        """Say what was made, in the words of whoever made it where it had some."""
        first = produced[0]
        if all(item.code for item in produced):
            return Ending(code=first.code or "", message=first.message or "")
        order, usage, shown = self._claim.order, made.usage, made.shown
        if usage is None:
            usage = self._model.usage(order, produced, inputs)
        if shown is None:
            shown = self._model.shown(order)
        return Ending(result=Result(outputs=produced, usage=usage, shown=shown))

    def _job(self, folder: Path, inputs: dict[str, list[File]]) -> Job:
        order = self._claim.order
        return Job(
            task=self.lease.task,
            attempt=self.lease.attempt,
            model=self._model.name,
            kind=order.kind,
            prompt=order.prompt,
            negative=order.negative,
            size=order.size,
            n=order.n,
            seed=order.seed,
            fields=order.fields,
            inputs=inputs,
            duration=order.duration,
            fps=order.fps,
            workdir=str(folder),
            memo=self._claim.memo,
            mates=self._mates,
            posted=self._posted(),
            served_by=self._claim.task.served_by,
        )

    def _posted(self) -> Posted | None:
        body, route = self._claim.order.posted, self._claim.task.route
        if body is None:
            return None
        return Posted(route=route, modes=self._model.routes.get(route, ("async",)), body=body)

    async def _run(self, job: Job) -> Made:
        room = self._station.room
        running = asyncio.ensure_future(room.run(job, self._moved, self._note))
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            final = self._fate in (Fate.STOPPED, Fate.LATE)
            await room.stop(job.task, self._tools.options.grace, final=final)
            running.cancel()  # it may not even have begun
            await asyncio.wait({running})
            raise

    def _moved(self, fraction: float) -> None:
        self.progress, self.moved = fraction, True

    async def _note(self, memo: bytes) -> None:
        await persist(lambda: self._tools.work.note(self.lease, memo), self._mine)

    async def _hold(self) -> None:
        """Keep a result back until the latency that was asked for is over."""
        until = self._claimed_at + self._held
        if (left := until - self._tools.clock.steady()) > 0:
            await asyncio.sleep(left)

    def _mine(self) -> bool:
        return self._fate is not Fate.LOST

    def _fated(self, fate: Fate) -> Tell:
        work, lease = self._tools.work, self.lease
        match fate:
            case Fate.STOPPED:
                return lambda: work.stopped(lease)
            case Fate.LATE:
                return lambda: work.time_out(lease)
            case Fate.RETURNED:
                return self._give_back("its worker ends")
            case Fate.LOST:
                return _lost

    def _fail(self, code: str, message: str) -> Tell:
        ending = Ending(code=code, message=message)
        return lambda: self._tools.work.settle(self.lease, ending)

    def _give_back(self, why: str) -> Tell:
        return lambda: self._tools.work.give_back(self.lease, why)

    def _fault(self, why: str) -> Tell:
        metrics.faults(self._model.name).inc()
        _log.warning("fault", action="attempt.fault", why=why)
        return lambda: self._tools.work.fault(self.lease, why)

    async def _end(self, tell: Tell) -> None:
        """Make the move, asking again for as long as the lease lives."""
        try:
            with traces.timed(self._parts, "settle"):
                task = await persist(tell, self._mine)
        except Conflict:
            # its files stay: a settle of ours that went through unseen has made them the result,
            # and otherwise they go with their task
            _log.warning("not ours any more", action="attempt.lost")
            self._count_loss("Conflict")
            return
        except (Busy, OSError) as error:
            _log.warning("not told", action="attempt.lost", error=str(error))
            self._count_loss(type(error).__name__)
            return
        if task.result is None:
            await self._delivery.take_back()
        self._count_end(task)
        _log.info("ended", action="attempt.end", status=task.status, code=task.code)

    def _count_end(self, task: Task) -> None:
        if task.ended:
            metrics.ends(task.model, task.status).inc()
            metrics.attempts(task.model).observe(task.attempt)
            metrics.run_seconds(task.model).observe(_seconds(task.claim_at, task.end_at))
        else:
            metrics.returns(task.model).inc()
        self._tell(task.status, (task.code or "") if task.status is Status.FAILED else "")

    def _count_loss(self, why: str) -> None:
        metrics.leases_lost(self._claim.task.model).inc()
        self._tell("lost", why)

    def _tell(self, outcome: str, error: str) -> None:
        """Tell those who trace the task what this attempt was: waiting, work, and how it ended."""
        if not traces.listening():
            return
        task, lease = self._claim.task, self.lease
        facts: traces.Facts = {
            "ferrotype.model": task.model,
            "ferrotype.attempt": lease.attempt,
            "ferrotype.worker": lease.worker,
            "ferrotype.outcome": outcome,
        }
        waited = Span(name="wait", start=_nanos(task.submit_at), end=_nanos(task.claim_at))
        if lease.attempt == 1:
            traces.tell(task.id, waited)
        inner, end = tuple(self._parts), time.time_ns()
        attempt = Span(
            name="attempt", start=self._begun, end=end, facts=facts, error=error, inner=inner
        )
        traces.tell(task.id, attempt)


def _with_failures(
    outputs: Sequence[Output], failed: Mapping[int, tuple[str, str]]
) -> Sequence[Output]:
    """Put rehearsed failures in the place of outputs that were made."""
    return [
        Output(error_code=failed[i][0], error_message=failed[i][1]) if i in failed else output
        for i, output in enumerate(outputs)
    ]


def _seconds(start: datetime | None, end: datetime | None) -> float:
    assert start and end
    return (end - start).total_seconds()


def _nanos(at: datetime | None) -> int:
    assert at
    return int(at.timestamp() * 1_000_000) * 1000


async def _lost() -> Task:
    raise Conflict("the lease is lost")
