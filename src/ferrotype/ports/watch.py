"""What watchers ask of a ledger: how much waits, how fast it goes, how the ledger itself is."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from msgspec import Struct

# What a ledger may tell of itself. All are whole numbers or seconds.
VITALS = {
    "database_bytes": "Size of the ledger's database.",
    "letters": "Events that receivers have still to be told.",
    "log_bytes": "Size of SQLite's write-ahead log.",
    "connections": "Connections to PostgreSQL's database, ours and others'.",
    "oldest_xmin_age": "Transactions begun since the oldest snapshot that PostgreSQL must keep.",
    "oldest_transaction_seconds": "Age of the oldest transaction in PostgreSQL's database.",
    "dead_rows": "Dead rows of PostgreSQL's task table that wait for a vacuum.",
}


class Backlog(Struct, frozen=True, kw_only=True):
    """The open tasks of one model.

    `ready` may be claimed, `held` wait for a cap, a pause or their time, `running` are claimed.
    `oldest` is seconds since the submission of the oldest that is ready or held; 0 when none is.
    """

    model: str
    ready: int = 0
    held: int = 0
    running: int = 0
    oldest: float = 0.0


class Pace(Struct, frozen=True):
    """How many tasks were created, and how many ended by status, within so many seconds."""

    seconds: float
    created: int
    ended: Mapping[str, int]


class Watch(Protocol):
    """What `/metrics` and `ferrotype top` ask. Nothing here reads more than open or new tasks."""

    async def backlog(self) -> Sequence[Backlog]:
        """Return the models that have open tasks, by name. It reads indexes of open tasks only."""

    async def pace(self, seconds: float) -> Pace:
        """Return what was created and what ended within the last seconds, by the ledger's clock.

        What ended is found by when it will expire: after a change of the retention, and for
        longer than it, less may be found.
        """

    async def holding(self) -> Mapping[str, int]:
        """Return how many running tasks each worker holds, by worker; none that holds none."""

    async def vitals(self) -> Mapping[str, float]:
        """Return how the ledger itself is: those of `VITALS` that this kind of ledger knows."""
