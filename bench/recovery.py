"""How soon a service is there, what it takes idle, and how soon a killed worker's task runs."""

import asyncio
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import psutil

from bench.ledger import ledger_of, new_task
from bench.rates import MODEL, bare
from bench.rows import REPEATS, Row, Section
from bench.servers import make_home, serve, worker
from ferrotype.ledgers.sqlite import SqliteLedger
from ferrotype.task import Status

KILLS = 5
IDLE = 2.0  # seconds of rest before memory is looked at
STEP = 0.002
PATIENCE = 20.0
PROMPT = "echo delay=8"


def measure(folder: Path) -> Section:
    """Start the service on a new folder and again on the same one; kill workers on another."""
    first = [_start(folder / f"new-{number}")[0] for number in range(REPEATS)]
    again = [_start(folder / "new-0") for _ in range(REPEATS)]
    plain = [_start_bare(folder) for _ in range(REPEATS)]
    gone = asyncio.run(_kills(folder / "kills"))
    bare_start, bare_memory = (median(column) for column in zip(*plain, strict=True))
    return Section(
        "recovery",
        [
            Row(what="start to healthy", unit="s", most=1, value=median(a[0] for a in again),
                beside=("bare server", bare_start)),
            Row(what="the very first start, which makes the ledger and a key", unit="s",
                value=median(first), beside=("bare server", bare_start)),
            Row(what="idle memory of the API process", unit="MB", most=90,
                value=median(a[1] for a in again), beside=("bare server", bare_memory)),
            Row(what="worker killed: its task runs elsewhere, p50", unit="s", most=1,
                value=median(gone)),
            Row(what="worker killed: its task runs elsewhere, slowest", unit="s", value=max(gone)),
        ],
    )  # fmt: skip


def _start(data: Path) -> tuple[float, float]:
    """Return seconds from the command to its first answer, and the API's memory in MB."""
    began = time.perf_counter()
    with serve(data, engine="echo") as server:
        took = time.perf_counter() - began
        time.sleep(IDLE)
        children = psutil.Process(server.child.pid).children()
        (api,) = (child for child in children if "api" in child.cmdline())  # not the worker
        return took, api.memory_info().rss / 1e6


def _start_bare(folder: Path) -> tuple[float, float]:
    began = time.perf_counter()
    with bare(folder) as server:
        return time.perf_counter() - began, server.memory()


async def _kills(data: Path) -> list[float]:
    """Kill workers under their tasks; return the seconds until each task ran elsewhere.

    There is always one worker with the task and one that idles; the idle one is the next to die.
    """
    make_home(data)
    async with ledger_of(data) as ledger:
        account = (await ledger.keys())[0].account
        with ExitStack() as stack:
            victim = stack.enter_context(worker(data))
            waits = []
            for _ in range(KILLS):
                await _until_enrolled(ledger, 1)
                task = (await ledger.add(new_task(account, MODEL, PROMPT))).task_id
                await _claimed(ledger, account, task, 1)
                heir = stack.enter_context(worker(data))
                await _until_enrolled(ledger, 2)
                killed = datetime.now(UTC)
                victim.kill()
                waits.append((await _claimed(ledger, account, task, 2) - killed).total_seconds())
                await ledger.ask_stop(account, task)
                victim = heir
            return waits


async def _until_enrolled(ledger: SqliteLedger, workers: int) -> None:
    async with asyncio.timeout(PATIENCE):
        while len(await ledger.workers()) != workers:
            await asyncio.sleep(STEP)


async def _claimed(ledger: SqliteLedger, account: str, task_id: str, attempt: int) -> datetime:
    """Return when a task's attempt was claimed, once it was."""
    async with asyncio.timeout(PATIENCE):
        while True:
            task = await ledger.get(account, task_id)
            if task and task.status is Status.RUNNING and task.attempt == attempt:
                assert task.claim_at
                return task.claim_at
            await asyncio.sleep(STEP)
