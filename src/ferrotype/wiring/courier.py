"""The courier of an API process, and the way out for what it brings."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

from ferrotype.courier import Courier
from ferrotype.ports.bell import Bell
from ferrotype.ports.ledger import Letter, Outbox
from ferrotype.settings import Settings
from ferrotype.wiring.shared import SystemClock


@asynccontextmanager
async def open_courier(
    settings: Settings, outbox: Outbox, bell: Bell, write: Callable[[Letter], bytes]
) -> AsyncIterator[Courier]:
    """Open a courier with a line of its own to each receiver."""
    receivers = {}
    async with AsyncExitStack() as stack:
        if settings.event_urls:
            from ferrotype.fetchers.poster import Poster  # with an HTTP client: slow to import
            from ferrotype.wiring.guard import make_guard

            guard = make_guard(settings)
            for url in settings.event_urls:
                receivers[url] = await stack.enter_async_context(Poster(guard))
        yield Courier(outbox, bell, SystemClock(), receivers, write, settings.event_secret)
