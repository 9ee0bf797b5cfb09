"""The rules of a rehearsal, in the ledger."""

import secrets
from collections.abc import Sequence

from ferrotype.errors import AllocationQuotaExceeded
from ferrotype.ledgers.sqlite.rows import moment
from ferrotype.ledgers.sqlite.store import Store
from ferrotype.ledgers.sqlite.writer import Batch
from ferrotype.ports.rehearsal import Entry

MOST = 100  # rules at one time: each create looks through them


class SqliteBook:
    """The port `Book`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def rules(self) -> Sequence[Entry]:
        """Return the rules that may still strike, the oldest first."""
        conn = self._store.reader
        rows = conn.execute(
            "SELECT id, rule, strikes, until_at FROM rehearsal"
            " WHERE until_at IS NULL OR until_at > ? ORDER BY made_at, rowid",
            (self._store.now(conn),),
        ).fetchall()
        return [
            Entry(id=id, rule=rule.encode(), left=left, until=None if end is None else moment(end))
            for id, rule, left, end in rows
        ]

    async def write_rule(self, rule: bytes, times: int | None, seconds: float | None) -> str:
        """Add a rule and return its id. Raises `AllocationQuotaExceeded` over too many."""
        rule_id = f"rule-{secrets.token_hex(6)}"
        length = None if seconds is None else self._store.seconds(seconds)

        def command(batch: Batch) -> bool:
            conn, now = batch.conn, batch.now
            conn.execute("DELETE FROM rehearsal WHERE until_at <= ?", (now,))
            if conn.execute("SELECT count(*) FROM rehearsal").fetchone()[0] >= MOST:
                return False
            end = None if length is None else now + length
            conn.execute(
                "INSERT INTO rehearsal (id, rule, strikes, until_at, made_at)"
                " VALUES (?, ?, ?, ?, ?)",
                (rule_id, rule.decode(), times, end, now),
            )
            return True

        if not await self._store.writer.do(command):
            raise AllocationQuotaExceeded(f"There are {MOST} rules already.")
        return rule_id

    async def take_rule(self, rule_id: str) -> bool:
        """Let a counted rule strike once more; False when it has no strike left, or is gone."""

        def command(batch: Batch) -> bool:
            conn = batch.conn
            if conn.execute(
                "DELETE FROM rehearsal WHERE id = ? AND strikes = 1", (rule_id,)
            ).rowcount:
                return True
            done = conn.execute(
                "UPDATE rehearsal SET strikes = strikes - 1 WHERE id = ? AND strikes > 1",
                (rule_id,),
            )
            return done.rowcount > 0

        return await self._store.writer.do(command)

    async def erase_rules(self, rule_id: str | None = None) -> int:
        """Remove one rule, or all; return how many went."""

        def command(batch: Batch) -> int:
            return batch.conn.execute(
                "DELETE FROM rehearsal WHERE id = coalesce(?, id)", (rule_id,)
            ).rowcount

        return await self._store.writer.do(command)
