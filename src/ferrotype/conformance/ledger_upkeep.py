"""What the janitor does: the dead, the unserved, the overdue, the expired."""

import asyncio
from pathlib import Path

import pytest

from ferrotype.conformance.ledger_base import (
    DONE,
    MODEL,
    LedgerTests,
    Wanted,
    card,
    must_claim,
    new_task,
)
from ferrotype.errors import Conflict
from ferrotype.ports.full_ledger import FullLedger
from ferrotype.ports.ledger import MARK
from ferrotype.task import Status


class UpkeepTests(LedgerTests):
    """The port `Upkeep`, and how workers live and die."""

    async def test_a_worker_that_does_not_renew_is_dead(self, tmp_path: Path) -> None:
        async with self.open_ledger(tmp_path / "quick", Wanted(lease=0.6)) as ledger:
            account = await ledger.make_account("someone")
            kept, stopping = [(await ledger.add(new_task(account))).task_id for _ in range(2)]
            for worker in ("silent", "lively"):
                await ledger.enrol(card(worker))
            leases = [(await must_claim(ledger, "silent")).lease for _ in range(2)]
            await ledger.ask_stop(account, stopping)
            assert list(await ledger.reap()) == []
            for _ in range(4):
                await asyncio.sleep(0.2)
                await ledger.renew("lively", {})
            assert list(await ledger.reap()) == ["silent"]
            again, ended = [await ledger.get(account, each) for each in (kept, stopping)]
            assert again is not None
            assert ended is not None
            assert (again.status, again.faults) == (Status.PENDING, 0)
            assert ended.status is Status.CANCELED
            for lease in leases:
                with pytest.raises(Conflict):
                    await ledger.settle(lease, DONE)
            with pytest.raises(Conflict):
                await ledger.renew("silent", {})
            with pytest.raises(Conflict):
                await ledger.claim("silent", [MODEL])
            assert (await must_claim(ledger, "lively")).task.id == kept
            assert list(await ledger.reap()) == []

    async def test_a_moved_clock_kills_nobody(
        self, ledger: FullLedger, account: str, worker: str
    ) -> None:
        await ledger.add(new_task(account))
        await must_claim(ledger, worker)
        await ledger.set_clock_offset(86_400)
        assert list(await ledger.reap()) == []

    async def test_who_never_enrolled_claims_nothing(
        self, ledger: FullLedger, account: str
    ) -> None:
        await ledger.add(new_task(account))
        with pytest.raises(Conflict):
            await ledger.claim("nobody", [MODEL])

    async def test_unserved_tasks_fail(self, ledger: FullLedger, account: str) -> None:
        waiting = (await ledger.add(new_task(account))).task_id
        served = (await ledger.add(new_task(account, model="served"))).task_id
        await ledger.enrol(card("one", "served"))
        assert await ledger.end_unserved(60) == 0
        await ledger.set_clock_offset(61)
        young = (await ledger.add(new_task(account))).task_id
        assert await ledger.end_unserved(60) == 1
        task = await ledger.get(account, waiting)
        assert task is not None
        assert (task.status, task.code) == (Status.FAILED, "ModelUnavailable")
        for task_id in (served, young):
            task = await ledger.get(account, task_id)
            assert task is not None
            assert task.status is Status.PENDING

    async def test_a_worker_serves_what_it_announces(
        self, ledger: FullLedger, account: str
    ) -> None:
        for model in (MODEL, "other"):
            await ledger.add(new_task(account, model=model))
        await ledger.enrol(card("one", "first"))
        await ledger.announce("one", [MODEL])
        (seen,) = await ledger.workers()
        assert set(seen.models) == {MODEL}
        await ledger.set_clock_offset(61)
        assert await ledger.end_unserved(60) == 1
        await ledger.retire("one")
        with pytest.raises(Conflict):
            await ledger.announce("one", ["other"])

    async def test_a_model_is_unserved_from_when_it_is_not_announced_any_more(
        self, ledger: FullLedger, account: str
    ) -> None:
        await ledger.enrol(card("one", MODEL, "other"))
        await ledger.add(new_task(account))
        await ledger.set_clock_offset(100)
        await ledger.announce("one", ["other"])
        await ledger.set_clock_offset(159)
        await ledger.renew("one", {})
        assert await ledger.end_unserved(60) == 0
        await ledger.set_clock_offset(161)
        assert await ledger.end_unserved(60) == 1

    async def test_a_model_is_unserved_from_its_last_workers_end(
        self, ledger: FullLedger, account: str
    ) -> None:
        await ledger.enrol(card("one"))
        await ledger.add(new_task(account))
        await ledger.set_clock_offset(100)
        await ledger.renew("one", {})
        await ledger.retire("one")
        assert await ledger.end_unserved(60) == 0
        await ledger.set_clock_offset(161)
        assert await ledger.end_unserved(60) == 1

    async def test_overdue_tasks_time_out(
        self, ledger: FullLedger, account: str, worker: str
    ) -> None:
        for model in (MODEL, "slow"):
            await ledger.add(new_task(account, model=model))
        quick = (await must_claim(ledger, worker)).lease
        slow = (await must_claim(ledger, worker, "slow")).lease
        await ledger.set_clock_offset(80)
        assert await ledger.end_overdue({"slow": 100.0}, 30.0) == 0
        await ledger.set_clock_offset(91)
        assert await ledger.end_overdue({"slow": 100.0}, 30.0) == 1
        task = await ledger.get(account, quick.task)
        assert task is not None
        assert (task.status, task.code) == (Status.FAILED, "InternalError.Timeout")
        with pytest.raises(Conflict):
            await ledger.settle(quick, DONE)
        assert (await ledger.settle(slow, DONE)).status is Status.SUCCEEDED

    async def test_a_deadline_counts_from_the_last_claim(
        self, ledger: FullLedger, account: str, worker: str
    ) -> None:
        await ledger.add(new_task(account))
        await ledger.give_back((await must_claim(ledger, worker)).lease, "a test")
        await ledger.set_clock_offset(80)
        await must_claim(ledger, worker)
        await ledger.set_clock_offset(160)
        assert await ledger.end_overdue({}, 30) == 0
        await ledger.set_clock_offset(171)
        assert await ledger.end_overdue({}, 30) == 1

    async def test_nobody_attends_what_was_not_attended_from_the_start(
        self, ledger: FullLedger, account: str
    ) -> None:
        task_id = (await ledger.add(new_task(account))).task_id
        await ledger.attend(task_id, 10)
        await ledger.set_clock_offset(11)
        assert await ledger.abandon() == 0

    async def test_expired_tasks_are_marked_then_forgotten(
        self, ledger: FullLedger, account: str, worker: str
    ) -> None:
        ids = [(await ledger.add(new_task(account))).task_id for _ in range(3)]
        ended = 3 * 86_400
        await ledger.set_clock_offset(ended)
        for _ in range(2):
            submitted = await ledger.settle((await must_claim(ledger, worker)).lease, DONE)
        assert list(await ledger.expired(10)) == []
        await ledger.forget(ids)
        assert await ledger.known(ids) == set(ids)
        await ledger.set_clock_offset(ended + 1_001)
        (first,) = await ledger.expired(1)
        assert first.task_id == ids[0]
        assert first.day == f"{submitted.submit_at:%Y%m%d}"  # though it ended three days later
        await ledger.set_clock_offset(ended)
        assert await ledger.get(account, first.task_id) is None  # marked is gone for good
        assert await ledger.get(account, ids[1]) is not None
        await ledger.set_clock_offset(ended + 1_001)
        (second,) = await ledger.expired(10)
        assert second.task_id == ids[1]
        await ledger.forget(ids)
        assert await ledger.known([*ids, "no-such-task"]) == {ids[2]}
        assert await ledger.get(account, ids[2]) is not None
        assert list(await ledger.expired(10)) == []

    async def test_what_was_marked_is_passed_over_for_a_while(
        self, ledger: FullLedger, account: str, worker: str
    ) -> None:
        for offset in (0, 1, 2):
            await ledger.set_clock_offset(offset)
            await ledger.add(new_task(account))
            await ledger.settle((await must_claim(ledger, worker)).lease, DONE)
        expired = 2_000
        await ledger.set_clock_offset(expired)
        (first,), (second,) = [await ledger.expired(1) for _ in range(2)]
        assert first != second
        await ledger.set_clock_offset(expired + MARK - 60)
        (third,) = await ledger.expired(10)
        assert third not in (first, second)
        await ledger.set_clock_offset(expired + MARK + 1)
        assert set(await ledger.expired(10)) == {first, second}

    async def test_one_janitor_leads(self, tmp_path: Path) -> None:
        async with self.open_ledger(tmp_path / "same", self.wanted) as first:
            assert await first.lead()
            assert await first.lead()
            async with self.open_ledger(tmp_path / "same", self.wanted) as second:
                assert not await second.lead()
        async with self.open_ledger(tmp_path / "same", self.wanted) as third:
            assert await third.lead()

    async def test_two_ledgers_of_one_folder_are_one(self, tmp_path: Path) -> None:
        async with (
            self.open_ledger(tmp_path / "same", self.wanted) as front,
            self.open_ledger(tmp_path / "same", self.wanted) as back,
        ):
            account = await front.make_account("someone")
            await back.enrol(card("one"))
            ids = {(await front.add(new_task(account))).task_id for _ in range(10)}
            done = set()
            while (claim := await back.claim("one", [MODEL])) is not None:
                assert await front.get(account, claim.task.id) == claim.task
                done.add((await back.settle(claim.lease, DONE)).id)
            assert done == ids
            await back.checkpoint()
            assert await front.counts() == {(MODEL, "SUCCEEDED"): 10}
