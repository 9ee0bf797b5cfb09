"""The one place where parts are chosen: from settings to a ledger, a front and a worker."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from ferrotype import janitor, service, worker
from ferrotype.bells.unix import UnixBell
from ferrotype.catalogue import BadCatalogue, Catalogue
from ferrotype.engine_rooms.process import ProcessRoom
from ferrotype.fetchers.download import Downloader
from ferrotype.fetchers.guard import Guard
from ferrotype.fetchers.guarded import GuardedFetcher
from ferrotype.fetchers.media_process import MediaProcess
from ferrotype.janitor import Janitor
from ferrotype.keyring import Keyring
from ferrotype.ledgers.sqlite import Limits, SqliteLedger
from ferrotype.links import Links
from ferrotype.media_stores.local import LocalStore
from ferrotype.ports.engine_room import Recipe
from ferrotype.service import Service
from ferrotype.settings import Settings, SettingsError, is_loopback
from ferrotype.worker import Station, Toolbox, Worker, Workshop


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
    janitor: Janitor


@dataclass(frozen=True, kw_only=True)
class Back:
    """What a worker process runs."""

    worker: Worker
    janitor: Janitor


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
            janitor=tidier(settings, opened, store),
        )


@asynccontextmanager
async def back(settings: Settings) -> AsyncIterator[Back]:
    """Open what a worker process needs: all recipes, each in rooms of its own."""
    known, store = catalogue(settings), LocalStore(settings.media_dir)
    with Workshop(settings.data_dir / "work") as workshop:
        async with bell_and_ledger(settings) as (bell, opened):
            tools = Toolbox(
                work=opened,
                bell=bell,
                catalogue=known,
                fetcher=fetcher(settings),
                store=store,
                clock=SystemClock(),
                workshop=workshop,
                options=worker.Options(drain=settings.drain, latency=settings.latency),
            )
            yield Back(
                worker=Worker(stations(settings, known, workshop), tools),
                janitor=tidier(settings, opened, store),
            )


def tidier(settings: Settings, upkeep: SqliteLedger, store: LocalStore) -> Janitor:
    """Return the janitor of one process."""
    deadlines = {recipe.model: recipe.deadline for recipe in settings.all_recipes}
    options = janitor.Options(
        unserved_after=settings.unserved_after,
        deadline=deadlines.pop("*", janitor.Options().deadline),
        deadlines=deadlines,
        retention=settings.retention,
    )
    return Janitor(upkeep, store, SystemClock(), options)


def stations(settings: Settings, known: Catalogue, workshop: Workshop) -> list[Station]:
    """Make the places of work: one a recipe, and as many as wished for of the illustrator."""
    named = {recipe.model for recipe in settings.all_recipes}
    made = []
    for number, recipe in enumerate(settings.all_recipes):
        models = frozenset(known.models) - named if recipe.model == "*" else {recipe.model}
        for slot in range(_slots(settings, recipe)):
            room = ProcessRoom(recipe, workshop.room(f"{number}-{slot}"))
            made.append(Station(room=room, models=frozenset(models), deadline=recipe.deadline))
    return made


def _slots(settings: Settings, recipe: Recipe) -> int:
    return settings.illustrator_slots if recipe.engine == "illustrator" else 1


def fetcher(settings: Settings) -> GuardedFetcher:
    """Return the way in for callers' files. Only a server for loopback looks at loopback."""
    try:
        guard = Guard(allow_loopback=is_loopback(settings.host), allow=settings.fetch_allow_hosts)
    except ValueError as error:
        raise SettingsError(f"FETCH_ALLOW_HOSTS: {error}.") from None
    return GuardedFetcher(Downloader(guard), MediaProcess())
