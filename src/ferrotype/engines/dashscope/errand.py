"""One task at an upstream: sent once, followed to its end, its results brought home."""

import asyncio
import random
from collections.abc import Awaitable, Coroutine, Sequence
from contextlib import AsyncExitStack, suppress
from typing import Any, TypeVar

import structlog
from msgspec import Struct
from msgspec.structs import replace

from ferrotype.engines.dashscope import results
from ferrotype.engines.dashscope.copying import Copies
from ferrotype.engines.dashscope.events import gathered
from ferrotype.engines.dashscope.line import NotSent, Unclear
from ferrotype.engines.dashscope.memo import Memo, State, recall
from ferrotype.engines.dashscope.options import Options
from ferrotype.engines.dashscope.posting import UPSTREAM, Denied, fill
from ferrotype.engines.dashscope.region import Region
from ferrotype.engines.dashscope.regions import Regions
from ferrotype.engines.dashscope.told import Error, Meaning, Reply, error_of
from ferrotype.media import Output
from ferrotype.ports.engine import Bench, EngineRefusal, Job, Posted

T = TypeVar("T")

SIGN = 5.0  # seconds between two signs of life while we wait for something that has its own limit
PARTING = 0.8  # seconds that a job which is to stop takes to leave things in order
SUBMITS = 3  # creates of one task in all, where a second one is allowed
MOST = 64  # results of a task
GROWTH = 1.5  # of the time between two polls
MAX_CODE = 128  # characters
UNKNOWNS = 3  # times in a row that a task must be said to be unknown

_log = structlog.get_logger(__name__)


class Answer(Struct, frozen=True, kw_only=True):
    """What an upstream made of a task."""

    region: Region
    output: dict[str, Any]
    usage: dict[str, Any]


class Errand:
    """Sees one job through."""

    def __init__(
        self, job: Job, posted: Posted, bench: Bench, regions: Regions, options: Options
    ) -> None:
        self._job = job
        self._posted = posted
        self._bench = bench
        self._regions = regions
        self._options = options
        self._memo = recall(job.memo)
        self._at: Region | None = self._regions.at(self._memo.region)
        self._fraction = 0.0
        self._asynchronous = "async" in posted.modes
        self._log = _log.bind(task=job.task)

    async def run(self) -> Sequence[Output]:
        """Return what the upstream made. Raises `EngineRefusal` or `EngineUnfit`."""
        try:
            answer = await self._answer()
        except asyncio.CancelledError:
            await self._part()
            raise
        items = results.items(answer.output)
        if not items:
            raise EngineRefusal(UPSTREAM, "The upstream says that it succeeded, with no result.")
        if len(items) > MOST:
            said = f"The upstream says that it made {len(items)} results; {MOST} are taken at most."
            raise EngineRefusal(UPSTREAM, said)
        copies = Copies(answer.region, self._bench.workdir, self._options.timeouts.copy)
        outputs = await self._alive(copies.bring(items))
        self._bench.report(usage=answer.usage, shown=results.shown(answer.output))
        return outputs

    async def _answer(self) -> Answer:
        memo = self._memo
        if memo.state in (State.SENT, State.ANSWERED):
            if self._at is None:
                raise EngineRefusal(
                    UPSTREAM,
                    f"The task was sent to {memo.region}, which is no region here now.",
                )
            if memo.answer is not None:
                return _answered(self._at, memo.answer)
            return await self._follow(self._at, memo.task)
        if memo.state is State.INTENT:
            self._doubt("the attempt ended before the answer was known")
        while True:
            region = await self._alive(self._regions.choose())
            if (answer := await self._try(region)) is not None:
                return answer

    async def _try(self, region: Region) -> Answer | None:
        """Send the task to a region; None when it surely is not there, and may be sent again."""
        model = self._options.model or self._job.model
        try:
            body, files = await self._alive(fill(self._job, self._posted, region, model))
        except Denied as denied:
            self._judge(region, denied.error)
            return None
        except (NotSent, Unclear) as error:
            region.out_of_reach(str(error))
            return None
        async with AsyncExitStack() as stack:
            if self._asynchronous:
                await self._alive(stack.enter_async_context(region.trial()))
                await self._alive(stack.enter_async_context(region.underway))
            if not region.trouble:
                await self._alive(region.creates.turn())
            if region.trouble or not await self._send(region, body, files):
                return None
        if self._memo.answer is not None:
            return _answered(region, self._memo.answer)
        return await self._follow(region, self._memo.task)

    async def _send(self, region: Region, body: dict[str, Any], files: bool) -> bool:
        """Post the task, once. False: it surely is not there, or it may be sent a second time."""
        self._at = region
        await self._note(replace(self._memo, state=State.INTENT, region=region.place.base))
        try:
            refused = await self._launch(self._submit(region, body, files))
        except Unclear as error:
            region.doubtful(str(error))
            self._doubt(str(error))
        except NotSent as error:
            region.out_of_reach(str(error))
        else:
            if refused is None:
                region.took()
                return True
            self._judge(region, refused)
        await self._note(replace(self._memo, state=State.CLEAR))
        return False

    async def _launch(self, sending: Coroutine[Any, Any, T]) -> T:
        """Await a create. Who is cancelled meanwhile hears and notes its id first, if it comes
        soon: what is on its way is billed.
        """
        launched = asyncio.create_task(sending)
        try:
            return await self._alive(asyncio.shield(launched))
        except asyncio.CancelledError:
            await asyncio.wait({launched}, timeout=PARTING)
            launched.cancel()
            await asyncio.wait({launched})
            raise

    async def _submit(self, region: Region, body: dict[str, Any], files: bool) -> Error | None:
        """Post the task and note what it is there; or return the error that it was refused with."""
        events = not self._asynchronous and _streams(body)
        reply = await region.line.create(
            self._posted.route, body, asynchronous=self._asynchronous, files=files, events=events
        )
        if (error := error_of(reply)) is not None:
            if error.meaning is Meaning.UNCLEAR:
                raise Unclear(f"it answered {error}")
            return error
        if reply.status != 200:
            raise Unclear(f"it answered {reply.status}, and not as the vendor does")
        if self._asynchronous:
            memo = _sent(self._memo, reply)
        else:
            said = gathered(reply) if events else reply.said
            if isinstance(said, Error):
                return said
            memo = _made(self._memo, said, reply.request_id)
        ids = {"upstream_task": memo.task, "request": memo.request}
        self._log.info("sent", action="upstream.create", region=region.place.name, **ids)
        await self._note(memo)
        return None

    def _judge(self, region: Region, error: Error) -> None:
        """Act on an error that proves the task is not there. Raises what refuses the task."""
        match error.meaning:
            case Meaning.REGION:
                region.closed(str(error))
            case Meaning.PACE:
                region.slower(error.wait)
            case Meaning.UNCLEAR:
                region.out_of_reach(str(error))
            case Meaning.REQUEST:
                raise _refusal(error.code, error.message)

    def _doubt(self, why: str) -> None:
        """End the task, which may be there or not; or let it be sent once more, where that is
        allowed.
        """
        self._memo = replace(self._memo, submits=self._memo.submits + 1)
        if not self._options.second_submit or self._memo.submits >= SUBMITS:
            raise EngineRefusal(
                UPSTREAM,
                f"The outcome at the upstream is unknown: {why}. "
                "The task was not sent again, since both might be billed.",
            )

    async def _follow(self, region: Region, task: str) -> Answer:
        """Ask how the task is, ever more rarely, until it has ended."""
        pause, unknown = self._options.poll.first, 0
        while True:
            await self._alive(_due(region, pause))
            pause = min(self._options.poll.longest, GROWTH * pause)
            reply = await self._query(region, task)
            self._bench.progress(self._fraction)
            if reply is None:
                pause = self._options.poll.longest
                continue
            region.polls.faster()
            output = reply.output
            status = output.get("task_status")
            unknown = unknown + 1 if status == "UNKNOWN" else 0
            if status == "SUCCEEDED":
                return _answered(region, reply.said)
            if status == "FAILED":
                raise _failure(output, reply.said)
            if status in ("CANCELED", "CANCELLED"):
                raise EngineRefusal(UPSTREAM, "The task was canceled at the upstream.")
            if unknown >= UNKNOWNS:
                raise EngineRefusal(
                    UPSTREAM, "The upstream does not know the task any more: it may have expired."
                )
            self._fraction = max(self._fraction, _fraction(output))

    async def _query(self, region: Region, task: str) -> Reply | None:
        """Ask once; None for no answer, or one that says nothing of the task."""
        try:
            reply = await self._alive(region.line.query(task))
        except NotSent as error:
            region.out_of_reach(str(error))
            return None
        except Unclear as error:
            self._log.warning("no answer", action="upstream.poll", why=str(error))
            return None
        if (told := error_of(reply)) is None and "task_status" in reply.output:
            return reply
        self._log.warning("no answer", action="upstream.poll", status=reply.status)
        if told is not None and told.meaning is Meaning.PACE:
            region.polls.slower(told.wait)
        elif told is not None and told.meaning is Meaning.REGION:
            region.out_of_reach(str(told))
        return None

    async def _part(self) -> None:
        """Leave things in order at the upstream: what has not begun there need not begin."""
        if self._bench.final and self._at is not None and self._memo.state is State.SENT:
            with suppress(NotSent, Unclear):
                await self._at.line.cancel(self._memo.task, PARTING)

    async def _note(self, memo: Memo) -> None:
        self._memo = memo
        await self._bench.note(memo.pack())

    async def _alive(self, work: Awaitable[T]) -> T:
        """Await what has a limit of its own, with signs of life meanwhile."""
        working = asyncio.ensure_future(work)
        try:
            while not working.done():
                await asyncio.wait({working}, timeout=SIGN)
                self._bench.progress(self._fraction)
            return working.result()
        finally:
            if not working.done():
                working.cancel()
                await asyncio.wait({working})


async def _due(region: Region, pause: float) -> None:
    """Wait until it is time to ask a region about a task, and it is our turn."""
    await asyncio.sleep(pause * random.uniform(0.8, 1.2))
    await region.reachable.wait()
    await region.polls.turn()


def _streams(body: dict[str, Any]) -> bool:
    """Tell whether the vendor gives the answer to who waits for it in events only."""
    parameters = body.get("parameters")
    return isinstance(parameters, dict) and parameters.get("enable_interleave") is True


def _sent(memo: Memo, reply: Reply) -> Memo:
    task = reply.output.get("task_id")
    if not isinstance(task, str) or not task:
        raise Unclear("it answered without the id of a task")
    return replace(memo, state=State.SENT, task=task, request=reply.request_id)


def _made(memo: Memo, said: dict[str, Any], request: str) -> Memo:
    output = said.get("output")
    if not isinstance(output, dict) or not results.items(output):
        raise Unclear("it answered without a result")
    answer = {"output": output, "usage": said.get("usage")}
    request = request or str(said.get("request_id") or "")
    return replace(memo, state=State.ANSWERED, request=request, answer=answer)


def _answered(region: Region, said: dict[str, Any]) -> Answer:
    usage = said.get("usage")
    return Answer(
        region=region, output=said["output"], usage=usage if isinstance(usage, dict) else {}
    )


def _failure(output: dict[str, Any], said: dict[str, Any]) -> EngineRefusal:
    """Return the upstream's own words; most models put them into the output, some beside it."""
    where = output if output.get("code") else said
    return _refusal(str(where.get("code") or "InternalError"), str(where.get("message") or ""))


def _refusal(code: str, message: str) -> EngineRefusal:
    return EngineRefusal(code[:MAX_CODE], message)


def _fraction(output: dict[str, Any]) -> float:
    """Return how far a task is, where its upstream counts the pictures."""
    metrics = output.get("task_metrics")
    if not isinstance(metrics, dict):
        return 0.0
    total, made = metrics.get("TOTAL"), metrics.get("SUCCEEDED")
    if not (isinstance(total, int) and isinstance(made, int) and 0 <= made <= total):
        return 0.0
    return made / max(1, total)
