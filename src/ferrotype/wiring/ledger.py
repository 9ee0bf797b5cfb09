"""The ledger and the bell that it rings."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from ferrotype.settings import Settings, SettingsError

if TYPE_CHECKING:
    from ferrotype.bells.unix import UnixBell
    from ferrotype.ledgers.sqlite import SqliteLedger


def has_ledger(settings: Settings) -> bool:
    """Tell whether a ledger was ever made there."""
    return (settings.ledger_dir / "ledger.db").exists()


@asynccontextmanager
async def open_both(
    settings: Settings, *, migrate: bool = False
) -> AsyncIterator["tuple[UnixBell, SqliteLedger]"]:
    """Open the bell and the ledger."""
    from ferrotype.bells.unix import UnixBell  # not before they are opened: commands name us all
    from ferrotype.ledgers.sqlite import Limits, SqliteLedger

    folder = settings.ledger_dir
    limits = Limits(
        retention=settings.retention,
        max_pending=settings.max_pending,
        events=settings.event_urls,
        test=settings.test,
    )
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    watch = folder / "ledger.db-wal"
    async with (
        UnixBell.open(folder, run_dir=settings.run_dir, watch=watch) as bell,
        SqliteLedger.open(folder, bell=bell, migrate=migrate, limits=limits) as ledger,
    ):
        yield bell, ledger


@asynccontextmanager
async def open_ledger(
    settings: Settings, *, migrate: bool = False
) -> AsyncIterator["SqliteLedger"]:
    """Open the ledger alone, as commands do. With `migrate` it is made when there is none."""
    if not migrate and not has_ledger(settings):
        raise SettingsError(
            f"There is no ledger in {settings.ledger_dir}: start `ferrotype serve` once, "
            "or say --data-dir."
        )
    async with open_both(settings, migrate=migrate) as (_, ledger):
        yield ledger
