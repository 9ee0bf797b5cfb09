"""What a worker process is built from."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from msgspec.structs import replace

from ferrotype.catalogue import Catalogue
from ferrotype.engine_rooms.process import ProcessRoom
from ferrotype.fetchers.guarded import GuardedFetcher
from ferrotype.fetchers.media_process import MediaProcess
from ferrotype.gate.download import Downloader
from ferrotype.janitor import Janitor
from ferrotype.plugins import find_engine
from ferrotype.ports.engine_room import Recipe
from ferrotype.settings import Settings
from ferrotype.settings.recipes import resolve
from ferrotype.wiring.guard import make_guard
from ferrotype.wiring.ledger import open_both
from ferrotype.wiring.seal import make_seal
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
    seal = make_seal(settings)
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
                seal=seal,
            )
            yield Back(
                worker=Worker(make_stations(settings, catalogue, workshop), tools),
                janitor=make_janitor(
                    settings, ledger, store, make_uploads(settings, ledger, store, inputs)
                ),
            )


def make_stations(settings: Settings, catalogue: Catalogue, workshop: Workshop) -> list[Station]:
    """Make the places of work: one a recipe and device, as many as wished for of the illustrator.

    Recipes of an engine that shares its process have one a device together.
    """
    named = {recipe.model for recipe in settings.all_recipes}
    rest = frozenset(catalogue.models) - named
    made = []
    for number, crew in enumerate(_crews(settings)):
        lead = _lead(settings, crew)
        models = [{recipe.model} if recipe.model != "*" else rest for recipe in crew.recipes]
        for slot in range(settings.illustrator_slots if lead.engine == "illustrator" else 1):
            room = ProcessRoom(
                lead,
                workshop.room(f"{number}-{slot}"),
                stalls={recipe.model: recipe.stall for recipe in crew.recipes},
            )
            made.append(
                Station(
                    room=room,
                    models=frozenset().union(*models),
                    deadline=lead.deadline,
                    deadlines={recipe.model: recipe.deadline for recipe in crew.recipes},
                    batches={
                        recipe.model: recipe.batch for recipe in crew.recipes if recipe.batch > 1
                    },
                )
            )
    return made


@dataclass(frozen=True, kw_only=True)
class Crew:
    """The recipes that one engine process serves, on one device ("": the engine chooses)."""

    device: str
    shares: bool
    recipes: tuple[Recipe, ...]


def _crews(settings: Settings) -> list[Crew]:
    crews: list[Crew] = []
    together: dict[tuple[str, str], list[Recipe]] = {}
    for recipe in settings.all_recipes:
        shares = find_engine(recipe.engine).shares
        for device in recipe.devices or ("",):
            if shares:
                together.setdefault((recipe.engine, device), []).append(recipe)
            else:
                crews.append(Crew(device=device, shares=False, recipes=(recipe,)))
    for (_, device), recipes in together.items():
        crews.append(Crew(device=device, shares=True, recipes=tuple(recipes)))
    return crews


def _lead(settings: Settings, crew: Crew) -> Recipe:
    """Return the recipe that a process is made by."""
    first = crew.recipes[0]
    if not crew.shares:
        options = resolve(first.options, f'[recipes."{first.model}"]')
        return replace(first, options=options | ({"device": crew.device} if crew.device else {}))
    recipes = {
        recipe.model: resolve(recipe.options, f'[recipes."{recipe.model}"]')
        | {"batch": recipe.batch}
        for recipe in crew.recipes
    }
    return replace(
        first,
        options={"device": crew.device, "weights": str(settings.weights_dir), "recipes": recipes},
    )


def make_fetcher(settings: Settings) -> GuardedFetcher:
    """Return the way in for callers' files."""
    return GuardedFetcher(Downloader(make_guard(settings)), MediaProcess())
