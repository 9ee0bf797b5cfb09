"""Brings a message to somebody else's HTTP server, safely."""

from collections.abc import Mapping
from typing import Protocol


class Undelivered(Exception):
    """Nobody took the message. Says why, for the operator's log only."""


class Messenger(Protocol):
    """POSTs to servers that an operator chose. Follows no redirect and keeps nothing that it hears.

    It comes back within a bounded time, whatever the server does.
    """

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        """Return the status that the server answered. Raises `Undelivered` when it did not."""
