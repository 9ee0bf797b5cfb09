"""Who serves which model just now, by the ledger."""

from contextlib import suppress

from ferrotype.errors import Missing
from ferrotype.settings import Settings
from ferrotype.wiring.ledger import has_ledger, open_ledger

WORKER_LATE = 15.0  # seconds without renewal


async def live_workers(chosen: Settings) -> dict[str, int]:
    """Return how many live workers serve each model; none when nothing was ever started."""
    count: dict[str, int] = {}
    if not has_ledger(chosen):
        return count
    with suppress(Missing):
        async with open_ledger(chosen) as ledger:
            for worker in await ledger.workers():
                if worker.age <= WORKER_LATE:
                    for name in worker.models:
                        count[name] = count.get(name, 0) + 1
    return count
