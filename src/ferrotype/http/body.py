"""Reads a request's body: not too much, and not for too long."""

import asyncio

from msgspec import Struct
from starlette.requests import ClientDisconnect

from ferrotype.errors import IllegalInput
from ferrotype.http.exchange import Exchange
from ferrotype.http.faults import BodyTooLarge, BodyTooSlow


class Limits(Struct, frozen=True, kw_only=True):
    """How much a body may be, in bytes, and how slowly it may come.

    A body has `seconds`, and one more for each `rate` bytes that it brings.
    """

    body: int = 64 * 1024 * 1024
    seconds: float = 30.0
    rate: int = 64 * 1024


async def read_body(exchange: Exchange, limits: Limits) -> bytes:
    """Return the whole body. Raises `BodyTooLarge`, `BodyTooSlow`, `ClientDisconnect`."""
    declared = exchange.headers.get(b"content-length")
    if declared is not None:
        if not declared.isdigit():
            raise IllegalInput()
        if len(declared) > 15 or int(declared) > limits.body:
            raise BodyTooLarge()
    try:
        async with asyncio.timeout(limits.seconds) as budget:
            return await _pieces(exchange, limits, budget)
    except TimeoutError:
        raise BodyTooSlow() from None


async def _pieces(exchange: Exchange, limits: Limits, budget: asyncio.Timeout) -> bytes:
    begun = asyncio.get_running_loop().time()
    pieces: list[bytes] = []
    size = 0
    while True:
        message = await exchange.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect()
        piece = message.get("body", b"")
        size += len(piece)
        if size > limits.body:
            raise BodyTooLarge()
        if not message.get("more_body", False):
            return b"".join([*pieces, piece]) if pieces else piece
        pieces.append(piece)
        budget.reschedule(begun + limits.seconds + size / limits.rate)
