"""`ferrotype models`: what callers may name here, and who serves it."""

import asyncio
from collections.abc import Mapping

import typer

from ferrotype.cli.flags import Config, DataDir, settings
from ferrotype.cli.output import table
from ferrotype.ports.engine_room import recipe_of
from ferrotype.settings import Settings
from ferrotype.wiring.ledger import has_ledger, open_ledger

COLUMNS = ("model", "kind", "engine", "label", "workers", "knowledge")


def models(data_dir: DataDir = None, config: Config = None) -> None:
    """List the models, and which engine serves each.

    "knowledge" says how well the vendor's limits of a model are known: high, medium or low.
    """
    chosen = settings(config, data_dir=data_dir)
    table(COLUMNS, asyncio.run(_rows(chosen)))
    if all(recipe.engine == "illustrator" for recipe in chosen.all_recipes):
        typer.echo("Pictures are drawn by the built-in illustrator, not by these models.", err=True)


async def _rows(chosen: Settings) -> list[tuple[str, ...]]:
    from ferrotype.wiring.shared import load_catalogue  # other commands can do without it

    catalogue = load_catalogue(chosen)
    recipes = {recipe.model: recipe for recipe in chosen.all_recipes}
    alive, paused = await _workers(chosen), await _paused(chosen)
    rows: list[tuple[str, ...]] = []
    for name, model in sorted(catalogue.models.items()):
        recipe = recipe_of(recipes, name)
        engine, label = (recipe.engine, recipe.label) if recipe else ("-", "not served")
        if name in paused:
            label = f"paused: {paused[name]}"
        rows.append((name, model.kind, engine, label, str(alive.get(name, 0)), model.confidence))
    return rows


async def _workers(chosen: Settings) -> dict[str, int]:
    """Return how many live workers serve each model; none when nothing was ever started."""
    count: dict[str, int] = {}
    if not has_ledger(chosen):
        return count
    async with open_ledger(chosen) as ledger:
        for worker in await ledger.workers():
            for name in worker.models:
                count[name] = count.get(name, 0) + 1
    return count


async def _paused(chosen: Settings) -> Mapping[str, str]:
    """Return why, by the models of which nothing is claimed now."""
    if not has_ledger(chosen):
        return {}
    async with open_ledger(chosen) as ledger:
        return await ledger.paused()
