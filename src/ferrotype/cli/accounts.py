"""`ferrotype accounts` and `ferrotype caps`: who may have how much at once."""

import asyncio
from typing import Annotated

import typer
from msgspec import Struct

from ferrotype.cli.flags import Config, DataDir, settings
from ferrotype.cli.output import table, wrong
from ferrotype.ports.full_ledger import FullLedger
from ferrotype.settings import Settings
from ferrotype.wiring.ledger import open_ledger

app = typer.Typer(help="List accounts; set their quotas.", no_args_is_help=True)
caps = typer.Typer(
    help="Limit how many tasks an account may have running and ready at once.",
    no_args_is_help=True,
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="The account's name.")]
OfAccount = Annotated[
    str | None, typer.Option("--account", help="Account by its name; any without it.")
]
OfModel = Annotated[str | None, typer.Option("--model", help="Model; any without it.")]


@app.command("list")
def list_(data_dir: DataDir = None, config: Config = None) -> None:
    """List the accounts, with what they have open and may have."""
    chosen = settings(config, data_dir=data_dir)

    async def work() -> list[tuple[str, ...]]:
        async with open_ledger(chosen) as ledger:
            return [
                (
                    one.name,
                    one.id,
                    str(one.open),
                    str(chosen.max_pending if one.max_pending is None else one.max_pending),
                    f"{one.weight:g}",
                )
                for one in await ledger.account_list()
            ]

    table(("account", "id", "open", "max pending", "weight"), asyncio.run(work()))


@app.command("set")
def set_(
    name: Name,
    max_pending: Annotated[
        int | None,
        typer.Option("--max-pending", min=0, max=10_000_000, help="Open tasks it may have."),
    ] = None,
    default: Annotated[
        bool, typer.Option("--default", help="As many open tasks as the settings say.")
    ] = False,
    weight: Annotated[
        float | None,
        typer.Option(
            "--weight",
            min=0.001,
            max=1_000.0,
            help="Its share while several accounts wait: 2 goes twice as often as 1.",
        ),
    ] = None,
    data_dir: DataDir = None,
    config: Config = None,
) -> None:
    """Set what an account may have open, and its share."""
    if default and max_pending is not None:
        wrong("Say --max-pending or --default, not both.")
    if not default and max_pending is None and weight is None:
        wrong("Say what to set: --max-pending, --default or --weight.")
    quota = Quota(most=max_pending, default=default, share=weight)
    typer.echo(asyncio.run(_set(settings(config, data_dir=data_dir), name, quota)))


class Quota(Struct, frozen=True):
    """What is to be set of an account; None is left as it is."""

    most: int | None
    default: bool
    share: float | None


async def _set(chosen: Settings, name: str, quota: Quota) -> str:
    async with open_ledger(chosen) as ledger:
        known = {one.name: one for one in await ledger.account_list()}
        if name not in known:
            wrong(f"There is no account {name!r}: see `ferrotype accounts list`.")
        one = known[name]
        most = one.max_pending if quota.most is None else quota.most
        most = None if quota.default else most
        share = one.weight if quota.share is None else quota.share
        await ledger.set_quota(one.id, most, share)
    limit = chosen.max_pending if most is None else most
    return f"{name} may have {limit} open tasks; its share is {share:g}."


@caps.command("list")
def list_caps(data_dir: DataDir = None, config: Config = None) -> None:
    """List the caps. The most exact one counts: account and model, account, model, any."""
    chosen = settings(config, data_dir=data_dir)

    async def work() -> list[tuple[str, ...]]:
        async with open_ledger(chosen) as ledger:
            names = await ledger.accounts()
            return sorted(
                (names.get(cap.account or "", "any"), cap.model or "any", str(cap.n))
                for cap in await ledger.cap_list()
            )

    table(("account", "model", "at once"), asyncio.run(work()))


@caps.command("set")
def set_cap(
    n: Annotated[int, typer.Argument(metavar="N", min=0, max=1_000_000, help="Tasks at once.")],
    account: OfAccount = None,
    model: OfModel = None,
    data_dir: DataDir = None,
    config: Config = None,
) -> None:
    """Set a cap; tasks that wait already are brought in line within seconds."""
    _cap(settings(config, data_dir=data_dir), account, model, n)


@caps.command("remove")
def remove_cap(
    account: OfAccount = None,
    model: OfModel = None,
    data_dir: DataDir = None,
    config: Config = None,
) -> None:
    """Remove a cap."""
    _cap(settings(config, data_dir=data_dir), account, model, None)


def _cap(chosen: Settings, account: str | None, model: str | None, n: int | None) -> None:
    whose = f"{account or 'Any account'}, {model or 'any model'}"

    async def work() -> None:
        async with open_ledger(chosen) as ledger:
            id = await _id(ledger, account)
            known = {(cap.account, cap.model) for cap in await ledger.cap_list()}
            if n is None and (id, model) not in known:
                wrong(f"{whose}: there is no such cap: see `ferrotype caps list`.")
            await ledger.set_cap(id, model, n)

    if model is not None:
        from ferrotype.wiring.shared import load_catalogue  # other commands can do without it

        if model not in load_catalogue(chosen).models:
            wrong(f"There is no model {model!r}: see `ferrotype models`.")
    asyncio.run(work())
    typer.echo(f"{whose}: {'no cap' if n is None else f'{n} at once'}.")


async def _id(ledger: FullLedger, name: str | None) -> str | None:
    if name is None:
        return None
    ids = [id for id, known in (await ledger.accounts()).items() if known == name]
    if not ids:
        wrong(f"There is no account {name!r}: see `ferrotype accounts list`.")
    return ids[0]
