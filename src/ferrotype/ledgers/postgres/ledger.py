"""The PostgreSQL ledger: all seven ports over one database, for the processes of many machines."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import asyncpg

from ferrotype.errors import Broken, FerrotypeError
from ferrotype.ledgers.limits import Limits
from ferrotype.ledgers.postgres import leading, schema
from ferrotype.ledgers.postgres.admin import PostgresAdmin, ensure_secret
from ferrotype.ledgers.postgres.database import Connection, Database
from ferrotype.ledgers.postgres.intake import PostgresIntake
from ferrotype.ledgers.postgres.operate import PostgresOperate
from ferrotype.ledgers.postgres.outbox import PostgresOutbox
from ferrotype.ledgers.postgres.rehearsal import PostgresBook
from ferrotype.ledgers.postgres.store import Store
from ferrotype.ledgers.postgres.upkeep import PostgresUpkeep
from ferrotype.ledgers.postgres.watch import PostgresWatch
from ferrotype.ledgers.postgres.work import PostgresWork
from ferrotype.ports.bell import Bell


class PostgresLedger(
    PostgresIntake,
    PostgresWork,
    PostgresOperate,
    PostgresUpkeep,
    PostgresAdmin,
    PostgresOutbox,
    PostgresBook,
    PostgresWatch,
):
    """The ports `Intake`, `Work`, `Upkeep`, `Admin`, `Outbox`, `Book`, `Watch`.

    `async with PostgresLedger.open(url, bell=bell, migrate=True) as ledger:`
    """

    def __init__(self, store: Store) -> None:
        PostgresIntake.__init__(self, store)
        PostgresWork.__init__(self, store)
        PostgresUpkeep.__init__(self, store)

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        url: str,
        *,
        bell: Bell,
        migrate: bool = False,
        limits: Limits | None = None,
        size: int = 8,
        pooled: bool = False,
    ) -> AsyncIterator["PostgresLedger"]:
        """Open the ledger of a database for the running event loop.

        `size`: connections for what is quick (lists have their own). `pooled`: the server is
        behind a pooler of transactions. With `migrate`, an older schema is brought to ours first.
        Raises `Broken` with one sentence for a database that is not for us, `Unavailable` when
        it does not answer.
        """
        limits = limits or Limits()
        opening = Database.open(url, size=size, patience=limits.patience, pooled=pooled)
        async with opening as database:

            async def prepare(conn: Connection, tries: int) -> None:
                await schema.prepare(conn, migrate=migrate)

            try:
                await database.run(prepare)
            except asyncpg.InsufficientPrivilegeError as error:
                raise Broken(f"DATABASE_URL: its user must own the database: {error}.") from error
            store = Store(database, limits, bell.ring)
            await ensure_secret(store)
            ledger = cls(store)
            try:
                yield ledger
            finally:
                await ledger._adding.close()
                await ledger._succeeding.close()
                await ledger._reading.close()
                with suppress(FerrotypeError):  # the term of a leader ends by itself
                    await leading.leave(store)
