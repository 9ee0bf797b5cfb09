"""What an operator does with a deployment that runs."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Protocol

from msgspec import Struct

from ferrotype.task import Event, Status, Task


class Account(Struct, frozen=True, kw_only=True):
    """An account as its operator sees it. `max_pending` None: as the settings say."""

    id: str
    name: str
    open: int  # tasks that have not ended
    max_pending: int | None
    weight: float  # its share when several accounts wait: 2 goes twice as often as 1


class Cap(Struct, frozen=True):
    """At most `n` tasks of an account and a model are ready or running; None is "any"."""

    account: str | None
    model: str | None
    n: int


class Used(Struct, frozen=True, kw_only=True):
    """How much of one measure the tasks made that ended on a day (UTC).

    Measures: `tasks`, `run_seconds`, and every number that the wire's `usage` tells of.
    """

    day: date
    account: str
    key: str
    model: str
    status: str
    measure: str
    amount: float


class Operate(Protocol):
    """What the operators' commands ask of a ledger, besides `Admin`."""

    async def find(self, task_id: str) -> Task | None:
        """Return a task, whoever owns it, or None."""

    async def history(self, task_id: str) -> Sequence[Event]:
        """Return the moves of a task in order, whoever owns it."""

    async def look(
        self,
        *,
        account: str | None = None,
        model: str | None = None,
        status: Status | None = None,
        limit: int = 50,
    ) -> Sequence[Task]:
        """Return the newest tasks that match, results left out."""

    async def delete(self, task_id: str) -> None:
        """Let an ended task expire at once; else (also for an unknown id) `Conflict`."""

    async def pause(self, model: str, why: str) -> None:
        """Have no task of a model claimed any more; what runs goes on, creates are accepted."""

    async def resume(self, model: str) -> bool:
        """Undo `pause`; False when the model was not paused."""

    async def paused(self) -> Mapping[str, str]:
        """Return why, by the models that are paused."""

    async def account_list(self) -> Sequence[Account]:
        """Return all accounts by name."""

    async def set_quota(self, account: str, max_pending: int | None, weight: float) -> None:
        """Say how many tasks an account may have open, and its share. `Missing` if unknown."""

    async def cap_list(self) -> Sequence[Cap]:
        """Return the caps that an operator set."""

    async def used(self, first: date, last: date) -> Sequence[Used]:
        """Return what was used from one day to another, both included, in order.

        Of tasks that are forgotten the sums stay.
        """

    async def forget_used(self, before: date) -> int:
        """Remove the sums of older days; return how many there were."""
