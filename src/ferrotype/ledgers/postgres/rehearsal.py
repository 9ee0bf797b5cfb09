"""The rules of a rehearsal, in the ledger."""

import secrets
from collections.abc import Sequence
from datetime import timedelta

from ferrotype.errors import AllocationQuotaExceeded
from ferrotype.ledgers.postgres.database import Connection
from ferrotype.ledgers.postgres.store import Store
from ferrotype.ports.rehearsal import Entry

MOST = 100  # rules at one time: each create looks through them
_RULES = """SELECT id, rule, strikes, until_at FROM rehearsal
    WHERE until_at IS NULL OR until_at > ledger_now() ORDER BY n"""
_TAKE = "UPDATE rehearsal SET strikes = strikes - 1 WHERE id = $1 AND strikes > 1 RETURNING id"
_LAST = "DELETE FROM rehearsal WHERE id = $1 AND strikes = 1 RETURNING id"


class PostgresBook:
    """The port `Book`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def rules(self) -> Sequence[Entry]:
        """Return the rules that may still strike, the oldest first."""
        rows = await self._store.database.fetch(_RULES)
        return [
            Entry(id=id, rule=rule.encode(), left=left, until=until)
            for id, rule, left, until in rows
        ]

    async def write_rule(self, rule: bytes, times: int | None, seconds: float | None) -> str:
        """Add a rule and return its id. Raises `AllocationQuotaExceeded` over too many."""
        rule_id = f"rule-{secrets.token_hex(6)}"
        length = None if seconds is None else timedelta(seconds=seconds)

        async def work(conn: Connection) -> None:
            await conn.execute("LOCK TABLE rehearsal IN SHARE ROW EXCLUSIVE MODE")
            await conn.execute("DELETE FROM rehearsal WHERE until_at <= ledger_now()")
            if await conn.fetchval("SELECT count(*) FROM rehearsal") >= MOST:
                raise AllocationQuotaExceeded(f"There are {MOST} rules already.")
            await conn.execute(
                "INSERT INTO rehearsal (id, rule, strikes, until_at)"
                " VALUES ($1, $2, $3, ledger_now() + $4::interval)",
                *(rule_id, rule.decode(), times, length),
            )

        await self._store.change(work)
        return rule_id

    async def take_rule(self, rule_id: str) -> bool:
        """Let a counted rule strike once more; False when it has no strike left, or is gone."""

        async def work(conn: Connection) -> bool:
            taken = await conn.fetchval(_TAKE, rule_id) or await conn.fetchval(_LAST, rule_id)
            return taken is not None

        return await self._store.change(work)

    async def erase_rules(self, rule_id: str | None = None) -> int:
        """Remove one rule, or all; return how many went."""
        rows = await self._store.database.fetch(
            "DELETE FROM rehearsal WHERE id = coalesce($1, id) RETURNING id", rule_id
        )
        return len(rows)
