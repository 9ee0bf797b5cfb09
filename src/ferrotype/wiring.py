"""The one place where parts are chosen: from settings to a ledger, a front and a worker."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from ferrotype import service
from ferrotype.bells.unix import UnixBell
from ferrotype.catalogue import BadCatalogue, Catalogue
from ferrotype.keyring import Keyring
from ferrotype.ledgers.sqlite import Limits, SqliteLedger
from ferrotype.links import Links
from ferrotype.media_stores.local import LocalStore
from ferrotype.service import Service
from ferrotype.settings import Settings, SettingsError


class SystemClock:
    """This machine's clock."""

    def now(self) -> datetime:
        """Return the current time in UTC, aware."""
        return datetime.now(UTC)

    def steady(self) -> float:
        """Return seconds that never go backwards."""
        return time.monotonic()


@dataclass(frozen=True, kw_only=True)
class Front:
    """What the HTTP face is built from."""

    service: Service
    keyring: Keyring
    links: Links
    store: LocalStore
    catalogue: Catalogue


def catalogue(settings: Settings) -> Catalogue:
    """Return what callers may ask for, the operator's own models included."""
    known = Catalogue.load()
    for name, keys in settings.models.items():
        if set(keys) != {"like"}:
            raise SettingsError(f'[models.{name}] has one key, such as like = "wan2.2-t2i-plus".')
        try:
            known = known.with_model(name, str(keys["like"]))
        except BadCatalogue as error:
            raise SettingsError(f"[models.{name}]: {error}.") from None
    for recipe in settings.all_recipes:
        if recipe.model != "*" and recipe.model not in known.models:
            raise SettingsError(f'[recipes."{recipe.model}"]: there is no such model.')
    return known


def has_ledger(settings: Settings) -> bool:
    """Tell whether a ledger was ever made there."""
    return (settings.ledger_dir / "ledger.db").exists()


@asynccontextmanager
async def bell_and_ledger(
    settings: Settings, *, migrate: bool = False
) -> AsyncIterator[tuple[UnixBell, SqliteLedger]]:
    """Open the bell and the ledger that rings it."""
    folder = settings.ledger_dir
    limits = Limits(
        retention=settings.retention, max_pending=settings.max_pending, test=settings.test
    )
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    watch = folder / "ledger.db-wal"
    async with (
        UnixBell.open(folder, run_dir=settings.run_dir, watch=watch) as bell,
        SqliteLedger.open(folder, bell=bell, migrate=migrate, limits=limits) as ledger,
    ):
        yield bell, ledger


@asynccontextmanager
async def ledger(settings: Settings, *, migrate: bool = False) -> AsyncIterator[SqliteLedger]:
    """Open the ledger alone, as commands do. With `migrate` it is made when there is none."""
    if not migrate and not has_ledger(settings):
        raise SettingsError(
            f"There is no ledger in {settings.ledger_dir}: start `ferrotype serve` once, "
            "or say --data-dir."
        )
    async with bell_and_ledger(settings, migrate=migrate) as (_, opened):
        yield opened


@asynccontextmanager
async def front(settings: Settings) -> AsyncIterator[Front]:
    """Open what an API process needs."""
    clock, known = SystemClock(), catalogue(settings)
    store = LocalStore(settings.media_dir)
    async with bell_and_ledger(settings) as (bell, opened):
        options = service.Options(latency=settings.latency)
        yield Front(
            service=Service(opened, known, settings.all_recipes, bell, clock, store, options),
            keyring=Keyring(opened, clock, any_key=settings.any_key),
            links=Links(opened.secrets, clock),
            store=store,
            catalogue=known,
        )
