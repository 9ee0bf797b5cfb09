"""Letters: whom a ledger tells of ends, and that none is lost, doubled or told too early."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from ferrotype.conformance.ledger_base import (
    BROKEN,
    DONE,
    MODEL,
    LedgerTests,
    Wanted,
    card,
    must_claim,
    new_task,
)
from ferrotype.conformance.ledger_rings import WORK, Witness
from ferrotype.errors import Conflict
from ferrotype.ports.full_ledger import FullLedger
from ferrotype.ports.ledger import Letter
from ferrotype.task import Lease, Status

HERE, THERE = "http://one.example/events", "http://two.example/events"
DAY = 86_400.0


class OutboxTests(LedgerTests):
    """The port `Outbox`, and the letters that moves write."""

    @pytest_asyncio.fixture
    async def telling(self, tmp_path: Path) -> AsyncIterator[FullLedger]:
        """A ledger that tells two receivers."""
        async with self.open_ledger(tmp_path / "telling", Wanted(events=(HERE, THERE))) as ledger:
            await ledger.enrol(card("one", "another-model"))
            yield ledger

    async def test_both_receivers_are_told_of_an_end(self, telling: FullLedger) -> None:
        account = await telling.make_account("someone")
        lease = await _claimed(telling, account)
        assert await _told(telling) == []
        task = await telling.settle(lease, DONE)
        (here,), (there,) = [await telling.letters(url, 9) for url in (HERE, THERE)]
        assert (here.url, there.url) == (HERE, THERE)
        assert here.event == there.event
        assert here.n != there.n
        assert here == Letter(
            n=here.n,
            event=here.event,
            url=HERE,
            task=task.id,
            account=account,
            key="some-key",
            model=MODEL,
            route="text2image/image-synthesis",
            request_id="some-request",
            status=Status.SUCCEEDED,
            start_at=task.first_claim_at,
            end_at=task.end_at or task.submit_at,
        )

    async def test_every_failure_is_told_and_no_cancel(self, telling: FullLedger) -> None:
        account = await telling.make_account("someone")
        canceled = (await telling.add(new_task(account))).task_id
        await telling.cancel(account, canceled)
        stopped = await _claimed(telling, account)
        await telling.ask_stop(account, stopped.task)
        await telling.stopped(stopped)
        assert await _told(telling) == []
        failed = await _claimed(telling, account)
        await telling.settle(failed, BROKEN)
        late = await _claimed(telling, account)
        await telling.time_out(late)
        dropped = (await telling.add(new_task(account))).task_id
        await telling.drop(dropped, "why")
        unserved = (await telling.add(new_task(account))).task_id
        await telling.set_clock_offset(100)
        await telling.end_unserved(60)
        letters = await telling.letters(HERE, 9)
        assert [one.task for one in letters] == [failed.task, late.task, dropped, unserved]
        assert {one.status for one in letters} == {Status.FAILED}
        assert [one.start_at is None for one in letters] == [False, False, True, True]

    async def test_who_waits_at_the_line_needs_no_letter(self, telling: FullLedger) -> None:
        account = await telling.make_account("someone")
        await telling.add(new_task(account, attended_for=50.0))
        await telling.settle((await must_claim(telling, "one")).lease, DONE)
        assert await _told(telling) == []

    async def test_a_refused_end_is_not_told(self, telling: FullLedger) -> None:
        account = await telling.make_account("someone")
        lease = await _claimed(telling, account)
        with pytest.raises(Conflict):
            await telling.settle(Lease(lease.task, 7, "one"), BROKEN)
        assert await _told(telling) == []
        await telling.settle(lease, DONE)
        await telling.settle(lease, DONE)  # the same once more
        assert await _told(telling) == [lease.task]

    async def test_nobody_is_told_unasked(
        self, ledger: FullLedger, account: str, worker: str
    ) -> None:
        await ledger.add(new_task(account))
        await ledger.settle((await must_claim(ledger, worker)).lease, DONE)
        assert list(await ledger.letters(HERE, 9)) == []

    async def test_a_letter_brought_is_gone_for_its_receiver_alone(
        self, telling: FullLedger
    ) -> None:
        account = await telling.make_account("someone")
        tasks = [await _ended(telling, account) for _ in range(3)]
        (letter,) = await telling.letters(HERE, 1)
        assert letter.task == tasks[0]
        await telling.drop_letter(letter.n)
        await telling.drop_letter(letter.n)
        assert [one.task for one in await telling.letters(HERE, 9)] == tasks[1:]
        assert [one.task for one in await telling.letters(THERE, 9)] == tasks

    async def test_a_late_courier_touches_no_letter_but_its_own(self, telling: FullLedger) -> None:
        account = await telling.make_account("someone")
        await _ended(telling, account)
        letters = [(await telling.letters(url, 1))[0].n for url in (HERE, THERE)]
        await telling.keep_letters([], DAY)
        fresh = await _ended(telling, account)
        for n in letters:
            await telling.postpone_letter(n, 30)
            await telling.drop_letter(n)
        assert await _told(telling) == [fresh]

    async def test_a_postponed_letter_lets_others_by(self, telling: FullLedger) -> None:
        account = await telling.make_account("someone")
        tasks = [await _ended(telling, account) for _ in range(2)]
        await telling.postpone_letter((await telling.letters(HERE, 1))[0].n, 30)
        assert [one.task for one in await telling.letters(HERE, 9)] == tasks[1:]
        await telling.set_clock_offset(31)
        later = await telling.letters(HERE, 9)
        assert [(one.task, one.tries) for one in later] == [(tasks[1], 0), (tasks[0], 1)]

    async def test_letters_outlive_their_task(self, telling: FullLedger) -> None:
        account = await telling.make_account("someone")
        task_id = await _ended(telling, account)
        await telling.set_clock_offset(2_000)
        await telling.forget([one.task_id for one in await telling.expired(9)])
        assert await telling.get(account, task_id) is None
        assert await _told(telling) == [task_id]

    async def test_old_letters_and_those_to_nobody_go(self, telling: FullLedger) -> None:
        account = await telling.make_account("someone")
        await _ended(telling, account)
        assert await telling.keep_letters([HERE, THERE], DAY) == 0
        assert await telling.keep_letters([HERE], DAY) == 1
        assert list(await telling.letters(THERE, 9)) == []
        await telling.set_clock_offset(DAY + 1)
        young = await _ended(telling, account)
        assert await telling.keep_letters([HERE, THERE], DAY) == 1
        assert await _told(telling) == [young]
        assert await telling.keep_letters([], DAY) == 2

    async def test_letters_are_rung(self, tmp_path: Path) -> None:
        bell = Witness()
        wanted = Wanted(bell=bell, events=(HERE,))
        async with self.open_ledger(tmp_path / "rung", wanted) as ledger:
            account = await ledger.make_account("someone")
            await ledger.enrol(card("one", "another-model"))
            lease = await _claimed(ledger, account)
            await bell.heard(WORK)
            await ledger.settle(lease, DONE)
            await bell.heard(f"task:{lease.task}", "events")

    async def test_there_is_one_courier(self, tmp_path: Path) -> None:
        async with self.open_ledger(tmp_path / "shared", Wanted()) as one:
            assert await one.lead_letters()
            async with self.open_ledger(tmp_path / "shared", Wanted()) as other:
                assert await one.lead_letters()
                assert not await other.lead_letters()
                assert await other.lead()  # the janitor is somebody else
        async with self.open_ledger(tmp_path / "shared", Wanted()) as next_one:
            assert await next_one.lead_letters()


async def _claimed(ledger: FullLedger, account: str) -> Lease:
    await ledger.add(new_task(account))
    return (await must_claim(ledger, "one")).lease


async def _ended(ledger: FullLedger, account: str) -> str:
    lease = await _claimed(ledger, account)
    await ledger.settle(lease, DONE)
    return lease.task


async def _told(ledger: FullLedger) -> list[str]:
    return [one.task for one in await ledger.letters(HERE, 9)]
