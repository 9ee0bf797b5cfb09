"""Reads a request's body: not too much, and not for too long."""

import asyncio

from msgspec import Struct
from starlette.requests import ClientDisconnect

from ferrotype.errors import Busy, IllegalInput
from ferrotype.http.exchange import Exchange
from ferrotype.http.faults import BodyTooLarge, BodyTooSlow


class Limits(Struct, frozen=True, kw_only=True):
    """How much a body may be, in bytes, and how slowly it may come.

    A body has `seconds`, and one more for each `rate` bytes that it brings. All that are on their
    way at one moment may have `together` bytes.
    """

    body: int = 64 * 1024 * 1024
    seconds: float = 30.0
    rate: int = 64 * 1024
    together: int = 256 * 1024 * 1024


class Bodies:
    """Reads bodies, each within the limits, and all of them together."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._held = 0

    async def read(self, exchange: Exchange) -> bytes:
        """Return a whole body.

        Raises `BodyTooLarge`, `BodyTooSlow`, `ClientDisconnect`, or `Busy` when too much else is
        on its way.
        """
        declared = exchange.headers.get(b"content-length")
        if declared is not None:
            if not declared.isdigit():
                raise IllegalInput()
            if len(declared) > 15 or int(declared) > self._limits.body:
                raise BodyTooLarge()
        try:
            async with asyncio.timeout(self._limits.seconds) as budget:
                return await self._collect(exchange, budget)
        except TimeoutError:
            raise BodyTooSlow() from None

    async def _collect(self, exchange: Exchange, budget: asyncio.Timeout) -> bytes:
        limits = self._limits
        begun = asyncio.get_running_loop().time()
        pieces: list[bytes] = []
        size = 0
        try:
            while True:
                message = await exchange.receive()
                if message["type"] == "http.disconnect":
                    raise ClientDisconnect()
                piece = message.get("body", b"")
                pieces.append(piece)
                size += len(piece)
                self._held += len(piece)
                if size > limits.body:
                    raise BodyTooLarge()
                if not message.get("more_body", False):
                    return b"".join(pieces)
                if self._held > limits.together:
                    raise Busy()
                budget.reschedule(begun + limits.seconds + size / limits.rate)
        finally:
            self._held -= size
