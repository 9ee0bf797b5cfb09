"""Opens a ledger from here, beside whatever service runs on it."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from ferrotype.bells.unix import UnixBell
from ferrotype.ledgers.sqlite import Limits, SqliteLedger
from ferrotype.task import NewTask, Order, Task


@asynccontextmanager
async def ledger_of(data: Path, *, migrate: bool = False) -> AsyncIterator[SqliteLedger]:
    """Open the ledger of a data folder."""
    limits = Limits(max_pending=10_000_000)
    async with (
        UnixBell.open(data, watch=data / "ledger.db-wal") as bell,
        SqliteLedger.open(data, bell=bell, migrate=migrate, limits=limits) as ledger,
    ):
        yield ledger


async def account_of(data: Path) -> str:
    """Return the account of the first key."""
    async with ledger_of(data) as ledger:
        return (await ledger.keys())[0].account


async def tasks_of(data: Path, ids: Sequence[str]) -> list[Task]:
    """Return the first account's tasks with these ids."""
    account = await account_of(data)
    async with ledger_of(data) as ledger:
        found = [await ledger.get(account, one) for one in ids]
    return [task for task in found if task]


def new_task(account: str, model: str, prompt: str) -> NewTask:
    """Return a task as the service would add it."""
    return NewTask(
        account=account,
        key="bench",
        model=model,
        route="text2image/image-synthesis",
        order=Order(kind="text-to-image", prompt=prompt, size=(1024, 1024), seed=7),
        request_id="7b1d9c02-aaaa-4bbb-8ccc-ddddeeeeffff",
        served_by="echo; test pattern",
    )
