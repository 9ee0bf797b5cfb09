"""`ferrotype pause` and `ferrotype resume`: no new work on a model for a while."""

import asyncio
from typing import Annotated

import typer

from ferrotype.cli.flags import Config, DataDir, settings
from ferrotype.cli.output import utf8, wrong
from ferrotype.settings import Settings
from ferrotype.wiring.ledger import open_ledger

Model = Annotated[str, typer.Argument(metavar="MODEL", help="As `ferrotype models` names it.")]


def pause(
    model: Model,
    why: Annotated[
        str, typer.Option("--why", help="What `models` is to say.", callback=utf8)
    ] = "paused",
    data_dir: DataDir = None,
    config: Config = None,
) -> None:
    """Claim no more tasks of a model, on any machine.

    What runs goes on, and creates are accepted: they wait until `ferrotype resume`.
    """
    chosen = _checked(model, settings(config, data_dir=data_dir))

    async def work() -> None:
        async with open_ledger(chosen) as ledger:
            await ledger.pause(model, why)

    asyncio.run(work())
    typer.echo(f"{model} is paused: its tasks wait.")


def resume(model: Model, data_dir: DataDir = None, config: Config = None) -> None:
    """Claim tasks of a model again."""
    chosen = _checked(model, settings(config, data_dir=data_dir))

    async def work() -> bool:
        async with open_ledger(chosen) as ledger:
            return await ledger.resume(model)

    if not asyncio.run(work()):
        wrong(f"{model} was not paused.")
    typer.echo(f"{model} goes on.")


def _checked(model: str, chosen: Settings) -> Settings:
    from ferrotype.wiring.shared import load_catalogue  # other commands can do without it

    if model not in load_catalogue(chosen).models:
        wrong(f"There is no model {model!r}: see `ferrotype models`.")
    return chosen
