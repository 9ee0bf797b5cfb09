"""What a claim, a settle and a poll cost in a ledger of a thousand and of a million tasks."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from bench.bare import turn_over
from bench.ledger import account_of, ledger_of
from bench.rows import REPEATS, Row, Section
from bench.seed import ACCOUNTS, LANED, OWNER, PLAIN, Owned, fill, some_tasks
from bench.servers import SERVER, api, make_home
from bench.wrk import load
from ferrotype.ledgers.sqlite import SqliteLedger
from ferrotype.media import Produced
from ferrotype.ports.ledger import Ending, WorkerCard
from ferrotype.task import Result

FEW, MANY = 1_000, 1_000_000
CLAIMS = 300  # a model and ledger
CYCLES = 2_000
SIDE_BY_SIDE = 8
READS = 2_000
SECONDS = 2.0  # of polls
WORKER = "bench"
MADE = Produced(key="20260101/x/1/0.png", type="image/png", bytes=70, width=1, height=1)
ENDING = Ending(result=Result(outputs=(MADE,), usage={"image_count": 1}, shown={}))


@dataclass
class Costs:
    """What was measured of one ledger: times in ms, polls and cycles a second."""

    plain: list[float] = field(default_factory=list)
    laned: list[float] = field(default_factory=list)
    read: list[float] = field(default_factory=list)
    polls: list[float] = field(default_factory=list)
    cycles: list[float] = field(default_factory=list)


def measure(folder: Path) -> Section:
    """Measure a small and a large ledger in turn, in this process, on the server's core."""
    everywhere = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {SERVER})
    try:
        small, large = asyncio.run(_measure(folder))
        began = time.perf_counter()
        turn_over(folder / "bare.db", CYCLES)
        bare = CYCLES / (time.perf_counter() - began)
    finally:
        os.sched_setaffinity(0, everywhere)
    _poll(folder, small, large)
    few, many = median(small.polls), median(large.polls)
    return Section(
        "ledger",
        [
            _pair(f"claim, {MANY:,} tasks pending", large.plain, small.plain, 2.0),
            _pair(f"the same behind {ACCOUNTS} full lanes", large.laned, small.laned, 2.0),
            _pair(f"read of one among {MANY:,} tasks, in the process", large.read, small.read),
            Row(
                what=f"poll of one among {MANY:,} tasks",
                unit="/s",
                value=many,
                least=few / 1.5,
                beside=(f"{FEW:,} tasks", few),
            ),
            Row(
                what=f"claim and settle, {SIDE_BY_SIDE} at once, {MANY:,} pending",
                unit="/s",
                value=median(large.cycles),
                beside=("two columns, one by one", bare),
            ),
        ],
    )


def _pair(
    what: str, large: Sequence[float], small: Sequence[float], times: float | None = None
) -> Row:
    few = median(small)
    most = times and times * few
    return Row(what=what, unit="ms", value=median(large), most=most, beside=(f"{FEW:,} tasks", few))


async def _measure(folder: Path) -> tuple[Costs, Costs]:
    """Measure what a ledger does in this process, each step on the small and the large one."""
    async with (
        _seeded(folder / "small", FEW) as (small, some_of_small),
        _seeded(folder / "large", MANY) as (large, some_of_large),
    ):
        few, many = Costs(), Costs()
        for _ in range(CLAIMS):
            for ledger, costs in ((small, few), (large, many)):
                costs.plain.append(await _claim(ledger, PLAIN))
                costs.laned.append(await _claim(ledger, LANED))
        for one, other in zip(some_of_small, some_of_large, strict=True):
            few.read.append(await _read(small, *one))
            many.read.append(await _read(large, *other))
        many.cycles = [await _cycles(large) for _ in range(REPEATS)]
    return few, many


@asynccontextmanager
async def _seeded(data: Path, tasks: int) -> AsyncIterator[tuple[SqliteLedger, list[Owned]]]:
    """Fill a ledger and open it with one worker enrolled; add (account, id) of some tasks."""
    await fill(data, tasks)
    async with ledger_of(data) as ledger:
        card = WorkerCard(id=WORKER, host="bench", pid=os.getpid(), version="0", models=(PLAIN,))
        await ledger.enrol(card)
        yield ledger, some_tasks(data / "ledger.db", READS)
        await ledger.retire(WORKER)


async def _claim(ledger: SqliteLedger, model: str) -> float:
    """Claim a task, and settle it; return how many ms the claim took."""
    began = time.perf_counter()
    claim = await ledger.claim(WORKER, [model])
    took = time.perf_counter() - began
    assert claim is not None
    await ledger.settle(claim.lease, ENDING)
    return 1e3 * took


async def _read(ledger: SqliteLedger, account: str, task_id: str) -> float:
    began = time.perf_counter()
    assert await ledger.get(account, task_id) is not None
    return 1e3 * (time.perf_counter() - began)


def _poll(folder: Path, small: Costs, large: Costs) -> None:
    """Poll tasks of both ledgers by HTTP, in turn."""
    with ExitStack() as stack:
        servers = []
        for name, costs in (("small", small), ("large", large)):
            data, paths = folder / name, folder / f"{name}.txt"
            make_home(data, [OWNER])
            ids = some_tasks(data / "ledger.db", READS, asyncio.run(account_of(data)))
            paths.write_text("".join(f"/api/v1/tasks/{task_id}\n" for _, task_id in ids))
            servers.append((stack.enter_context(api(data, poll_hold="0s")), paths, costs))
        for _ in range(REPEATS):
            for server, paths, costs in servers:
                costs.polls.append(load(server, SECONDS, paths).rate)


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
