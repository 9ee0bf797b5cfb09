"""What the ports stand on: the database, the bell, and how one move is made and answered."""

import secrets
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypeVar

from ferrotype.errors import Conflict
from ferrotype.ledgers.limits import Limits
from ferrotype.ledgers.postgres import moves
from ferrotype.ledgers.postgres.database import Connection, Database
from ferrotype.ledgers.postgres.moves import Step, Told
from ferrotype.ledgers.postgres.rows import READ, storable, task_of
from ferrotype.task import Lease, Move, Task, Who

T = TypeVar("T")

_LAST = """SELECT e.move = $2 AND e.who = $3 FROM task t JOIN event e USING (n)
    WHERE t.id = $1 ORDER BY e.i DESC LIMIT 1"""


@dataclass(slots=True)
class Store:
    """An open database and what this process is in it."""

    database: Database
    limits: Limits
    ring: Callable[[Collection[str]], None]
    name: str = field(default_factory=lambda: secrets.token_hex(8))  # as a leader
    led_until: dict[str, float] = field(default_factory=dict)  # by others: role, steady time

    def told(self, who: Who) -> Told:
        """Say by whom a move is made, for `moves.apply`."""
        return Told(who, timedelta(seconds=self.limits.retention), self.limits.events)

    async def move(self, move: Move, step: Step, who: Who) -> Task:
        """Make one move and return the task as it is after it; else `Conflict`."""
        if not storable(step.id):
            raise Conflict

        async def work(conn: Connection, tries: int) -> Task:
            moved, topics = await moves.apply(conn, move, [step], self.told(who))
            self.ring(topics)
            if step.id in moved:
                return task_of(moved[step.id])
            if tries and await conn.fetchval(_LAST, step.id, str(move), str(who)):
                return await read(conn, step.id)  # a try that broke was made all the same
            raise Conflict

        return await self.database.run(work)

    async def move_all(self, move: Move, steps: Sequence[Step], who: Who) -> int:
        """Make a move for as many tasks as it holds for, and return for how many."""
        if not steps:
            return 0

        async def work(conn: Connection, tries: int) -> int:
            moved, topics = await moves.apply(conn, move, steps, self.told(who))
            self.ring(topics)
            return len(moved)

        return await self.database.run(work)

    async def hold(self, move: Move, lease: Lease, **told: Any) -> Task:
        """Make a holder's move."""
        step = Step(lease.task, lease.attempt, lease.worker, **told)
        return await self.move(move, step, Who.WORKER)

    async def change(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Do some work in a transaction that may be made twice."""

        async def whole(conn: Connection, tries: int) -> T:
            async with conn.transaction():
                return await work(conn)

        return await self.database.run(whole)


async def read(conn: Connection, task_id: str) -> Task:
    """Return a task that is known to be there, whoever owns it."""
    row = await conn.fetchrow(f"{READ} WHERE t.id = $1", task_id)
    if row is None:
        raise Conflict
    return task_of(row, row["made"], row["kid"])
