"""Who goes next: priorities, turns between accounts, lanes under a cap, delays."""

import asyncio

import pytest

from ferrotype.conformance.ledger_base import BROKEN, DONE, MODEL, LedgerTests, must_claim, new_task
from ferrotype.errors import Conflict
from ferrotype.ports.full_ledger import FullLedger
from ferrotype.task import Move, Status


async def claim_all(ledger: FullLedger, worker: str) -> list[str]:
    """Claim until nothing is ready; return the tasks in that order."""
    ids = []
    while (claim := await ledger.claim(worker, [MODEL])) is not None:
        ids.append(claim.task.id)
    return ids


async def run_all(ledger: FullLedger, worker: str) -> list[str]:
    """Claim and settle until nothing is ready; return whose tasks these were, in that order."""
    accounts = []
    while (claim := await ledger.claim(worker, [MODEL])) is not None:
        accounts.append((await ledger.settle(claim.lease, DONE)).account)
    return accounts


def check_turns(order: list[str], one: str, other: str) -> None:
    """Two accounts with as many tasks each: neither is ever more than one task ahead."""
    assert len(order) == 12
    for upto in range(len(order)):
        assert abs(order[:upto].count(one) - order[:upto].count(other)) <= 1, order


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

    async def test_who_comes_late_has_nothing_saved_up(
        self, ledger: FullLedger, account: str, worker: str
    ) -> None:
        for _ in range(12):
            await ledger.add(new_task(account))
        for _ in range(6):
            await must_claim(ledger, worker)
        other = await ledger.make_account("another")
        for _ in range(6):
            await ledger.add(new_task(other))
        check_turns(await run_all(ledger, worker), account, other)

    async def test_who_comes_when_nobody_waits_has_nothing_saved_up(
        self, ledger: FullLedger, account: str, worker: str
    ) -> None:
        for _ in range(6):
            await ledger.add(new_task(account))
        await claim_all(ledger, worker)
        other = await ledger.make_account("another")
        for who in (other, account):
            for _ in range(6):
                await ledger.add(new_task(who))
        check_turns(await run_all(ledger, worker), account, other)

    async def test_held_tasks_take_turns_as_others_do(
        self, ledger: FullLedger, account: str, worker: str
    ) -> None:
        await ledger.set_cap(account, None, 1)
        other = await ledger.make_account("another")
        for who in (account, other):
            for _ in range(6):
                await ledger.add(new_task(who))
        check_turns(await run_all(ledger, worker), account, other)

    async def test_held_tasks_save_nothing_up(
        self, ledger: FullLedger, account: str, worker: str
    ) -> None:
        await ledger.set_cap(account, None, 1)
        for _ in range(7):
            await ledger.add(new_task(account))
        running = await must_claim(ledger, worker)
        other = await ledger.make_account("another")
        for _ in range(12):
            await ledger.add(new_task(other))
        for _ in range(6):
            assert (await must_claim(ledger, worker)).task.account == other
        await ledger.settle(running.lease, DONE)
        check_turns(await run_all(ledger, worker), account, other)

    async def test_across_models_priority_then_turn(
        self, ledger: FullLedger, account: str, worker: str
    ) -> None:
        other = await ledger.make_account("another")
        mine = [(await ledger.add(new_task(account))).task_id for _ in range(3)]
        theirs = (await ledger.add(new_task(other, model="another-model"))).task_id
        urgent = (await ledger.add(new_task(other, model="third-model", priority=1))).task_id
        models = (MODEL, "another-model", "third-model")
        order = [(await must_claim(ledger, worker, *models)).task.id for _ in range(5)]
        assert order == [urgent, mine[0], theirs, mine[1], mine[2]]

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
        assert await ledger.claim(worker, [MODEL]) is None
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
        for claim in claims[:0:-1]:
            await ledger.settle(claim.lease, DONE)
            assert await claim_all(ledger, worker) == []
        await ledger.settle(claims[0].lease, DONE)
        last = await must_claim(ledger, worker)
        assert await claim_all(ledger, worker) == []
        await ledger.set_cap(account, None, 0)
        await ledger.admit_due()
        await ledger.settle(last.lease, DONE)
        assert await claim_all(ledger, worker) == []
        await ledger.set_cap(account, None, None)
        await ledger.admit_due()
        assert len(await claim_all(ledger, worker)) == 5

    async def test_what_runs_counts_under_a_new_cap(
        self, ledger: FullLedger, account: str, worker: str
    ) -> None:
        for _ in range(5):
            await ledger.add(new_task(account))
        claims = [await must_claim(ledger, worker) for _ in range(3)]
        await ledger.set_cap(account, None, 2)
        await ledger.admit_due()
        await ledger.settle(claims[0].lease, DONE)
        assert await claim_all(ledger, worker) == []
        await ledger.settle(claims[1].lease, DONE)
        assert len(await claim_all(ledger, worker)) == 1

    async def test_a_cap_that_went_leaves_no_slot_taken(
        self, ledger: FullLedger, account: str, worker: str
    ) -> None:
        for cap in (2, None, 2):
            await ledger.set_cap(account, None, cap)
            await ledger.admit_due()
            if cap and not await ledger.counts():
                for _ in range(3):
                    await ledger.add(new_task(account))
        assert len(await claim_all(ledger, worker)) == 2

    async def test_a_lower_cap_holds_back_what_was_ready(
        self, ledger: FullLedger, account: str, worker: str
    ) -> None:
        await ledger.set_cap(account, None, 3)
        for _ in range(5):
            await ledger.add(new_task(account))
        await ledger.set_cap(account, None, 1)
        await ledger.admit_due()
        assert len(await claim_all(ledger, worker)) == 1

    async def test_a_new_cap_shortens_no_delay(
        self, ledger: FullLedger, account: str, worker: str
    ) -> None:
        await ledger.add(new_task(account, delay=30.0))
        await ledger.set_cap(account, None, 1)
        await ledger.admit_due()
        assert await claim_all(ledger, worker) == []

    async def test_a_cap_of_none_holds_everything(
        self, ledger: FullLedger, account: str, worker: str
    ) -> None:
        await ledger.set_cap(account, MODEL, 0)
        await ledger.add(new_task(account))
        await ledger.add(new_task(account, delay=5.0))
        await ledger.set_clock_offset(6)
        assert await claim_all(ledger, worker) == []

    async def test_a_held_task_of_higher_priority_is_admitted_first(
        self, ledger: FullLedger, account: str, worker: str
    ) -> None:
        await ledger.set_cap(account, MODEL, 1)
        running, low, later = [(await ledger.add(new_task(account))).task_id for _ in range(3)]
        high = (await ledger.add(new_task(account, priority=5))).task_id
        order = []
        while (claim := await ledger.claim(worker, [MODEL])) is not None:
            order.append((await ledger.settle(claim.lease, DONE)).id)
        assert order == [running, high, low, later]

    async def test_a_task_that_pauses_has_no_slot(
        self, ledger: FullLedger, account: str, worker: str
    ) -> None:
        await ledger.set_cap(account, MODEL, 1)
        ids = [(await ledger.add(new_task(account))).task_id for _ in range(3)]
        await ledger.fault((await must_claim(ledger, worker)).lease, "it died")
        await ledger.set_clock_offset(6)  # it is due, and its lane is full
        assert (await must_claim(ledger, worker)).task.id == ids[1]
        await ledger.withdraw(account, ids[0])
        assert await claim_all(ledger, worker) == []

    async def test_after_its_pause_a_task_goes_before_what_came_later(
        self, ledger: FullLedger, account: str, worker: str
    ) -> None:
        first = (await ledger.add(new_task(account))).task_id
        await ledger.fault((await must_claim(ledger, worker)).lease, "it died")
        rest = [(await ledger.add(new_task(account))).task_id for _ in range(3)]
        await ledger.set_clock_offset(6)
        assert await claim_all(ledger, worker) == [first, *rest]

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

    async def test_a_profile_holds_where_the_operator_says_nothing(
        self, ledger: FullLedger, account: str, worker: str
    ) -> None:
        await ledger.set_profile({MODEL: 2, "other": 1})
        for _ in range(5):
            await ledger.add(new_task(account))
        assert len(await claim_all(ledger, worker)) == 2
        await ledger.set_cap(None, None, 4)  # less exact, but the operator's own
        await ledger.admit_due()
        assert len(await claim_all(ledger, worker)) == 2
        await ledger.set_cap(None, None, None)
        await ledger.set_profile({})
        await ledger.admit_due()
        assert len(await claim_all(ledger, worker)) == 1

    async def test_a_profile_that_goes_leaves_the_operators_caps(
        self, ledger: FullLedger, account: str, worker: str
    ) -> None:
        await ledger.set_cap(None, MODEL, 1)
        await ledger.set_profile({MODEL: 3})
        await ledger.set_profile({})
        for _ in range(6):
            await ledger.add(new_task(account))
        assert len(await claim_all(ledger, worker)) == 1
        await ledger.set_profile({MODEL: 3})
        await ledger.set_cap(None, MODEL, 2)
        await ledger.set_cap(None, MODEL, None)  # what it hid is still there
        await ledger.admit_due()
        assert len(await claim_all(ledger, worker)) == 2
