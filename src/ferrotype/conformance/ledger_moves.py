"""Every move from every situation, driven by the rules; and who may write what."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from ferrotype.conformance.ledger_base import (
    BROKEN,
    DONE,
    MODEL,
    SITUATIONS,
    LedgerTests,
    Situation,
    bring,
    card,
    must_claim,
    new_task,
)
from ferrotype.errors import Conflict
from ferrotype.ports.admin import Stuck
from ferrotype.ports.full_ledger import FullLedger
from ferrotype.ports.ledger import Ending
from ferrotype.task import FINAL, MAX_FAULTS, RULES, Lease, Move, Result, Status

Try = Callable[[FullLedger, str, Lease], Awaitable[object]]


async def _claim(ledger: FullLedger, account: str, lease: Lease) -> None:
    if await ledger.claim(lease.worker, [MODEL]) is None:
        raise Conflict


async def _progress(ledger: FullLedger, account: str, lease: Lease) -> None:
    if lease.task in (await ledger.renew(lease.worker, {lease: 0.5})).lost:
        raise Conflict


async def _unserved(ledger: FullLedger, account: str, lease: Lease) -> None:
    if not await ledger.end_unserved(0):
        raise Conflict


async def _expire(ledger: FullLedger, account: str, lease: Lease) -> None:
    await ledger.set_clock_offset(1_001)
    swept = await ledger.expired(10)
    await ledger.forget([lease.task])
    if lease.task not in {each.task_id for each in swept}:
        raise Conflict


TRIES: dict[Move, Try] = {
    Move.CLAIM: _claim,
    Move.PROGRESS: _progress,
    Move.SUCCEED: lambda ledger, account, lease: ledger.settle(lease, DONE),
    Move.FAIL: lambda ledger, account, lease: ledger.settle(lease, BROKEN),
    Move.TIME_OUT: lambda ledger, account, lease: ledger.time_out(lease),
    Move.STOPPED: lambda ledger, account, lease: ledger.stopped(lease),
    Move.GIVE_BACK: lambda ledger, account, lease: ledger.give_back(lease, "why"),
    Move.FAULT: lambda ledger, account, lease: ledger.fault(lease, "why"),
    Move.CANCEL: lambda ledger, account, lease: ledger.cancel(account, lease.task),
    Move.WITHDRAW: lambda ledger, account, lease: ledger.withdraw(account, lease.task),
    Move.ASK_STOP: lambda ledger, account, lease: ledger.ask_stop(account, lease.task),
    Move.REQUEUE: lambda ledger, account, lease: ledger.requeue(lease.task, "why"),
    Move.DROP: lambda ledger, account, lease: ledger.drop(lease.task, "why"),
    Move.UNSERVED: _unserved,
    Move.EXPIRE: _expire,
}
PAIRS = [
    pytest.param(move, situation, id=f"{move}-{situation}")
    for move in TRIES
    for situation in SITUATIONS
]


def allowed(move: Move, situation: Situation) -> bool:
    """Return what the rules say of a move that the right one makes from there."""
    rule = RULES[move]
    return (
        situation.status in rule.sources
        and rule.claimed in (None, situation.claimed)
        and rule.stopping in (None, situation.stopping)
    )


def target(move: Move, situation: Situation) -> Status | None:
    """Return where the rules say that the move leads from there."""
    rule = RULES[move]
    return rule.if_stopping if rule.if_stopping and situation.stopping else rule.target


class MoveTests(LedgerTests):
    """The table of moves, as the ledger keeps it."""

    @pytest.mark.parametrize(("move", "situation"), PAIRS)
    async def test_every_move_from_every_situation(
        self, ledger: FullLedger, account: str, worker: str, move: Move, situation: Situation
    ) -> None:
        task_id, lease = await bring(ledger, account, worker, situation)
        before = await ledger.get(account, task_id)
        if move is Move.SUCCEED and situation.status is Status.SUCCEEDED:
            return  # told twice by the same lease: it has a test of its own
        if not allowed(move, situation):
            with pytest.raises(Conflict):
                await TRIES[move](ledger, account, lease)
            if move is not Move.EXPIRE:
                assert await ledger.get(account, task_id) == before
            return
        await TRIES[move](ledger, account, lease)
        task = await ledger.get(account, task_id)
        to = target(move, situation)
        assert (task and task.status) == to
        if task is not None:
            assert task.ended == (to in FINAL) == (task.end_at is not None)
            assert (task.expires_at is not None) == task.ended
            moves = [event.move for event in await ledger.events(account, task_id)]
            assert moves[-1:] == [move] or move is Move.PROGRESS

    def test_every_rule_is_tried(self) -> None:
        others = {
            Move.ADD,
            Move.ADMIT,
            Move.DUE,
            Move.LOSE,
            Move.ABANDON,
        }  # have tests of their own
        assert set(TRIES) | others == set(Move)

    @pytest.mark.parametrize("situation", SITUATIONS, ids=str)
    async def test_lose(
        self, ledger: FullLedger, account: str, worker: str, situation: Situation
    ) -> None:
        task_id, _ = await bring(ledger, account, worker, situation)
        await ledger.retire(worker)
        task = await ledger.get(account, task_id)
        assert task is not None
        lost = allowed(Move.LOSE, situation)
        assert task.status == (target(Move.LOSE, situation) if lost else situation.status)
        assert task.faults == 0

    @pytest.mark.parametrize("situation", SITUATIONS, ids=str)
    async def test_abandon(
        self, ledger: FullLedger, account: str, worker: str, situation: Situation
    ) -> None:
        task_id, lease = await bring(ledger, account, worker, situation)
        assert await ledger.abandon() == 0
        await ledger.attend(task_id, 550)
        await ledger.set_clock_offset(540)
        assert await ledger.abandon() == 0
        await ledger.set_clock_offset(560)
        await ledger.abandon()
        task = await ledger.get(account, task_id)
        assert task is not None
        if allowed(Move.ABANDON, situation):
            assert task.status is Status.CANCELED
        else:
            assert task.status is situation.status
        if situation.status is Status.RUNNING:
            assert task.stop_at is not None
            assert (await ledger.renew(worker, {lease: 0.1})).stop == {task_id}
        assert await ledger.abandon() == 0

    async def test_a_stale_holder_writes_nothing(
        self, ledger: FullLedger, account: str, worker: str
    ) -> None:
        task_id = (await ledger.add(new_task(account))).task_id
        old = (await must_claim(ledger, worker)).lease
        await ledger.give_back(old, "a test")
        new = (await must_claim(ledger, worker)).lease
        assert (new.task, new.attempt) == (task_id, old.attempt + 1)
        stranger = Lease(task_id, new.attempt, "somebody-else")
        for lease in (old, stranger):
            for move in (Move.SUCCEED, Move.FAIL, Move.TIME_OUT, Move.GIVE_BACK, Move.FAULT):
                with pytest.raises(Conflict):
                    await TRIES[move](ledger, account, lease)
            with pytest.raises(Conflict):
                await ledger.note(lease, b"stale")
        assert (await ledger.renew(worker, {old: 0.9, new: 0.2})).lost == {task_id}
        task = await ledger.settle(new, DONE)
        assert task.status is Status.SUCCEEDED
        assert task.attempt == new.attempt

    async def test_success_may_be_told_twice(
        self, ledger: FullLedger, account: str, worker: str
    ) -> None:
        task_id = (await ledger.add(new_task(account))).task_id
        old = (await must_claim(ledger, worker)).lease
        await ledger.give_back(old, "a test")
        lease = (await must_claim(ledger, worker)).lease
        task = await ledger.settle(lease, DONE)
        events = await ledger.events(account, task_id)
        await ledger.set_clock_offset(10)
        await ledger.rotate_secret()
        other = Ending(result=Result(outputs=(), usage={"image_count": 9}, shown={}))
        for ending in (DONE, other):
            assert await ledger.settle(lease, ending) == task
        strangers = (old, Lease(task_id, lease.attempt, "somebody-else"))
        for call in [
            *(ledger.settle(stranger, DONE) for stranger in strangers),
            ledger.settle(lease, BROKEN),
            ledger.time_out(lease),
            ledger.give_back(lease, "why"),
            ledger.fault(lease, "why"),
        ]:
            with pytest.raises(Conflict):
                await call
        assert await ledger.get(account, task_id) == task
        assert await ledger.events(account, task_id) == events
        await ledger.set_clock_offset(1_001)
        with pytest.raises(Conflict):
            await ledger.settle(lease, DONE)

    async def test_failure_is_told_once(
        self, ledger: FullLedger, account: str, worker: str
    ) -> None:
        await ledger.add(new_task(account))
        lease = (await must_claim(ledger, worker)).lease
        await ledger.settle(lease, BROKEN)
        for ending in (BROKEN, DONE):
            with pytest.raises(Conflict):
                await ledger.settle(lease, ending)

    async def test_the_first_write_wins_against_ask_stop(
        self, ledger: FullLedger, account: str, worker: str
    ) -> None:
        task_id = (await ledger.add(new_task(account))).task_id
        lease = (await must_claim(ledger, worker)).lease
        asked = await ledger.ask_stop(account, task_id)
        assert asked.stop_at is not None
        assert (await ledger.ask_stop(account, task_id)).stop_at == asked.stop_at
        assert (await ledger.renew(worker, {lease: 0.5})).stop == {task_id}
        assert (await ledger.settle(lease, DONE)).status is Status.SUCCEEDED
        with pytest.raises(Conflict):
            await ledger.stopped(lease)

    async def test_the_third_fault_ends_it(
        self, ledger: FullLedger, account: str, worker: str
    ) -> None:
        task_id = (await ledger.add(new_task(account))).task_id
        later = 0.0
        for faults, pause in ((1, 5.0), (2, 20.0)):
            lease = (await must_claim(ledger, worker)).lease
            task = await ledger.fault(lease, "it died")
            assert (task.status, task.faults) == (Status.PENDING, faults)
            assert await ledger.claim(worker, [MODEL]) is None
            due = await ledger.next_due([MODEL])
            assert due is not None
            assert pause - 2 < due <= pause
            assert await ledger.next_due(["another-model"]) is None
            later += pause
            await ledger.set_clock_offset(later)
        lease = (await must_claim(ledger, worker)).lease
        task = await ledger.fault(lease, "it died again")
        assert (task.status, task.faults) == (Status.FAILED, MAX_FAULTS)
        assert task.code == "InternalError.Algo"
        assert (await ledger.events(account, task_id))[-1].why == "it died again"

    async def test_a_drain_is_no_fault_and_goes_first(
        self, ledger: FullLedger, account: str, worker: str
    ) -> None:
        first = (await ledger.add(new_task(account))).task_id
        await ledger.add(new_task(account))
        first_claim = await must_claim(ledger, worker)
        assert first_claim.task.claim_at is not None
        assert (await ledger.give_back(first_claim.lease, "drain")).faults == 0
        await ledger.set_clock_offset(5)
        again = await must_claim(ledger, worker)
        assert (again.task.id, again.lease.attempt) == (first, 2)
        assert again.task.first_claim_at == first_claim.task.claim_at
        assert again.task.claim_at is not None
        assert again.task.claim_at >= first_claim.task.claim_at + timedelta(seconds=5)

    @pytest.mark.parametrize("blamed", [False, True])
    async def test_a_task_that_was_claimed_twenty_times_runs_alone_and_waits(
        self, ledger: FullLedger, account: str, worker: str, blamed: bool
    ) -> None:
        await ledger.add(new_task(account))
        for _ in range(19):
            await ledger.give_back((await must_claim(ledger, worker)).lease, "a test")
        lease = (await must_claim(ledger, worker)).lease
        await (ledger.fault(lease, "a test") if blamed else ledger.give_back(lease, "a test"))
        assert await ledger.claim(worker, [MODEL]) is None
        due = await ledger.next_due([MODEL])
        assert due is not None
        assert 50 < due <= 60
        await ledger.set_clock_offset(61)
        assert await ledger.claim(worker, [MODEL], alone=False) is None
        assert (await must_claim(ledger, worker)).lease.attempt == 21

    async def test_tasks_that_were_claimed_twenty_times_are_named(
        self, ledger: FullLedger, account: str, worker: str
    ) -> None:
        ids = [(await ledger.add(new_task(account))).task_id for _ in range(2)]
        for task_id in ids:
            for _ in range(19):
                lease = (await must_claim(ledger, worker)).lease
                assert lease.task == task_id
                await ledger.give_back(lease, "a test")
            assert task_id not in (await ledger.stuck(5)).task_ids
            lease = (await must_claim(ledger, worker)).lease
        assert await ledger.stuck(5) == Stuck(2, tuple(ids))
        assert await ledger.stuck(1) == Stuck(2, (ids[0],))
        await ledger.settle(lease, DONE)
        assert await ledger.stuck(5) == Stuck(1, (ids[0],))

    async def test_notes_reach_the_next_attempt(
        self, ledger: FullLedger, account: str, worker: str
    ) -> None:
        await ledger.add(new_task(account))
        claim = await must_claim(ledger, worker)
        assert claim.memo is None
        await ledger.note(claim.lease, b"intent")
        await ledger.note(claim.lease, b"\x00upstream id")
        await ledger.give_back(claim.lease, "a test")
        with pytest.raises(Conflict):
            await ledger.note(claim.lease, b"too late")
        assert (await must_claim(ledger, worker)).memo == b"\x00upstream id"

    async def test_a_stop_outranks_the_last_fault(
        self, ledger: FullLedger, account: str, worker: str
    ) -> None:
        task_id = (await ledger.add(new_task(account))).task_id
        for faults in range(MAX_FAULTS):
            await ledger.set_clock_offset(30.0 * faults)
            lease = (await must_claim(ledger, worker)).lease
            if faults == MAX_FAULTS - 1:
                await ledger.ask_stop(account, task_id)
            task = await ledger.fault(lease, "it died")
            assert (task.code, task.message) == (None, None)
        assert task.status is Status.CANCELED

    async def test_progress_is_the_attempts_own(
        self, ledger: FullLedger, account: str, worker: str
    ) -> None:
        task_id = (await ledger.add(new_task(account))).task_id
        lease = (await must_claim(ledger, worker)).lease
        await ledger.renew(worker, {lease: 0.5})
        task = await ledger.get(account, task_id)
        assert task is not None
        assert task.progress == 0.5
        await ledger.give_back(lease, "a test")
        claim = await must_claim(ledger, worker)
        assert claim.task.progress == 0
        task = await ledger.settle(claim.lease, DONE)
        assert task.progress == 1
        events = await ledger.events(account, task_id)
        told = [Move.CLAIM, Move.GIVE_BACK, Move.CLAIM, Move.SUCCEED]
        assert [event.move for event in events] == told
        assert [event.attempt for event in events] == [1, 1, 2, 2]
        assert [event.at for event in events] == sorted(event.at for event in events)
        assert events[-1].at == task.end_at
        assert {event.task for event in events} == {task_id}

    async def test_a_renewal_speaks_for_its_own_worker_only(
        self, ledger: FullLedger, account: str, worker: str
    ) -> None:
        task_id = (await ledger.add(new_task(account))).task_id
        lease = (await must_claim(ledger, worker)).lease
        await ledger.ask_stop(account, task_id)
        await ledger.enrol(card("second"))
        renewal = await ledger.renew("second", {lease: 0.5})
        assert not renewal.stop
        assert renewal.lost == {task_id}
        task = await ledger.get(account, task_id)
        assert task is not None
        assert task.progress == 0
        renewal = await ledger.renew(worker, {lease: 0.5})
        assert renewal.stop == {task_id}
        assert not renewal.lost
