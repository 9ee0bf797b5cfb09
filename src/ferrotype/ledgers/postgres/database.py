"""The connections, and what is done when one breaks."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from time import monotonic
from typing import Any, TypeAlias, TypeVar

import asyncpg
import structlog

from ferrotype.errors import Broken, Unavailable

Connection: TypeAlias = asyncpg.Connection
Connections: TypeAlias = asyncpg.Pool

T = TypeVar("T")

FIRST_PAUSE, LONGEST_PAUSE = 0.02, 0.5  # seconds between two tries
CONNECTING = 5.0  # seconds that a server may take to let us in
SESSION = {
    "application_name": "ferrotype",
    "statement_timeout": "8000",  # ms: what takes longer holds up others
    "idle_in_transaction_session_timeout": "5000",  # ms: a stopped process must hold no locks
    "plan_cache_mode": "force_generic_plan",  # to plan a move takes longer than to make it
    "enable_seqscan": "off",  # a plan is made on the first day, when all tables are small
    "enable_bitmapscan": "off",  # nor that all which is due be sorted for the first hundred
    "jit": "off",
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
}
ANSWER = 10.0  # seconds for an answer, where the server does not end a statement before
LONG = 600.0  # seconds that an operator's question may take
LISTS = 2  # connections, at most, for queries that may take long, so that no other waits for them
_PASSING = (  # what goes away by itself, or by another try
    OSError,  # refused, reset, timed out
    asyncpg.InterfaceError,  # "connection is closed"
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,  # shut down, starting up, terminated
    asyncpg.InsufficientResourcesError,  # too many connections, disk full
    asyncpg.TransactionRollbackError,  # deadlock
    asyncpg.LockNotAvailableError,
    asyncpg.ReadOnlySQLTransactionError,  # a former primary
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.InternalClientError,  # the connection broke in the middle of something
)
_log = structlog.get_logger(__name__)


class Database:
    """One process's connections to the server.

    Work that breaks because of the connection, the server or a deadlock is begun again for
    `patience` seconds, then refused with `Unavailable`; its cause says what it was.
    """

    def __init__(self, pool: Connections, lists: Connections, patience: float) -> None:
        self._pool = pool
        self._lists = lists
        self._patience = patience

    @classmethod
    @asynccontextmanager
    async def open(
        cls, url: str, *, size: int = 8, patience: float = 5.0, pooled: bool = False
    ) -> AsyncIterator["Database"]:
        """Connect. `pooled`: through a pooler that gives a connection away after a transaction.

        All connections are made at once and kept: a server that is full later on shuts nobody
        out. Raises `Broken` in one sentence for a URL, user or database that is wrong,
        `Unavailable` for a server that does not answer.
        """
        pool = await _connect(url, size, patience, pooled)
        try:
            lists = await _connect(url, min(LISTS, size), patience, pooled)
            try:
                database = cls(pool, lists, patience)
                if pooled:
                    await database._check_limits()
                yield database
            finally:
                await _close(lists)
        finally:
            await _close(pool)

    async def run(
        self, work: Callable[[Connection, int], Awaitable[T]], *, lists: bool = False
    ) -> T:
        """Do some work on a connection; it is told how many tries broke before.

        Whether a try that broke was committed is not known: the work must look.
        """
        pool = self._lists if lists else self._pool
        end, pause, tries = monotonic() + self._patience, FIRST_PAUSE, 0
        while True:
            try:
                async with pool.acquire(timeout=max(0.01, end - monotonic())) as conn:
                    return await work(conn, tries)
            except _PASSING as error:
                if monotonic() + pause >= end:
                    _log.error("database unavailable", action="ledger", error=repr(error))
                    raise Unavailable from error
                _log.warning("database busy", action="ledger", error=repr(error), tries=tries)
            tries += 1
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    async def _check_limits(self) -> None:
        """Say so when nothing ends what hangs: behind a pooler we cannot set that ourselves."""
        for name in ("statement_timeout", "idle_in_transaction_session_timeout"):
            if await self.value("SELECT current_setting($1)", name) == "0":
                fix = f"ALTER ROLE ... SET {name} = '{SESSION[name]}ms'"
                _log.warning("no time-out", action="ledger.open", missing=name, fix=fix)

    async def fetch(self, query: str, *given: Any, lists: bool = False) -> Sequence[Any]:
        """Return the rows of a query that may be asked again."""
        return await self.run(lambda conn, _: conn.fetch(query, *given), lists=lists)

    async def fetch_long(self, query: str, *given: Any) -> Sequence[Any]:
        """Return the rows of a query that an operator is ready to wait for."""

        async def work(conn: Connection, tries: int) -> Sequence[Any]:
            async with conn.transaction():
                await conn.execute(f"SET LOCAL statement_timeout = '{LONG:.0f}s'")
                rows: Sequence[Any] = await conn.fetch(query, *given, timeout=LONG)
                return rows

        return await self.run(work, lists=True)

    async def row(self, query: str, *given: Any) -> Any:
        """Return the first row of a query that may be asked again, or None."""
        return await self.run(lambda conn, _: conn.fetchrow(query, *given))

    async def value(self, query: str, *given: Any) -> Any:
        """Return the first value of a query that may be asked again, or None."""
        return await self.run(lambda conn, _: conn.fetchval(query, *given))


def _session(pooled: bool) -> dict[str, Any]:
    if pooled:  # nothing of a session outlives a transaction there
        return {"statement_cache_size": 0, "command_timeout": ANSWER}
    return {"server_settings": SESSION, "command_timeout": ANSWER}


async def _connect(url: str, size: int, patience: float, pooled: bool) -> Connections:
    end, pause = monotonic() + patience, FIRST_PAUSE
    while True:
        try:
            return await asyncpg.create_pool(
                url,
                min_size=size,
                max_size=size,
                max_queries=1 << 62,  # kept until it breaks
                max_inactive_connection_lifetime=0,
                reset=_leave,
                timeout=CONNECTING,
                **_session(pooled),
            )
        except (
            asyncpg.InvalidAuthorizationSpecificationError,
            asyncpg.InvalidCatalogNameError,
            asyncpg.ClientConfigurationError,
            ValueError,
            OverflowError,  # a port that there is not
        ) as error:
            raise Broken(f"DATABASE_URL: {_told(error)}.") from error
        except _PASSING as error:
            if monotonic() + pause >= end:
                raise Unavailable(f"The database does not answer: {_told(error)}.") from error
        except asyncpg.PostgresError as error:  # a parameter that there is not, and the like
            raise Broken(f"DATABASE_URL: {_told(error)}.") from error
        await asyncio.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE)


async def _leave(conn: Connection) -> None:
    """Nothing: we change no session, so a round trip to undo it would be for nothing."""


async def _close(pool: Connections) -> None:
    try:
        async with asyncio.timeout(2):
            await pool.close()
    except (TimeoutError, *_PASSING):
        pool.terminate()


def _told(error: BaseException) -> str:
    return str(error).strip().rstrip(".") or type(error).__name__
