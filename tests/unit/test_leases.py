"""Leases: their times fit together, and each task has one attempt that is kept."""

from types import SimpleNamespace
from typing import Any

from ferrotype.ledgers.sqlite import Limits
from ferrotype.task import Lease
from ferrotype.worker import Options
from ferrotype.worker.attempt import Fate
from ferrotype.worker.leases import Leases


class Attempt:
    """An attempt that only hears what is to become of it."""

    def __init__(self, task: str, attempt: int) -> None:
        self.lease = Lease(task, attempt, "w")
        self.fates: list[Fate] = []

    def interrupt(self, fate: Fate) -> None:
        self.fates.append(fate)


def test_a_worker_is_silent_before_it_is_declared_dead() -> None:
    options, limits = Options(), Limits()
    assert 2 * options.renew < options.lapse
    assert options.lapse + 2 < limits.lease
    assert limits.patience < options.lapse


def test_a_task_that_comes_back_is_kept_although_its_last_attempt_is_clearing_up() -> None:
    tools: Any = SimpleNamespace(clock=SimpleNamespace(steady=lambda: 0.0))
    leases = Leases("w", tools)
    first: Any = Attempt("t", 1)
    second: Any = Attempt("t", 2)
    clearing = leases.held(first)
    clearing.__enter__()
    with leases.held(second):
        assert first.fates == [Fate.LOST]
        clearing.__exit__(None, None, None)
        leases.end_all(Fate.RETURNED)
        assert second.fates == [Fate.RETURNED]
    assert first.fates == [Fate.LOST]
