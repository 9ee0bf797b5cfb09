"""What operators do: pause and resume, delete, look, set quotas, ask what was used."""

from datetime import UTC, datetime, timedelta

import pytest

from ferrotype.conformance.ledger_base import (
    BROKEN,
    DONE,
    MODEL,
    LedgerTests,
    must_claim,
    new_task,
)
from ferrotype.errors import AllocationQuotaExceeded, Conflict, Missing
from ferrotype.ports.full_ledger import FullLedger
from ferrotype.ports.operate import Cap
from ferrotype.task import Move, Status, Who


class OperateTests(LedgerTests):
    """The port `Operate`."""

    async def test_a_paused_model_waits(
        self, ledger: FullLedger, account: str, worker: str
    ) -> None:
        for model in (MODEL, "other", MODEL):
            await ledger.add(new_task(account, model=model))
        running = await must_claim(ledger, worker)
        await ledger.pause(MODEL, "a new driver")
        await ledger.pause(MODEL, "a new disk")
        assert await ledger.paused() == {MODEL: "a new disk"}
        await ledger.add(new_task(account))
        assert await ledger.claim(worker, [MODEL]) is None
        assert (await must_claim(ledger, worker, MODEL, "other")).task.model == "other"
        assert (await ledger.settle(running.lease, DONE)).status is Status.SUCCEEDED
        await ledger.set_clock_offset(10_000)
        assert await ledger.end_unserved(60) == 0
        assert await ledger.resume(MODEL)
        assert not await ledger.resume(MODEL)
        assert await ledger.paused() == {}
        for _ in range(2):
            await must_claim(ledger, worker)

    async def test_an_operator_sees_every_task(
        self, ledger: FullLedger, account: str, worker: str
    ) -> None:
        other = await ledger.make_account("another")
        mine = (await ledger.add(new_task(account))).task_id
        theirs = (await ledger.add(new_task(other, model="other"))).task_id
        lease = (await must_claim(ledger, worker)).lease
        found = await ledger.find(theirs)
        assert found is not None
        assert found.account == other
        assert await ledger.find("no-such-task") is None
        assert [task.id for task in await ledger.look()] == [theirs, mine]
        assert [task.id for task in await ledger.look(limit=1)] == [theirs]
        assert [task.id for task in await ledger.look(account=account)] == [mine]
        assert [task.id for task in await ledger.look(model="other")] == [theirs]
        assert [task.id for task in await ledger.look(status=Status.RUNNING)] == [mine]
        await ledger.requeue(mine, "a test")
        assert [(event.move, event.who, event.why) for event in await ledger.history(mine)][1:] == [
            (Move.REQUEUE, Who.OPERATOR, "a test")
        ]
        with pytest.raises(Conflict):
            await ledger.settle(lease, DONE)
        assert await ledger.history("no-such-task") == []

    async def test_a_deleted_task_is_gone_at_once(
        self, ledger: FullLedger, account: str, worker: str
    ) -> None:
        task = (await ledger.add(new_task(account))).task_id
        for _ in range(2):
            with pytest.raises(Conflict):
                await ledger.delete(task)
            if (claim := await ledger.claim(worker, [MODEL])) is not None:
                lease = claim.lease
        await ledger.settle(lease, DONE)
        await ledger.delete(task)
        assert await ledger.get(account, task) is None
        assert await ledger.find(task) is None
        assert [each.task_id for each in await ledger.expired(10)] == [task]
        for gone in (task, "no-such-task"):
            with pytest.raises(Conflict):
                await ledger.delete(gone)

    async def test_quotas(self, ledger: FullLedger, account: str, worker: str) -> None:
        other = await ledger.make_account("another")
        await ledger.set_quota(account, 1, 3.0)
        await ledger.add(new_task(account))
        with pytest.raises(AllocationQuotaExceeded):
            await ledger.add(new_task(account))
        await ledger.set_quota(account, 100, 3.0)
        for who in (account, other):
            for _ in range(8):
                await ledger.add(new_task(who))
        first = [(await must_claim(ledger, worker)).task.account for _ in range(8)]
        assert first.count(account) > first.count(other)
        one, two = await ledger.account_list()
        assert (one.name, one.open, one.max_pending, one.weight) == ("another", 8, None, 1.0)
        assert (two.id, two.name, two.open, two.max_pending) == (account, "someone", 9, 100)
        await ledger.set_quota(account, None, 1.0)
        assert (await ledger.account_list())[1].max_pending is None
        with pytest.raises(Missing):
            await ledger.set_quota("nobody", 1, 1.0)

    async def test_caps_are_listed(self, ledger: FullLedger, account: str) -> None:
        await ledger.set_cap(account, None, 3)
        await ledger.set_cap(None, MODEL, 5)
        await ledger.set_profile({MODEL: 1})
        assert set(await ledger.cap_list()) == {Cap(account, None, 3), Cap(None, MODEL, 5)}

    async def test_what_was_used_outlives_its_tasks(
        self, ledger: FullLedger, account: str, worker: str
    ) -> None:
        ids = []
        for ending in (DONE, DONE, BROKEN):
            ids.append((await ledger.add(new_task(account))).task_id)
            ended = await ledger.settle((await must_claim(ledger, worker)).lease, ending)
        await ledger.add(new_task(account))  # it has not ended
        assert ended.end_at is not None
        today = ended.end_at.astimezone(UTC).date()

        async def sums() -> dict[tuple[str, str], float]:
            rows = await ledger.used(today, today)
            assert {(row.day, row.account, row.key, row.model) for row in rows} == {
                (today, account, "some-key", MODEL)
            }
            return {(row.status, row.measure): row.amount for row in rows}

        live = await sums()
        assert live.pop(("SUCCEEDED", "run_seconds")) >= 0
        assert live.pop(("FAILED", "run_seconds")) >= 0
        assert live == {
            ("SUCCEEDED", "tasks"): 2,
            ("SUCCEEDED", "image_count"): 2,
            ("FAILED", "tasks"): 1,
        }
        before = await sums()
        for upto in (1, 10):
            await ledger.set_clock_offset(1_001)
            swept = [each.task_id for each in await ledger.expired(upto)]
            await ledger.forget(swept)
            after = await sums()
            assert after == pytest.approx(before)
        assert await ledger.known(ids) == frozenset()
        assert await ledger.used(today + timedelta(days=1), today + timedelta(days=9)) == []
        assert await ledger.forget_used(today) == 0
        assert await ledger.forget_used(today + timedelta(days=1)) == len(before)
        assert await ledger.used(today, today) == []
        assert datetime.now(UTC).date() - today <= timedelta(days=1)
