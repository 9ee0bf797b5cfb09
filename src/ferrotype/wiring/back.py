"""What a worker process is built from."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from ferrotype.catalogue import Catalogue
from ferrotype.engine_rooms.process import ProcessRoom
from ferrotype.fetchers.download import Downloader
from ferrotype.fetchers.guarded import GuardedFetcher
from ferrotype.fetchers.media_process import MediaProcess
from ferrotype.janitor import Janitor
from ferrotype.ports.engine_room import Recipe
from ferrotype.settings import Settings
from ferrotype.wiring.guard import make_guard
from ferrotype.wiring.ledger import open_both
from ferrotype.wiring.shared import (
    SystemClock,
    load_catalogue,
    make_janitor,
    make_stores,
    make_uploads,
)
from ferrotype.worker import Options, Station, Toolbox, Worker, Workshop


@dataclass(frozen=True, kw_only=True)
class Back:
    """What a worker process runs."""

    worker: Worker
    janitor: Janitor


@asynccontextmanager
async def open_back(settings: Settings) -> AsyncIterator[Back]:
    """Open what a worker process needs: all recipes, each in rooms of its own."""
    catalogue, (store, inputs) = load_catalogue(settings), make_stores(settings)
    with Workshop(settings.data_dir / "work") as workshop:
        async with open_both(settings, ends=False) as (bell, ledger):
            tools = Toolbox(
                work=ledger,
                bell=bell,
                catalogue=catalogue,
                fetcher=make_fetcher(settings),
                store=store,
                inputs=inputs,
                clock=SystemClock(),
                workshop=workshop,
                options=Options(drain=settings.drain, latency=settings.latency),
            )
            yield Back(
                worker=Worker(make_stations(settings, catalogue, workshop), tools),
                janitor=make_janitor(
                    settings, ledger, store, make_uploads(settings, ledger, store, inputs)
                ),
            )


def make_stations(settings: Settings, catalogue: Catalogue, workshop: Workshop) -> list[Station]:
    """Make the places of work: one a recipe, and as many as wished for of the illustrator."""
    named = {recipe.model for recipe in settings.all_recipes}
    made = []
    for number, recipe in enumerate(settings.all_recipes):
        models = set(catalogue.models) - named if recipe.model == "*" else {recipe.model}
        for slot in range(_slots(settings, recipe)):
            room = ProcessRoom(recipe, workshop.room(f"{number}-{slot}"))
            made.append(Station(room=room, models=frozenset(models), deadline=recipe.deadline))
    return made


def _slots(settings: Settings, recipe: Recipe) -> int:
    return settings.illustrator_slots if recipe.engine == "illustrator" else 1


def make_fetcher(settings: Settings) -> GuardedFetcher:
    """Return the way in for callers' files."""
    return GuardedFetcher(Downloader(make_guard(settings)), MediaProcess())
