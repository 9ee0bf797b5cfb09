"""What a claim, a settle and a poll cost in a ledger of a thousand and of a million tasks."""

import asyncio
import os
import random
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.bare import turn_over
from bench.ledger import ledger_of
from bench.rows import REPEATS, Row, Section, middle
from bench.seed import ACCOUNTS, LANED, PLAIN, fill
from bench.servers import SERVER
from ferrotype.ledgers.sqlite import SqliteLedger
from ferrotype.media import Produced
from ferrotype.ports.ledger import Ending, WorkerCard
from ferrotype.task import Result

FEW, MANY = 1_000, 1_000_000
CLAIMS = 120  # a model, ledger and repeat
CYCLES = 2_000
SIDE_BY_SIDE = 8
READS = 2_000
WORKER = "bench"
MADE = Produced(key="20260101/x/1/0.png", type="image/png", bytes=70, width=1, height=1)
ENDING = Ending(result=Result(outputs=(MADE,), usage={"image_count": 1}, shown={}))


@dataclass(frozen=True)
class Costs:
    """Medians in ms of claims and of reads, one after the other."""

    plain: float
    laned: float
    read: float


@dataclass(frozen=True)
class Seeded:
    """An open ledger with many tasks, and (account, id) of some."""

    ledger: SqliteLedger
    ids: Sequence[tuple[str, str]]

    async def costs(self) -> Costs:
        """Measure once."""
        return Costs(
            plain=await _claims(self.ledger, PLAIN),
            laned=await _claims(self.ledger, LANED),
            read=await _reads(self.ledger, self.ids),
        )


def measure(folder: Path) -> Section:
    """Measure a small and a large ledger in turn, in this process, on the server's core."""
    everywhere = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {SERVER})
    try:
        small, large, cycles = asyncio.run(_measure(folder))
        began = time.perf_counter()
        turn_over(folder / "bare.db", CYCLES)
        bare = CYCLES / (time.perf_counter() - began)
    finally:
        os.sched_setaffinity(0, everywhere)

    def pair(what: str, by: Callable[[Costs], float], times: float) -> Row:
        few = middle(small, by)
        beside = f"{FEW:,} tasks", few
        return Row(what=what, unit="ms", value=middle(large, by), most=times * few, beside=beside)

    return Section(
        "ledger",
        [
            pair(f"claim, {MANY:,} tasks pending", lambda cost: cost.plain, 2.0),
            pair(f"the same behind {ACCOUNTS} full lanes", lambda cost: cost.laned, 2.0),
            pair(f"read of one among {MANY:,} tasks", lambda cost: cost.read, 1.5),
            Row(
                what=f"claim and settle, {SIDE_BY_SIDE} at once, {MANY:,} pending",
                unit="/s",
                value=cycles,
                beside=("two columns, one by one", bare),
            ),
        ],
    )


async def _measure(folder: Path) -> tuple[list[Costs], list[Costs], float]:
    async with (
        _seeded(folder / "small", FEW) as small,
        _seeded(folder / "large", MANY) as large,
    ):
        pairs = [(await small.costs(), await large.costs()) for _ in range(REPEATS)]
        cycles = median([await _cycles(large.ledger) for _ in range(REPEATS)])
    return [pair[0] for pair in pairs], [pair[1] for pair in pairs], cycles


@asynccontextmanager
async def _seeded(data: Path, tasks: int) -> AsyncIterator[Seeded]:
    """Fill a ledger and open it with one worker enrolled."""
    await fill(data, tasks)
    ids = _some_ids(data / "ledger.db", tasks)
    async with ledger_of(data) as ledger:
        card = WorkerCard(id=WORKER, host="bench", pid=os.getpid(), version="0", models=(PLAIN,))
        await ledger.enrol(card)
        yield Seeded(ledger, ids)
        await ledger.retire(WORKER)


async def _claims(ledger: SqliteLedger, model: str) -> float:
    """Claim and settle one by one; return the median of a claim in ms."""
    took = []
    for _ in range(CLAIMS):
        began = time.perf_counter()
        claim = await ledger.claim(WORKER, [model])
        took.append(time.perf_counter() - began)
        assert claim is not None
        await ledger.settle(claim.lease, ENDING)
    return 1e3 * median(took)


async def _reads(ledger: SqliteLedger, ids: Sequence[tuple[str, str]]) -> float:
    took = []
    for account, task_id in ids:
        began = time.perf_counter()
        assert await ledger.get(account, task_id) is not None
        took.append(time.perf_counter() - began)
    return 1e3 * median(took)


async def _cycles(ledger: SqliteLedger) -> float:
    """Claim and settle side by side; return how many a second."""
    left = iter(range(CYCLES))

    async def one_by_one() -> None:
        for _ in left:
            claim = await ledger.claim(WORKER, [PLAIN])
            assert claim is not None
            await ledger.settle(claim.lease, ENDING)

    began = time.perf_counter()
    await asyncio.gather(*(one_by_one() for _ in range(SIDE_BY_SIDE)))
    return CYCLES / (time.perf_counter() - began)


def _some_ids(path: Path, tasks: int) -> list[tuple[str, str]]:
    """Return (account, id) of random tasks from all over the table."""
    with closing(sqlite3.connect(path)) as conn:
        wanted = [(random.randint(1, tasks),) for _ in range(READS)]
        find = "SELECT account, id FROM task WHERE n = ?"
        return [conn.execute(find, one).fetchone() for one in wanted]
