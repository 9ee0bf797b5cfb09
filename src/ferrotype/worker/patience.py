"""Asking a ledger again that cannot be written now."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from ferrotype.errors import Busy

T = TypeVar("T")

FIRST_PAUSE = 0.05  # seconds
LONGEST_PAUSE = 1.0

_log = structlog.get_logger(__name__)


async def persist(ask: Callable[[], Awaitable[T]], worth_it: Callable[[], bool]) -> T:
    """Ask until there is an answer; raise `Busy` or `OSError` once it is not worth it any more."""
    pause = FIRST_PAUSE
    while True:
        try:
            return await ask()
        except (Busy, OSError) as error:
            if not worth_it():
                raise
            _log.warning("ledger busy", action="ledger.retry", error=str(error), pause=pause)
        await asyncio.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE)
