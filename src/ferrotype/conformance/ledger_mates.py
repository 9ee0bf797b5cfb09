"""Tasks of one shape that are claimed to run in one call."""

from ferrotype.conformance.ledger_base import (
    DONE,
    MODEL,
    LedgerTests,
    must_claim,
    new_task,
)
from ferrotype.ports.full_ledger import FullLedger
from ferrotype.task import LONELY_AFTER, LONELY_PAUSE, Status

SHAPE = "1024x1024"
SIGHT = 64  # ready tasks of the model among which mates are looked for


class MateTests(LedgerTests):
    """`claim_mates`: alike in model and shape, each a task of its own."""

    async def test_mates_are_the_next_tasks_of_the_same_shape(
        self, ledger: FullLedger, account: str, worker: str
    ) -> None:
        shapes = (SHAPE, "other", SHAPE, "", SHAPE, SHAPE)
        ids = [(await ledger.add(new_task(account, shape=shape))).task_id for shape in shapes]
        await ledger.add(new_task(account, model="other", shape=SHAPE))
        head = await must_claim(ledger, worker)
        assert (head.task.id, head.shape) == (ids[0], SHAPE)
        mates = await ledger.claim_mates(worker, head, 2)
        assert [mate.task.id for mate in mates] == [ids[2], ids[4]]
        assert {mate.task.status for mate in mates} == {Status.RUNNING}
        assert {mate.lease.worker for mate in mates} == {worker}
        assert [(await must_claim(ledger, worker)).task.id for _ in range(3)] == [
            ids[1],
            ids[3],
            ids[5],
        ]

    async def test_each_mate_ends_by_itself(
        self, ledger: FullLedger, account: str, worker: str
    ) -> None:
        for _ in range(3):
            await ledger.add(new_task(account, shape=SHAPE))
        head = await must_claim(ledger, worker)
        one, two = await ledger.claim_mates(worker, head, 8)
        assert (await ledger.settle(one.lease, DONE)).status is Status.SUCCEEDED
        assert (await ledger.fault(two.lease, "alone")).status is Status.PENDING
        task = await ledger.get(account, head.task.id)
        assert task is not None
        assert task.status is Status.RUNNING

    async def test_a_task_without_a_shape_has_no_mates(
        self, ledger: FullLedger, account: str, worker: str
    ) -> None:
        for _ in range(2):
            await ledger.add(new_task(account))
        head = await must_claim(ledger, worker)
        assert not await ledger.claim_mates(worker, head, 8)

    async def test_mates_are_looked_for_among_the_next_few_only(
        self, ledger: FullLedger, account: str, worker: str
    ) -> None:
        await ledger.add(new_task(account, shape=SHAPE))
        for _ in range(SIGHT - 1):
            await ledger.add(new_task(account, shape="other"))
        near = (await ledger.add(new_task(account, shape=SHAPE))).task_id
        await ledger.add(new_task(account, shape=SHAPE))
        head = await must_claim(ledger, worker)
        mates = await ledger.claim_mates(worker, head, 8)
        assert [mate.task.id for mate in mates] == [near]

    async def test_no_mates_of_a_paused_model_nor_any_that_must_run_alone(
        self, ledger: FullLedger, account: str, worker: str
    ) -> None:
        lonely = (await ledger.add(new_task(account, shape=SHAPE))).task_id
        for _ in range(LONELY_AFTER):
            await ledger.give_back((await must_claim(ledger, worker)).lease, "a test")
        await ledger.set_clock_offset(LONELY_PAUSE + 1)
        await ledger.admit_due()
        for _ in range(2):
            await ledger.add(new_task(account, shape=SHAPE))
        head = await ledger.claim(worker, [MODEL], alone=False)
        assert head is not None
        await ledger.pause(MODEL, "a test")
        assert not await ledger.claim_mates(worker, head, 8)
        await ledger.resume(MODEL)
        (mate,) = await ledger.claim_mates(worker, head, 8)
        assert lonely not in {head.task.id, mate.task.id}
