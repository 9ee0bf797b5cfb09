"""Any order of calls, compared with a model that fits on a screen."""

import asyncio
import tempfile
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from ferrotype.conformance.ledger_base import DONE, MODEL, LedgerTests, Wanted, card, new_task
from ferrotype.errors import Conflict
from ferrotype.ports.full_ledger import FullLedger
from ferrotype.task import FAULT_PAUSES, FINAL, MAX_FAULTS, Lease, Status, Task

CAP = 2
MODELS = (MODEL, "another-model")
Open = Callable[[Path, Wanted], AbstractAsyncContextManager[FullLedger]]


@dataclass
class Known:
    """What the model knows of a task."""

    account: str
    model: str
    status: Status = Status.PENDING
    attempt: int = 0
    faults: int = 0
    stopping: bool = False
    due: float = 0.0
    ends: float | None = None

    def end(self, status: Status, now: float) -> None:
        self.status, self.ends = status, now + Machine.wanted.retention

    def back(self, now: float, pause: float) -> None:
        if self.stopping:
            self.end(Status.CANCELED, now)
        else:
            self.status, self.due = Status.PENDING, now + pause


class Machine(RuleBasedStateMachine):
    """Two accounts, one of them under a cap; one worker; a clock that only we move."""

    open_ledger: Open
    wanted = Wanted(retention=500.0)
    leases: Bundle[Lease] = Bundle("leases")
    tasks: Bundle[str] = Bundle("tasks")

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.folder = tempfile.TemporaryDirectory()
        self.opened = type(self).open_ledger(Path(self.folder.name) / "data", self.wanted)
        self.ledger = self.runner.run(self.opened.__aenter__())
        self.known: dict[str, Known] = {}
        self.now = 0.0
        self.accounts: list[str] = []

    @initialize()
    def begin(self) -> None:
        async def work() -> None:
            self.accounts = [await self.ledger.make_account(name) for name in ("one", "two")]
            await self.ledger.set_cap(self.accounts[0], None, CAP)
            await self.ledger.enrol(card("worker", *MODELS))

        self.runner.run(work())

    @rule(target=tasks, who=st.integers(0, 1), model=st.sampled_from(MODELS), late=st.booleans())
    def add(self, who: int, model: str, late: bool) -> str:
        account, delay = self.accounts[who], 30.0 if late else 0.0
        new = new_task(account, model=model, delay=delay)
        task_id = self.runner.run(self.ledger.add(new)).task_id
        self.known[task_id] = Known(account, model, due=self.now + delay)
        return task_id

    @rule(target=leases, models=st.sampled_from([MODELS, MODELS[:1], MODELS[1:]]))
    def claim(self, models: tuple[str, ...]) -> Lease:
        claim = self.runner.run(self.ledger.claim("worker", models))
        free = [task for task in self.known.values() if task.model in models and self.free(task)]
        if claim is None:
            assert not free
            return Lease("no-such-task", 1, "worker")
        task = self.known[claim.task.id]
        assert self.free(task)
        assert task.model in models
        task.status, task.attempt = Status.RUNNING, task.attempt + 1
        assert claim.lease == Lease(claim.task.id, task.attempt, "worker")
        return claim.lease

    @rule(lease=consumes(leases))
    def succeed(self, lease: Lease) -> None:
        if self.hold(self.ledger.settle, lease, DONE):
            self.known[lease.task].end(Status.SUCCEEDED, self.now)

    @rule(lease=leases)
    def time_out(self, lease: Lease) -> None:
        if self.hold(self.ledger.time_out, lease):
            self.known[lease.task].end(Status.FAILED, self.now)

    @rule(lease=leases)
    def give_back(self, lease: Lease) -> None:
        if self.hold(self.ledger.give_back, lease, "why"):
            self.known[lease.task].back(self.now, 0.0)

    @rule(lease=leases)
    def fault(self, lease: Lease) -> None:
        if not self.hold(self.ledger.fault, lease, "why"):
            return
        task = self.known[lease.task]
        task.faults += 1
        if task.faults >= MAX_FAULTS and not task.stopping:
            task.end(Status.FAILED, self.now)
        else:
            task.back(self.now, (*FAULT_PAUSES, 0.0)[task.faults - 1])

    @rule(lease=leases)
    def stopped(self, lease: Lease) -> None:
        task = self.known.get(lease.task)
        if self.hold(self.ledger.stopped, lease, right=task is not None and task.stopping):
            self.known[lease.task].end(Status.CANCELED, self.now)

    @rule(task_id=tasks)
    def cancel(self, task_id: str) -> None:
        task = self.known[task_id]
        right = task.status is Status.PENDING and task.attempt == 0
        if self.tried(self.ledger.cancel(task.account, task_id), right):
            task.end(Status.CANCELED, self.now)

    @rule(task_id=tasks)
    def withdraw(self, task_id: str) -> None:
        task = self.known[task_id]
        right = task.status is Status.PENDING and task.attempt > 0
        if self.tried(self.ledger.withdraw(task.account, task_id), right):
            task.end(Status.CANCELED, self.now)

    @rule(task_id=tasks)
    def ask_stop(self, task_id: str) -> None:
        task = self.known[task_id]
        if self.tried(self.ledger.ask_stop(task.account, task_id), task.status is Status.RUNNING):
            task.stopping = True

    @rule(seconds=st.sampled_from([3.0, 25.0, 400.0]))  # never within a second before a due time
    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.runner.run(self.ledger.set_clock_offset(self.now))

    @rule()
    def restart_worker(self) -> None:
        async def work() -> None:
            await self.ledger.retire("worker")
            await self.ledger.enrol(card("worker", *MODELS))

        self.runner.run(work())
        for task in self.known.values():
            if task.status is Status.RUNNING:
                task.back(self.now, 0.0)

    @rule()
    def sweep(self) -> None:
        async def work() -> set[str]:
            swept = {each.task_id for each in await self.ledger.expired(1_000)}
            await self.ledger.forget(swept)
            return swept

        assert self.runner.run(work()) <= {each for each in self.known if self.gone(each)}

    @invariant()
    def all_is_as_the_model_says(self) -> None:
        for task_id, known in self.known.items():
            task: Task | None = self.runner.run(self.ledger.get(known.account, task_id))
            if self.gone(task_id):
                assert task is None
                continue
            assert task is not None
            seen = (task.status, task.attempt, task.faults, task.stop_at is not None)
            assert seen == (known.status, known.attempt, known.faults, known.stopping)

    def free(self, task: Known) -> bool:
        """Tell whether some task like this one may be claimed now."""
        if task.status is not Status.PENDING or task.due > self.now + 1:
            return False
        running = [
            each
            for each in self.known.values()
            if each.status is Status.RUNNING
            and (each.account, each.model) == (task.account, task.model)
        ]
        return task.account != self.accounts[0] or len(running) < CAP

    def gone(self, task_id: str) -> bool:
        """Tell whether a task has expired. (Steps of the clock keep clear of the borders.)"""
        task = self.known[task_id]
        return task.status in FINAL and task.ends is not None and task.ends <= self.now

    def hold(
        self, move: Callable[..., object], lease: Lease, *rest: object, right: bool = True
    ) -> bool:
        task = self.known.get(lease.task)
        holds = task is not None and (task.status, task.attempt) == (Status.RUNNING, lease.attempt)
        return self.tried(move(lease, *rest), right and holds)

    def tried(self, call: object, right: bool) -> bool:
        """Make a call that must succeed exactly when it is right."""
        try:
            self.runner.run(call)  # type: ignore[arg-type]
        except Conflict:
            assert not right
            return False
        assert right
        return True

    def teardown(self) -> None:
        """Close what was opened."""
        self.runner.run(self.opened.__aexit__(None, None, None))
        self.runner.close()
        self.folder.cleanup()


class MachineTests(LedgerTests):
    """Runs the machine."""

    def test_any_order_of_calls(self) -> None:
        suite = self

        class Bound(Machine):
            open_ledger = staticmethod(suite.open_ledger)

        run_state_machine_as_test(
            Bound,
            settings=settings(
                max_examples=25,
                stateful_step_count=30,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
