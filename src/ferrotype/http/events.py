"""Server-sent events in the vendor's form: how an answer is told piece by piece."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from ferrotype.errors import FerrotypeError
from ferrotype.http import wire
from ferrotype.http.exchange import Exchange, Header
from ferrotype.http.faults import code_of, status_of

T = TypeVar("T")
TYPE = b"text/event-stream;charset=UTF-8"
QUIET_SECONDS = 10.0  # proxies cut a connection that is silent for 60, some for 30


class Stream:
    """One answer of events. Nothing is kept: a client that does not read holds up its sender."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._number = 0

    async def open(self, extra: tuple[Header, ...] = ()) -> None:
        """Begin the answer: from here on it is a 200, whatever comes."""
        headers = [
            (b"content-type", TYPE),
            (b"cache-control", b"no-cache"),
            (b"x-accel-buffering", b"no"),
            *extra,
        ]
        message = {"type": "http.response.start", "status": 200, "headers": headers}
        await self._exchange.pass_on(message)

    async def while_waiting(self, work: Coroutine[Any, Any, T]) -> T:
        """Await the work; say now and then that we are still there."""
        working = asyncio.create_task(work)
        try:
            while not (await asyncio.wait({working}, timeout=QUIET_SECONDS))[0]:
                await self._send(b":waiting\n\n")
            return working.result()
        finally:
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)

    async def tell(self, data: bytes) -> None:
        """Send one piece of the answer."""
        await self._event(b"result", 200, data)

    async def refuse(self, error: FerrotypeError) -> None:
        """Send an error, which is the last event."""
        fault = wire.fault(self._exchange.request_id, code_of(error), error.message)
        await self._event(b"error", status_of(error), fault)

    async def close(self) -> None:
        """End the answer."""
        await self._exchange.pass_on({"type": "http.response.body", "body": b""})

    async def _event(self, kind: bytes, status: int, data: bytes) -> None:
        self._number += 1
        head = b"id:%d\nevent:%b\n:HTTP_STATUS/%d\n" % (self._number, kind, status)
        await self._send(b"%bdata:%b\n\n" % (head, data))

    async def _send(self, body: bytes) -> None:
        message = {"type": "http.response.body", "body": body, "more_body": True}
        await self._exchange.pass_on(message)
