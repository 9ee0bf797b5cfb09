"""The ledger and the bell that it rings."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ferrotype.ledgers.limits import Limits
from ferrotype.ports.bell import Bell
from ferrotype.ports.full_ledger import FullLedger
from ferrotype.settings import Settings, SettingsError

if TYPE_CHECKING:
    from ferrotype.bells.postgres import PostgresBell
    from ferrotype.bells.unix import UnixBell
    from ferrotype.ledgers.postgres import PostgresLedger
    from ferrotype.ledgers.sqlite import SqliteLedger

# Adapters are not imported before they are opened: most commands need one of them at most.


def has_ledger(settings: Settings) -> bool:
    """Tell whether a ledger was ever made there; a database is asked when it is opened."""
    return bool(settings.postgres_url) or (settings.ledger_dir / "ledger.db").exists()


@asynccontextmanager
async def open_both(
    settings: Settings, *, migrate: bool = False, ends: bool = True, size: int | None = None
) -> AsyncIterator[tuple[Bell, FullLedger]]:
    """Open the bell and the ledger. `ends`: somebody here waits for the ends of single tasks.

    With `migrate` the ledger is made, or brought to our schema: a service's processes say so for
    PostgreSQL; an SQLite ledger is migrated by `serve` before they start. `size`: connections,
    where they are not to be as many as the settings say.
    """
    if settings.postgres_url is None:
        async with _open_sqlite(settings, migrate) as sqlite:
            yield sqlite
    else:
        size = size or settings.database_pool
        async with _open_postgres(settings, settings.postgres_url, migrate, ends, size) as postgres:
            yield postgres


def _limits(settings: Settings) -> Limits:
    return Limits(
        retention=settings.retention,
        max_pending=settings.max_pending,
        events=settings.event_urls,
        test=settings.test,
    )


@asynccontextmanager
async def _open_sqlite(
    settings: Settings, migrate: bool
) -> AsyncIterator["tuple[UnixBell, SqliteLedger]"]:
    from ferrotype.bells.unix import UnixBell
    from ferrotype.ledgers.sqlite import SqliteLedger

    folder = settings.ledger_dir
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    watch = folder / "ledger.db-wal"
    async with (
        UnixBell.open(folder, run_dir=settings.run_dir, watch=watch) as bell,
        SqliteLedger.open(folder, bell=bell, migrate=migrate, limits=_limits(settings)) as ledger,
    ):
        yield bell, ledger


@asynccontextmanager
async def _open_postgres(
    settings: Settings, url: str, migrate: bool, ends: bool, size: int
) -> AsyncIterator["tuple[PostgresBell, PostgresLedger]"]:
    from ferrotype.bells.postgres import PostgresBell
    from ferrotype.ledgers.postgres import PostgresLedger

    pooled = settings.database_pooler
    async with (
        PostgresBell.open(url, ends=ends, pooled=pooled) as bell,
        PostgresLedger.open(
            url,
            bell=bell,
            migrate=migrate,
            limits=_limits(settings),
            size=size,
            pooled=pooled,
        ) as ledger,
    ):
        await bell.joined()  # after the ledger, whose errors say more
        yield bell, ledger


@asynccontextmanager
async def open_ledger(settings: Settings, *, migrate: bool = False) -> AsyncIterator[FullLedger]:
    """Open the ledger alone, as commands do. With `migrate` it is made when there is none."""
    if not migrate:
        _check_there(settings)
    async with open_both(settings, migrate=migrate, ends=False, size=1) as (_, ledger):
        yield ledger


async def back_up(settings: Settings, to: Path) -> None:
    """Write a consistent copy of an SQLite ledger while the service runs."""
    if settings.postgres_url:
        raise SettingsError("The ledger is in PostgreSQL: back it up with pg_dump.")
    _check_there(settings)
    async with _open_sqlite(settings, migrate=False) as (_, ledger):
        await ledger.backup(to)


def _check_there(settings: Settings) -> None:
    if not has_ledger(settings):
        raise SettingsError(
            f"There is no ledger in {settings.ledger_dir}: start `ferrotype serve` once, "
            "or say --data-dir."
        )
