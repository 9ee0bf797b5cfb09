"""What all ledger tests start from: a ledger, an account, a worker, a task in any situation."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest_asyncio
from msgspec import Struct

from ferrotype.ports.bell import Bell
from ferrotype.ports.full_ledger import FullLedger
from ferrotype.ports.ledger import Claim, Ending, WorkerCard
from ferrotype.task import Lease, NewTask, Order, Result, Status

MODEL = "some-model"
DONE = Ending(result=Result(outputs=(), usage={"image_count": 1}, shown={}))
BROKEN = Ending(code="DataInspectionFailed", message="no")


class Wanted(Struct, frozen=True, kw_only=True):
    """How a test wants its ledger to be set. Times in seconds. Always opened for tests.

    `bell` is what the ledger is to ring; None: any bell. `events`: URLs that are told of ends.
    """

    retention: float = 1_000.0
    max_pending: int = 10_000
    max_open: int = 1_000_000
    lease: float = 15.0
    bell: Bell | None = None
    events: tuple[str, ...] = ()


class Situation(Struct, frozen=True, kw_only=True):
    """Where a task stands, as far as rules ask."""

    status: Status
    claimed: bool
    stopping: bool = False

    def __str__(self) -> str:
        words = [self.status.lower()]
        if self.status is Status.PENDING and self.claimed:
            words.append("again")
        if self.stopping:
            words.append("stopping")
        return "-".join(words)


SITUATIONS = (
    Situation(status=Status.PENDING, claimed=False),
    Situation(status=Status.PENDING, claimed=True),
    Situation(status=Status.RUNNING, claimed=True),
    Situation(status=Status.RUNNING, claimed=True, stopping=True),
    Situation(status=Status.SUCCEEDED, claimed=True),
    Situation(status=Status.FAILED, claimed=True),
    Situation(status=Status.CANCELED, claimed=False),
)


def new_task(account: str, **changes: Any) -> NewTask:
    """Return an ordinary task to add."""
    fields: dict[str, Any] = {
        "account": account,
        "key": "some-key",
        "model": MODEL,
        "route": "text2image/image-synthesis",
        "order": Order(kind="text-to-image", prompt="a red door", size=(64, 32), n=2, seed=7),
        "request_id": "some-request",
        "served_by": "echo; test pattern",
        "total": 2,
    }
    return NewTask(**(fields | changes))


def card(worker: str, *models: str) -> WorkerCard:
    """Return an ordinary worker's card."""
    return WorkerCard(id=worker, host="here", pid=1, version="0", models=models or (MODEL,))


async def must_claim(ledger: FullLedger, worker: str, *models: str) -> Claim:
    """Claim a task that must be there."""
    claim = await ledger.claim(worker, models or (MODEL,))
    assert claim is not None
    return claim


async def bring(
    ledger: FullLedger, account: str, worker: str, situation: Situation
) -> tuple[str, Lease]:
    """Make a task, bring it there, and return its id and the lease of its last attempt."""
    task_id = (await ledger.add(new_task(account, attended_for=500.0))).task_id
    lease = Lease(task_id, 1, worker)
    if situation.claimed:
        lease = (await must_claim(ledger, worker)).lease
        assert lease.task == task_id
    if situation.stopping:
        await ledger.ask_stop(account, task_id)
    match situation.status:
        case Status.PENDING if situation.claimed:
            await ledger.give_back(lease, "a test")
        case Status.SUCCEEDED:
            await ledger.settle(lease, DONE)
        case Status.FAILED:
            await ledger.settle(lease, BROKEN)
        case Status.CANCELED:
            await ledger.cancel(account, task_id)
        case _:
            pass
    return task_id, lease


class LedgerTests:
    """Gives its tests a ledger, an account and an enrolled worker."""

    wanted = Wanted()

    def open_ledger(self, folder: Path, wanted: Wanted) -> AbstractAsyncContextManager[FullLedger]:
        """Open a ledger for tests that is at home in the folder. The subclass must say how."""
        raise NotImplementedError

    @pytest_asyncio.fixture
    async def ledger(self, tmp_path: Path) -> AsyncIterator[FullLedger]:
        """A fresh ledger, set as the class wants it."""
        async with self.open_ledger(tmp_path, self.wanted) as ledger:
            yield ledger

    @pytest_asyncio.fixture
    async def account(self, ledger: FullLedger) -> str:
        """An account's id."""
        return await ledger.make_account("someone")

    @pytest_asyncio.fixture
    async def worker(self, ledger: FullLedger) -> str:
        """The id of a worker that is enrolled, for some other model: nothing is served."""
        worker = f"worker-{uuid4().hex[:8]}"
        await ledger.enrol(card(worker, "another-model"))
        return worker
