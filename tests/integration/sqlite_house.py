"""What the tests of the SQLite ledger share."""

import os
import sys
from collections.abc import AsyncIterator, Collection
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

from ferrotype.ledgers.sqlite import Limits, SqliteLedger
from ferrotype.ports.bell import Ear
from ferrotype.ports.ledger import Ending, WorkerCard
from ferrotype.task import NewTask, Order, Result

TEST = Limits(test=True)
MODEL = "some-model"
DONE = Ending(result=Result(outputs=(), usage={}, shown={}))


def plain_task(account: str) -> NewTask:
    """Return a task to add, without the weight of the suites: killed processes start with this."""
    order = Order(kind="text-to-image", prompt="a red door", size=(64, 32), seed=7)
    return NewTask(
        account=account,
        key="some-key",
        model=MODEL,
        route="text2image/image-synthesis",
        order=order,
        request_id="some-request",
        served_by="echo; test pattern",
    )


def plain_card(worker: str) -> WorkerCard:
    """Return a worker's card."""
    return WorkerCard(id=worker, host="here", pid=1, version="0", models=(MODEL,))


class SilentBell:
    """A bell that only remembers."""

    def __init__(self) -> None:
        self.rings: list[frozenset[str]] = []

    def ring(self, topics: Collection[str]) -> None:
        self.rings.append(frozenset(topics))

    @asynccontextmanager
    async def listen(self, topics: Collection[str]) -> AsyncIterator[Ear]:
        raise NotImplementedError
        yield


def opened(
    folder: Path, limits: Limits = TEST, *, migrate: bool = True
) -> AbstractAsyncContextManager[SqliteLedger]:
    """Open a ledger without a bell."""
    return SqliteLedger.open(folder, bell=SilentBell(), migrate=migrate, limits=limits)


def python(script: str) -> list[str]:
    """Return the command that runs a script which may import this module."""
    here = os.fspath(Path(__file__).parent)
    return [sys.executable, "-c", f"import sys; sys.path.insert(0, {here!r})\n{script}"]
