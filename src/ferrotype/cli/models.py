"""`ferrotype models`: what callers may name here, and who serves it."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress

import typer

from ferrotype.cli.flags import Config, DataDir, settings
from ferrotype.cli.output import table
from ferrotype.cli.serving import live_workers
from ferrotype.errors import Missing
from ferrotype.ports.engine_room import recipe_of
from ferrotype.settings import Settings
from ferrotype.wiring.ledger import has_ledger, open_ledger

COLUMNS = ("model", "kind", "engine", "label", "workers", "knowledge", "narrowed")


def models(data_dir: DataDir = None, config: Config = None) -> None:
    """List the models, and which engine serves each.

    "knowledge" says how well the vendor's limits of a model are known: high, medium or low;
    "narrowed", what its recipe serves less of it.
    """
    chosen = settings(config, data_dir=data_dir)
    table(COLUMNS, asyncio.run(_rows(chosen)))
    if all(recipe.engine == "illustrator" for recipe in chosen.all_recipes):
        typer.echo("Pictures are drawn by the built-in illustrator, not by these models.", err=True)


async def _rows(chosen: Settings) -> list[tuple[str, ...]]:
    from ferrotype.wiring.shared import load_catalogue  # other commands can do without it

    catalogue = load_catalogue(chosen)
    recipes = {recipe.model: recipe for recipe in chosen.all_recipes}
    alive, paused = await live_workers(chosen), await _paused(chosen)
    rows: list[tuple[str, ...]] = []
    for name, model in sorted(catalogue.models.items()):
        recipe = recipe_of(recipes, name)
        engine, label = (recipe.engine, recipe.label) if recipe else ("-", "not served")
        if name in paused:
            label = f"paused: {paused[name]}"
        less = "; ".join(f"{limit.place.name}: {limit.say()}" for limit in model.limits)
        workers = str(alive.get(name, 0))
        rows.append((name, model.kind, engine, label, workers, model.confidence, less))
    return rows


async def _paused(chosen: Settings) -> Mapping[str, str]:
    """Return why, by the models of which nothing is claimed now."""
    if not has_ledger(chosen):
        return {}
    with suppress(Missing):
        async with open_ledger(chosen) as ledger:
            return await ledger.paused()
    return {}
