"""/ext/v1/rehearsal: what is to go wrong, for who tries a client. For keys of scope "admin"."""

from collections.abc import Sequence

from ferrotype.errors import Denied, Missing
from ferrotype.http import wire
from ferrotype.http.body import Bodies, Limits
from ferrotype.http.exchange import Exchange
from ferrotype.http.routing import Route
from ferrotype.rehearsal import Rehearsal, shown

PATH = "/ext/v1/rehearsal"
SMALL = Limits(body=16 * 1024)
ADMINS = "Access denied: this needs a key of scope admin (ferrotype keys create NAME --admin)."


class Rules:
    """Lists, adds and removes rules. Without a rehearsal there is nothing here."""

    def __init__(self, rehearsal: Rehearsal | None) -> None:
        self._rehearsal = rehearsal
        self._bodies = Bodies(SMALL)

    def routes(self) -> Sequence[Route]:
        """Return where this is."""
        return (
            Route("rules", "GET", PATH, self.list),
            Route("add-rule", "POST", PATH, self.add),
            Route("clear-rules", "DELETE", PATH, self.clear),
            Route("remove-rule", "DELETE", f"{PATH}/([^/]+)", self.remove),
        )

    async def list(self, exchange: Exchange) -> None:
        """Answer with all rules that may still strike."""
        rules = [shown(*one) for one in await self._admitted(exchange).list()]
        await exchange.reply(200, wire.rehearsal(exchange.request_id, {"rules": rules}))

    async def add(self, exchange: Exchange) -> None:
        """Add a rule."""
        rehearsal = self._admitted(exchange)
        added = shown(*await rehearsal.add(await self._bodies.read(exchange)))
        await exchange.reply(200, wire.rehearsal(exchange.request_id, {"rule": added}))

    async def clear(self, exchange: Exchange) -> None:
        """Remove all rules."""
        gone = await self._admitted(exchange).erase()
        await exchange.reply(200, wire.rehearsal(exchange.request_id, {"removed": gone}))

    async def remove(self, exchange: Exchange) -> None:
        """Remove one rule."""
        gone = await self._admitted(exchange).erase(exchange.part)
        if not gone:
            raise Missing()
        await exchange.reply(200, wire.rehearsal(exchange.request_id, {"removed": gone}))

    def _admitted(self, exchange: Exchange) -> Rehearsal:
        if self._rehearsal is None:
            raise Missing()
        if exchange.caller.scope != "admin":
            raise Denied(ADMINS)
        return self._rehearsal
