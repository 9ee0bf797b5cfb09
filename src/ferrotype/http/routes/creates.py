"""POST /api/v1/services/aigc/{route}: make a task, and wait for it when the caller does."""

import asyncio
from collections.abc import Coroutine
from hashlib import sha256
from typing import Any

from starlette.requests import ClientDisconnect

from ferrotype.catalogue import Mismatch
from ferrotype.errors import Broken, IllegalInput, InvalidParameter, Missing, Refused, Told
from ferrotype.http import wire
from ferrotype.http.body import Bodies, Limits
from ferrotype.http.events import Stream
from ferrotype.http.exchange import Exchange, rehearsed, served_by
from ferrotype.http.faults import BodyTooLarge, BodyTooSlow, known
from ferrotype.http.routes.tasks import Tasks
from ferrotype.service import Service, Submitted
from ferrotype.task import Status, Task

PATHS = frozenset(
    {
        "album/gen_potrait",
        "background-generation/generation",
        "image-generation/generation",
        "image2image/image-synthesis",
        "image2image/out-painting",
        "image2video/face-detect",
        "image2video/video-synthesis",
        "multimodal-generation/generation",
        "text2image/image-synthesis",
        "video-generation/video-synthesis",
        "virtualmodel/generation",
        "wordart/semantic",
        "wordart/surnames",
        "wordart/texture",
    }
)
MAX_IDEMPOTENCY_KEY = 255
RESOLVE = b"x-dashscope-ossresourceresolve"
EVENTS = b"x-dashscope-sse"
PLAIN = (BodyTooLarge, BodyTooSlow, ClientDisconnect, IllegalInput, Mismatch)


class Creates:
    """Creates tasks, on every path the vendor has; the catalogue knows which model is where."""

    def __init__(self, service: Service, tasks: Tasks, limits: Limits) -> None:
        self._service = service
        self._tasks = tasks
        self._bodies = Bodies(limits)

    async def create(self, exchange: Exchange) -> None:
        """Answer PENDING at once, or attend the task when the asynchronous header is absent."""
        route = exchange.part
        if route not in PATHS:
            raise Missing()
        if exchange.headers.get(b"x-dashscope-async", b"").strip().lower() == b"enable":
            submitted = await self._submit(exchange, route, asynchronous=True)
            answer = wire.created(exchange.request_id, submitted.task_id)
            headers = (*served_by(submitted.served_by), *rehearsed(submitted.rules))
            await exchange.reply(200, answer, headers)
            return
        with self._service.seat(exchange.caller):
            if exchange.headers.get(EVENTS, b"").strip().lower() == b"enable":
                await self._stream(exchange, route)
                return
            submitted = await self._submit(exchange, route, asynchronous=False)
            task = await _unless_gone(exchange, self._attend(exchange, submitted))
        await self._tasks.answer_now(exchange, task)

    async def _stream(self, exchange: Exchange, route: str) -> None:
        """Answer with events, errors too, as soon as a body could be read and may be streamed."""
        stream = Stream(exchange)
        try:
            submitted = await self._submit(exchange, route, asynchronous=False, events=True)
            await stream.open(served_by(submitted.served_by))
            attending = _unless_gone(exchange, self._attend(exchange, submitted))
            task = await stream.while_waiting(attending)
            for part in await self._tasks.parts(exchange, task):
                await stream.tell(part)
        except PLAIN:
            raise
        except Exception as error:
            if not exchange.status and not isinstance(error, Refused):
                raise
            if not exchange.status:
                await stream.open()
            await stream.refuse(known(error, exchange))
        await stream.close()

    async def _submit(
        self, exchange: Exchange, route: str, *, asynchronous: bool, events: bool = False
    ) -> Submitted:
        """Read the body and commit its task. The body is gone when this returns: a caller may wait
        for minutes.
        """
        body = await self._bodies.read(exchange)
        submitted = await self._service.submit(
            exchange.caller,
            route,
            wire.read_create(body),
            asynchronous=asynchronous,
            events=events,
            request_id=exchange.request_id,
            idempotency=_idempotency(exchange, route, body),
            resolve=exchange.headers.get(RESOLVE, b"").strip().lower() == b"enable",
        )
        exchange.committed = True
        exchange.task, exchange.span = submitted.task_id, "create" if submitted.fresh else "repeat"
        return submitted

    async def _attend(self, exchange: Exchange, submitted: Submitted) -> Task:
        task = await self._service.attend(exchange.caller, submitted)
        if task is None or task.status is Status.CANCELED:
            raise Broken()
        if task.status is Status.FAILED:
            raise Told(task.code or Broken.code, task.message or Broken().message)
        return task


async def _unless_gone(exchange: Exchange, work: Coroutine[Any, Any, Task]) -> Task:
    """Await the work, but cancel it and raise `ClientDisconnect` when the client hangs up."""
    working = asyncio.create_task(work)
    leaving = asyncio.create_task(_hang_up(exchange))
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise ClientDisconnect()
    finally:
        leaving.cancel()
        working.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)


async def _hang_up(exchange: Exchange) -> None:
    while (await exchange.receive())["type"] != "http.disconnect":
        pass


def _idempotency(exchange: Exchange, route: str, body: bytes) -> tuple[str, bytes] | None:
    key = exchange.headers.get(b"idempotency-key")
    if key is None:
        return None
    text = key.decode("latin-1").strip()
    if not (text.isascii() and text.isprintable() and 1 <= len(text) <= MAX_IDEMPOTENCY_KEY):
        raise InvalidParameter(
            f"Idempotency-Key must have 1 to {MAX_IDEMPOTENCY_KEY} printable ASCII characters."
        )
    return text, sha256(b"%b\n%b" % (route.encode(), body)).digest()
