"""`ferrotype recipes`: who serves which model, whether that can work, and the weights for it."""

import asyncio
from collections.abc import Container, Sequence
from itertools import groupby
from typing import Annotated

import typer

from ferrotype.cli.flags import Config, DataDir, settings
from ferrotype.cli.output import table, wrong
from ferrotype.cli.pins import pin_all
from ferrotype.cli.serving import live_workers
from ferrotype.ports.engine_room import Recipe
from ferrotype.settings import Settings, load
from ferrotype.wiring.finding import Finding

app = typer.Typer(help="Who serves which model here, and the weights for it.", no_args_is_help=True)
COLUMNS = ("recipe", "like", "engine", "label", "devices", "batch", "workers", "state")
Names = Annotated[list[str] | None, typer.Argument(help="Only these recipes.", metavar="[NAME]...")]


@app.command("check")
def check(
    names: Names = None,
    hashes: Annotated[
        bool, typer.Option("--hashes", help="Read all pulled weights, and compare their hashes.")
    ] = False,
    data_dir: DataDir = None,
    config: Config = None,
) -> None:
    """Look at the recipes without loading anything and without a network.

    Ends with 1 if something is broken.
    """
    from ferrotype.wiring.examine import Examiner  # with the catalogue: slow to import

    faults: dict[str, str] = {}
    chosen = load({"data_dir": data_dir}, config=config, faults=faults)
    wanted = _chosen(chosen, names, faults)
    found = {
        name: [Finding("broken", said.partition('"]')[2].lstrip(": "), "See docs/recipes.md.")]
        for name, said in faults.items()
        if not names or name in names
    }
    examiner = Examiner(chosen, hashes=hashes)
    for recipe in wanted:
        found[recipe.model] = examiner.findings(recipe)
        if all(one.state != "broken" for one in found[recipe.model]):
            said = recipe.served_by + (f"; {less}" if (less := examiner.narrowing(recipe)) else "")
            found[recipe.model].insert(0, Finding("ok", said))
    for name, findings in found.items():
        _print(name, findings)
    if any(one.state == "broken" for findings in found.values() for one in findings):
        raise typer.Exit(1)


def _print(name: str, found: Sequence[Finding]) -> None:
    for one in found:
        typer.echo(f"{one.state:<7} {name}: {one.said}")
        if one.fix:
            typer.echo(f"{'':<7} -> {one.fix}")


@app.command("list")
def show(data_dir: DataDir = None, config: Config = None) -> None:
    """List the recipes: engine, label, devices, batch, live workers, and what is wrong."""
    from ferrotype.wiring.examine import Examiner  # with the catalogue: slow to import

    chosen = settings(config, data_dir=data_dir)
    examiner, alive = Examiner(chosen), asyncio.run(live_workers(chosen))
    named = {recipe.model for recipe in chosen.all_recipes}
    alive["*"] = max((count for name, count in alive.items() if name not in named), default=0)
    rows = []
    for recipe in chosen.all_recipes:
        faults = [one.said for one in examiner.findings(recipe) if one.state == "broken"]
        rows.append(
            (
                recipe.model,
                recipe.like or "",
                recipe.engine,
                recipe.label,
                ", ".join(recipe.devices),
                str(recipe.batch),
                str(alive.get(recipe.model, 0)),
                " ".join(faults) or "ok",
            )
        )
    table(COLUMNS, rows)


@app.command("pull")
def pull(names: Names = None, data_dir: DataDir = None, config: Config = None) -> None:
    """Fetch the weights that recipes name by hub id and revision into WEIGHTS_DIR.

    Begins where an earlier pull was stopped, and holds every file against the hub's hash. HF_TOKEN
    gives the token for weights that need one, HF_ENDPOINT another hub.
    """
    from ferrotype.cli.progress import pulling  # with Rich: slow to import
    from ferrotype.weights import Hub, Pull, wants

    chosen = settings(config, data_dir=data_dir)
    wanted = sorted({want for one in _chosen(chosen, names) for want in wants(one.options)})
    if not wanted:
        typer.echo("No recipe names weights of a hub.", err=True)
        return
    hub = Hub()
    for (name, revision), group in groupby(wanted, lambda want: (want.hub, want.revision)):
        with pulling(name) as told:
            fresh = Pull(
                hub, chosen.weights_dir, list(group), total=told.total, count=told.count
            ).run()
        typer.echo(f"{'pulled' if fresh else 'here':<7} {name} {revision}")


@app.command("pin")
def pin(data_dir: DataDir = None, config: Config = None) -> None:
    """Ask the hub for the current commit of weights that have no revision, and write it in.

    Only `revision = ""` in the settings file is filled in; nothing else of it changes.
    """
    from ferrotype.weights import Hub

    chosen = settings(config, data_dir=data_dir)
    if chosen.config is None:
        wrong("There is no ferrotype.toml here; name one by --config.")
    hub = Hub()
    for name, revision in pin_all(chosen.config, hub.head):
        typer.echo(f"pinned  {name} {revision}")


def _chosen(
    chosen: Settings, names: Sequence[str] | None, faults: Container[str] = ()
) -> list[Recipe]:
    """Return the recipes of these names, all without names; a name that is none ends with 2."""
    recipes = chosen.recipes if faults else chosen.all_recipes
    known = {recipe.model: recipe for recipe in recipes}
    for name in names or ():
        if name not in known and name not in faults:
            wrong(f"There is no recipe {name}; there are {', '.join(known) or 'none'}.")
    return [recipe for name, recipe in known.items() if not names or name in names]
