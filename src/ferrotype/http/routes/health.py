"""/healthz and /readyz, for whoever watches over us."""

import asyncio

import structlog

from ferrotype.http import wire
from ferrotype.http.exchange import Exchange
from ferrotype.service import Service

PATIENCE = 2.0  # seconds


class Health:
    """Says whether the process lives and whether its ledger answers."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def alive(self, exchange: Exchange) -> None:
        """Answer at all."""
        await exchange.reply(200, wire.health("alive"))

    async def ready(self, exchange: Exchange) -> None:
        """Answer 200 when the ledger can be read, else 503."""
        try:
            async with asyncio.timeout(PATIENCE):
                await self._service.ping()
        except Exception as error:
            structlog.get_logger().warning("not ready", action="ready", error=repr(error))
            await exchange.reply(503, wire.health("not ready"))
        else:
            await exchange.reply(200, wire.health("ready"))
