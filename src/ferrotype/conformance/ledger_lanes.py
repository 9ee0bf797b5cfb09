"""Who goes next: priorities, turns between accounts, lanes under a cap, delays."""

import asyncio

import pytest

from ferrotype.conformance.ledger_base import (
    BROKEN,
    DONE,
    MODEL,
    FullLedger,
    LedgerTests,
    must_claim,
    new_task,
)
from ferrotype.errors import Conflict
from ferrotype.task import Move, Status


async def claim_all(ledger: FullLedger, worker: str) -> list[str]:
    """Claim until nothing is ready; return the tasks in that order."""
    ids = []
    while (claim := await ledger.claim(worker, [MODEL])) is not None:
        ids.append(claim.task.id)
    return ids


class LaneTests(LedgerTests):
    """Order and limits."""

    async def test_within_an_account_first_come_first_served(
        self, ledger: FullLedger, account: str, worker: str
    ) -> None:
        ids = [(await ledger.add(new_task(account))).task_id for _ in range(5)]
        assert await claim_all(ledger, worker) == ids

    async def test_priority_goes_first(self, ledger: FullLedger, account: str, worker: str) -> None:
        low = (await ledger.add(new_task(account))).task_id
        high = (await ledger.add(new_task(account, priority=5))).task_id
        assert await claim_all(ledger, worker) == [high, low]

    async def test_ten_thousand_tasks_of_one_account_do_not_delay_another(
        self, ledger: FullLedger, account: str, worker: str
    ) -> None:
        for _ in range(10):
            await asyncio.gather(*(ledger.add(new_task(account)) for _ in range(1_000)))
        for _ in range(3):
            await must_claim(ledger, worker)
        other = await ledger.make_account("another")
        single = (await ledger.add(new_task(other))).task_id
        following = [(await must_claim(ledger, worker)).task.id for _ in range(2)]
        assert single in following

    async def test_accounts_take_turns(self, ledger: FullLedger, worker: str) -> None:
        accounts = [await ledger.make_account(name) for name in ("one", "two", "three")]
        for account in accounts:
            for _ in range(4):
                await ledger.add(new_task(account))
        order = []
        for _ in range(12):
            order.append((await must_claim(ledger, worker)).task.account)
        for first in range(0, 12, 3):
            assert set(order[first : first + 3]) == set(accounts)

    async def test_only_the_asked_models(
        self, ledger: FullLedger, account: str, worker: str
    ) -> None:
        await ledger.add(new_task(account))
        assert await ledger.claim(worker, ["another-model"]) is None
        assert await ledger.claim(worker, []) is None
        await must_claim(ledger, worker, "another-model", MODEL)

    @pytest.mark.parametrize("how", ["settle", "fail", "stopped", "lose", "fault"])
    async def test_a_lane_is_never_over_its_cap(
        self, ledger: FullLedger, account: str, worker: str, how: str
    ) -> None:
        await ledger.set_cap(account, MODEL, 2)
        ids = [(await ledger.add(new_task(account))).task_id for _ in range(4)]
        one, two = await must_claim(ledger, worker), await must_claim(ledger, worker)
        assert [one.task.id, two.task.id] == ids[:2]
        assert await ledger.claim(worker, [MODEL]) is None
        other = await ledger.make_account("another")
        free = (await ledger.add(new_task(other))).task_id
        assert (await must_claim(ledger, worker)).task.id == free
        if how == "settle":
            await ledger.settle(one.lease, DONE)
        elif how == "fail":
            await ledger.settle(one.lease, BROKEN)
        elif how == "stopped":
            await ledger.ask_stop(account, ids[0])
            await ledger.stopped(one.lease)
        elif how == "lose":
            assert (await ledger.requeue(ids[0], "a test")).status is Status.PENDING
            assert (await must_claim(ledger, worker)).task.id == ids[0]
            assert await ledger.claim(worker, [MODEL]) is None
            return
        else:
            await ledger.fault(one.lease, "it died")
        assert await claim_all(ledger, worker) == [ids[2]]
        events = await ledger.events(account, ids[2])
        assert [event.move for event in events] == [Move.ADMIT, Move.CLAIM]
        await ledger.settle(two.lease, DONE)
        assert await claim_all(ledger, worker) == [ids[3]]

    async def test_cancels_leave_the_lane(
        self, ledger: FullLedger, account: str, worker: str
    ) -> None:
        await ledger.set_cap(None, None, 2)
        ids = [(await ledger.add(new_task(account))).task_id for _ in range(6)]
        for task_id in (ids[0], ids[3]):  # one that is ready, one that is held
            await ledger.cancel(account, task_id)
        claims = [await must_claim(ledger, worker) for _ in range(2)]
        assert [claim.task.id for claim in claims] == [ids[1], ids[2]]
        for claim in claims:
            await ledger.settle(claim.lease, DONE)
        assert await claim_all(ledger, worker) == [ids[4], ids[5]]

    async def test_the_most_specific_cap_wins(
        self, ledger: FullLedger, account: str, worker: str
    ) -> None:
        for who, model, n in ((None, None, 1), (None, MODEL, 2), (account, None, 3)):
            await ledger.set_cap(who, model, n)
        for _ in range(6):
            await ledger.add(new_task(account))
        assert len(await claim_all(ledger, worker)) == 3
        other = await ledger.make_account("another")
        for _ in range(6):
            await ledger.add(new_task(other))
        assert len(await claim_all(ledger, worker)) == 2

    async def test_changed_caps_are_applied(
        self, ledger: FullLedger, account: str, worker: str
    ) -> None:
        for _ in range(9):
            await ledger.add(new_task(account))
        claims = [await must_claim(ledger, worker) for _ in range(2)]
        await ledger.set_cap(account, None, 3)
        await ledger.admit_due()
        claims.append(await must_claim(ledger, worker))
        assert await claim_all(ledger, worker) == []
        await ledger.set_cap(account, None, 1)
        await ledger.admit_due()
        for claim in claims[:2]:
            await ledger.settle(claim.lease, DONE)
            assert await claim_all(ledger, worker) == []
        await ledger.settle(claims[2].lease, DONE)
        last = await must_claim(ledger, worker)
        assert await claim_all(ledger, worker) == []
        await ledger.set_cap(account, None, 0)
        await ledger.admit_due()
        await ledger.settle(last.lease, DONE)
        assert await claim_all(ledger, worker) == []
        await ledger.set_cap(account, None, None)
        await ledger.admit_due()
        assert len(await claim_all(ledger, worker)) == 5

    async def test_a_delayed_task_waits_without_a_slot(
        self, ledger: FullLedger, account: str, worker: str
    ) -> None:
        await ledger.set_cap(account, MODEL, 1)
        delayed = [(await ledger.add(new_task(account, delay=30.0))).task_id for _ in range(2)]
        prompt = (await ledger.add(new_task(account))).task_id
        lease = (await must_claim(ledger, worker)).lease
        assert lease.task == prompt
        due = await ledger.next_due([MODEL])
        assert due is not None
        assert 20 < due <= 30
        await ledger.set_clock_offset(31)
        assert await ledger.next_due([MODEL]) == 0
        assert await ledger.claim(worker, [MODEL]) is None
        assert await ledger.next_due([MODEL]) is None
        await ledger.settle(lease, DONE)
        assert await claim_all(ledger, worker) == delayed[:1]

    async def test_a_delayed_task_can_be_canceled(
        self, ledger: FullLedger, account: str, worker: str
    ) -> None:
        task_id = (await ledger.add(new_task(account, delay=30.0))).task_id
        assert (await ledger.cancel(account, task_id)).status is Status.CANCELED
        assert await ledger.next_due([MODEL]) is None
        with pytest.raises(Conflict):
            await ledger.cancel(account, task_id)

    async def test_the_janitor_makes_due_tasks_ready(
        self, ledger: FullLedger, account: str, worker: str
    ) -> None:
        task_id = (await ledger.add(new_task(account, delay=30.0))).task_id
        assert await ledger.admit_due() == 0
        await ledger.set_clock_offset(31)
        assert await ledger.admit_due() == 1
        assert await claim_all(ledger, worker) == [task_id]

    async def test_one_claim_each(self, ledger: FullLedger, account: str, worker: str) -> None:
        ids = {(await ledger.add(new_task(account))).task_id for _ in range(20)}
        claims = await asyncio.gather(*(ledger.claim(worker, [MODEL]) for _ in range(30)))
        got = [claim.task.id for claim in claims if claim is not None]
        assert len(got) == 20
        assert set(got) == ids
