"""Who is woken: what a ledger rings after each move."""

import asyncio
from collections.abc import Collection
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from ferrotype.conformance.ledger_base import (
    DONE,
    MODEL,
    LedgerTests,
    Wanted,
    card,
    must_claim,
    new_task,
)
from ferrotype.ports.bell import Ear
from ferrotype.ports.full_ledger import FullLedger

WORK = f"work:{MODEL}"


class Witness:
    """A bell that remembers what was rung."""

    def __init__(self) -> None:
        self._rung: set[str] = set()

    def ring(self, topics: Collection[str]) -> None:
        self._rung |= set(topics)

    def listen(self, topics: Collection[str]) -> AbstractAsyncContextManager[Ear]:
        raise NotImplementedError

    async def heard(self, *topics: str) -> None:
        """Wait until these rang, and check that no other task or worker was called meanwhile."""
        async with asyncio.timeout(5):
            while not self._rung >= set(topics):
                await asyncio.sleep(0.001)
        assert self._rung - {WORK} == set(topics) - {WORK}
        self._rung = set()


class RingTests(LedgerTests):
    """A ring follows the commit. (Workers may be woken once too often, nobody else.)"""

    async def test_moves_wake_those_whom_they_concern(self, tmp_path: Path) -> None:
        bell = Witness()
        async with self.open_ledger(tmp_path / "rung", Wanted(bell=bell)) as ledger:
            account = await ledger.make_account("someone")
            await ledger.enrol(card("one", "another-model"))
            first = (await ledger.add(new_task(account))).task_id
            await bell.heard(WORK)
            lease = (await must_claim(ledger, "one")).lease
            await ledger.renew("one", {lease: 0.5})
            await ledger.give_back(lease, "a test")
            await bell.heard(WORK)
            lease = (await must_claim(ledger, "one")).lease
            await ledger.fault(lease, "a test")
            await bell.heard(WORK)
            await ledger.set_clock_offset(6)
            await ledger.admit_due()
            await bell.heard(WORK)
            await must_claim(ledger, "one")
            await ledger.requeue(first, "a test")
            await bell.heard(WORK)
            lease = (await must_claim(ledger, "one")).lease
            await ledger.ask_stop(account, first)
            await bell.heard("stop:one")
            await ledger.stopped(lease)
            await bell.heard(f"task:{first}")

    async def test_every_end_is_rung(self, tmp_path: Path) -> None:
        bell = Witness()
        async with self.open_ledger(tmp_path / "rung", Wanted(bell=bell)) as ledger:
            account = await ledger.make_account("someone")
            await ledger.enrol(card("one", "another-model"))

            async def added() -> str:
                task_id = (await ledger.add(new_task(account, attended_for=50.0))).task_id
                await bell.heard(WORK)
                return task_id

            async def claimed() -> str:
                task_id = await added()
                assert (await must_claim(ledger, "one")).task.id == task_id
                return task_id

            await ledger.cancel(account, task_id := await added())
            await bell.heard(f"task:{task_id}")
            await ledger.drop(task_id := await claimed(), "why")
            await bell.heard(f"task:{task_id}")
            running = await claimed()
            await self._by_the_clock(ledger, bell, await added(), running)

    async def _by_the_clock(
        self, ledger: FullLedger, bell: Witness, waiting: str, running: str
    ) -> None:
        """Both are attended no longer; later one of them is overdue."""
        await ledger.set_clock_offset(51)
        await ledger.abandon()
        await bell.heard(f"task:{waiting}", "stop:one")
        await ledger.set_clock_offset(100)
        await ledger.end_overdue({}, 30)
        await bell.heard(f"task:{running}")

    async def test_a_free_slot_wakes_workers(self, tmp_path: Path) -> None:
        bell = Witness()
        async with self.open_ledger(tmp_path / "rung", Wanted(bell=bell)) as ledger:
            account = await ledger.make_account("someone")
            await ledger.enrol(card("one"))
            await ledger.set_cap(account, None, 1)
            await ledger.add(new_task(account))
            await ledger.add(new_task(account))
            await bell.heard(WORK)
            lease = (await must_claim(ledger, "one")).lease
            await ledger.renew("one", {})
            await ledger.settle(lease, DONE)
            await bell.heard(WORK, f"task:{lease.task}")
            await must_claim(ledger, "one")
            await ledger.retire("one")
            await bell.heard(WORK)
