"""The durable table of tasks, which is also the queue. One ledger, a few small ports.

Every method that makes a move either makes it or raises `Conflict` (somebody moved first).
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from msgspec import Struct

from ferrotype.task import Event, Lease, NewTask, Order, Result, Status, Task


class Added(Struct, frozen=True):
    """The answer of `add`. `fresh` is False when an idempotency key found the first task."""

    task_id: str
    fresh: bool = True


class ListQuery(Struct, frozen=True, kw_only=True):
    """Which tasks to list: submitted within [start, end), newest first; pages count from 1.

    Without `start` and `end`: those of the last 24 hours, by the ledger's clock. `status` is what
    callers are shown: a task that was claimed once counts as RUNNING until it ends, PENDING or not.
    """

    start: datetime | None = None
    end: datetime | None = None
    task_id: str | None = None
    model: str | None = None
    status: Status | None = None
    page: int = 1
    page_size: int = 10


class Listed(Struct, frozen=True):
    """One row of a list: the task (its result left out) and the request id of its create call."""

    task: Task
    request_id: str


class Page(Struct, frozen=True):
    """One page of a list, and how many tasks the query matches in all."""

    total: int
    rows: tuple[Listed, ...]


class Intake(Protocol):
    """What the service asks of a ledger."""

    async def add(self, new: NewTask) -> Added:
        """Commit a task as PENDING, durably, with its idempotency key, lane and turn.

        Raises `AllocationQuotaExceeded` over `max_pending`, `InvalidParameter` when the
        idempotency key was used with another body, `Busy` when the ledger cannot be written now
        (nothing was), and the error of a one-shot fault that a test asked for.
        """

    async def get(self, account: str, task_id: str) -> Task | None:
        """Return the account's task, or None: no such id, somebody else's, or expired."""

    async def list(self, account: str, query: ListQuery) -> Page:
        """Return the account's tasks that the query matches, expired ones left out."""

    async def cancel(self, account: str, task_id: str) -> Task:
        """PENDING and never claimed -> CANCELED; else (also for an unknown id) `Conflict`."""

    async def withdraw(self, account: str, task_id: str) -> Task:
        """PENDING after a claim -> CANCELED; else `Conflict`."""

    async def ask_stop(self, account: str, task_id: str) -> Task:
        """RUNNING: ask its worker to stop it; else `Conflict`."""

    async def attend(self, task_id: str, seconds: float) -> None:
        """Say that the caller of an attended task is still there, for so many seconds."""

    async def served_by(self, task_id: str) -> str | None:
        """Return who serves a task, for the headers of its files; None when it is gone."""

    async def events(self, account: str, task_id: str) -> Sequence[Event]:
        """Return the moves of the account's task in order, as far as they were written."""


class WorkerCard(Struct, frozen=True, kw_only=True):
    """One incarnation of a worker: a new id at each start. `devices`: as its recipes name them."""

    id: str
    host: str
    pid: int
    version: str
    models: tuple[str, ...]
    devices: tuple[str, ...] = ()


class Claim(Struct, frozen=True, kw_only=True):
    """A task that a worker now holds, what it asks for, and what its last attempt noted."""

    task: Task
    lease: Lease
    order: Order
    refusal: tuple[str, str] | None = None  # (code, message) to end it FAILED with, unrun
    memo: bytes | None = None
    shape: str = ""


class Renewal(Struct, frozen=True):
    """The answer to a renewal: tasks to stop, and tasks that are no longer this worker's."""

    stop: frozenset[str]
    lost: frozenset[str]


class Ending(Struct, frozen=True, kw_only=True):
    """How a holder ends a task: `result` for SUCCEEDED, else `code` and `message` for FAILED."""

    result: Result | None = None
    code: str = ""
    message: str = ""


class Work(Protocol):
    """What a worker asks of a ledger. Every write names the lease: a stale one is a `Conflict`."""

    async def enrol(self, card: WorkerCard) -> None:
        """Make this incarnation known; from now on it lives by `renew`."""

    async def announce(self, worker: str, models: Collection[str]) -> None:
        """Say which models a worker serves from now on: these, and no others."""

    async def retire(self, worker: str) -> None:
        """Take an incarnation's row away, at a clean end, after all its tasks are settled."""

    async def claim(
        self, worker: str, models: Collection[str], *, alone: bool = True
    ) -> Claim | None:
        """Take the next ready task of these models: PENDING -> RUNNING, or None.

        With `alone` False, tasks that must run alone are passed over (the worker runs others).
        """

    async def claim_mates(self, worker: str, head: Claim, limit: int) -> Sequence[Claim]:
        """Take up to `limit` ready tasks of the model and shape of a claim: PENDING -> RUNNING.

        Among the next 64 of the model, in their order; none that must run alone, none of a paused
        model, and none for a head without a shape.
        """

    async def next_due(self, models: Collection[str]) -> float | None:
        """Return seconds until the next held task of these models becomes due, or None."""

    async def renew(self, worker: str, progress: Mapping[Lease, float]) -> Renewal:
        """Prove the worker alive and write new progress (0 to 1), in one write."""

    async def settle(self, lease: Lease, ending: Ending) -> Task:
        """RUNNING -> SUCCEEDED or FAILED. Fixes `end_at`, `expires_at` and the signing key.

        The lease that made a task SUCCEEDED may say so again, should the first answer be lost:
        it gets the task as it was settled then, and nothing changes.
        """

    async def stopped(self, lease: Lease) -> Task:
        """RUNNING with a stop asked for -> CANCELED."""

    async def time_out(self, lease: Lease) -> Task:
        """RUNNING -> FAILED `InternalError.Timeout`."""

    async def give_back(self, lease: Lease, why: str) -> Task:
        """RUNNING -> PENDING without a fault (a drain), or CANCELED if a stop was asked for."""

    async def fault(self, lease: Lease, why: str) -> Task:
        """RUNNING -> PENDING with one more fault and a pause; FAILED after the third."""

    async def note(self, lease: Lease, memo: bytes) -> None:
        """Keep bytes that the task's next attempt will receive."""


class Letter(Struct, frozen=True, kw_only=True):
    """What one receiver is to be told: a task came to its end. Times are UTC.

    `n` names this letter in the ledger, and never another one; `event` is the same for every
    receiver and every try. `start_at` is when the task was first claimed, `tries` how often it was
    sent in vain.
    """

    n: int
    event: str
    url: str
    task: str
    account: str
    key: str
    model: str
    route: str
    request_id: str
    status: Status
    start_at: datetime | None
    end_at: datetime
    tries: int = 0


class Outbox(Protocol):
    """What the courier asks of a ledger. `lead_letters` first: only one courier works at a time.

    A ledger that was opened with receivers writes a letter to each of them, in the transaction of
    the move, when a task that nobody attends ends SUCCEEDED or FAILED; and rings `events`.
    """

    async def lead_letters(self) -> bool:
        """Try to be the one courier; once True it stays so until `close`."""

    async def letters(self, url: str, limit: int) -> Sequence[Letter]:
        """Return up to `limit` letters that are due to a receiver, the longest due first."""

    async def drop_letter(self, n: int) -> None:
        """Forget a letter: it was brought."""

    async def postpone_letter(self, n: int, seconds: float) -> None:
        """Count a try in vain; the letter is due again after so many seconds."""

    async def keep_letters(self, urls: Collection[str], age: float) -> int:
        """Forget the letters to all other receivers, and those older than `age` seconds.

        Returns how many there were.
        """


MARK = 600.0  # seconds for which an expired task that was marked is not given out again


class Swept(Struct, frozen=True):
    """An expired task that was marked: its files may go, then `forget` it."""

    task_id: str
    day: str  # yyyymmdd of its files' prefix


class Upkeep(Protocol):
    """What the janitor asks of a ledger. `lead` first: only one janitor works at a time."""

    async def lead(self) -> bool:
        """Try to be the one janitor; once True it stays so until `close`."""

    async def reap(self) -> Sequence[str]:
        """Make every task of every dead worker PENDING again (or CANCELED); return the workers."""

    async def admit_due(self) -> int:
        """Make held tasks ready whose time has come, and apply changed caps."""

    async def end_unserved(self, after: float) -> int:
        """FAIL ready tasks for whose model no worker lived during the last `after` seconds."""

    async def abandon(self) -> int:
        """Cancel or ask to stop attended tasks whose caller went away."""

    async def end_overdue(self, deadlines: Mapping[str, float], default: float) -> int:
        """Time out tasks that ran longer than their model's deadline (seconds) plus 60."""

    async def expired(self, limit: int) -> Sequence[Swept]:
        """Mark up to `limit` expired tasks and return them, without those marked lately (`MARK`).

        So one whose files cannot go stands in the way of no other.
        """

    async def forget(self, task_ids: Collection[str]) -> None:
        """Remove marked tasks with their body, result, events and idempotency keys."""

    async def known(self, task_ids: Collection[str]) -> frozenset[str]:
        """Return those ids that the ledger still holds."""

    async def checkpoint(self) -> None:
        """Do the ledger's own housekeeping (SQLite: fold the write-ahead log back)."""
