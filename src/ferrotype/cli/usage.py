"""`ferrotype usage`: what was made, by day, account, key and model."""

import asyncio
import csv
import sys
from datetime import UTC, date, datetime, timedelta
from typing import Annotated

import typer

from ferrotype.cli.flags import Config, DataDir, settings
from ferrotype.cli.output import json_out, table, wrong
from ferrotype.ports.operate import Used
from ferrotype.settings import Settings
from ferrotype.wiring.ledger import open_ledger

app = typer.Typer(help="Export what was used; remove old sums.", no_args_is_help=True)
COLUMNS = ("day", "account", "key", "model", "status", "measure", "amount")


@app.command()
def export(
    first: Annotated[
        str | None, typer.Option("--from", metavar="DAY", help="First day (UTC); 30 days ago.")
    ] = None,
    last: Annotated[
        str | None, typer.Option("--to", metavar="DAY", help="Last day (UTC); today.")
    ] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Comma-separated values.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
    data_dir: DataDir = None,
    config: Config = None,
) -> None:
    """Print how much of each measure was used; sums outlive their tasks."""
    chosen = settings(config, data_dir=data_dir)
    today = datetime.now(UTC).date()
    until = _day(last) if last else today
    since = _day(first) if first else until - timedelta(days=30)
    if since > until:
        wrong("--from is after --to.")
    rows = asyncio.run(_read(chosen, since, until))
    if as_json:
        json_out([dict(zip(COLUMNS, row, strict=True)) for row in rows])
    elif as_csv:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerows((COLUMNS, *((*row[:6], f"{row[6]:g}") for row in rows)))
    else:
        table(COLUMNS, [(*map(str, row[:6]), f"{row[6]:g}") for row in rows])


async def _read(chosen: Settings, first: date, last: date) -> list[tuple[str | float, ...]]:
    async with open_ledger(chosen) as ledger:
        accounts = await ledger.accounts()
        keys = {key.id: key.name for key in await ledger.keys()}
        return [_row(one, dict(accounts), keys) for one in await ledger.used(first, last)]


def _row(one: Used, accounts: dict[str, str], keys: dict[str, str]) -> tuple[str | float, ...]:
    names = (accounts.get(one.account, one.account), keys.get(one.key, one.key))
    return (str(one.day), *names, one.model, one.status, one.measure, one.amount)


@app.command()
def prune(
    before: Annotated[str, typer.Option("--before", metavar="DAY", help="First day to keep.")],
    data_dir: DataDir = None,
    config: Config = None,
) -> None:
    """Remove the sums of older days."""
    chosen, day = settings(config, data_dir=data_dir), _day(before)

    async def work() -> int:
        async with open_ledger(chosen) as ledger:
            return await ledger.forget_used(day)

    typer.echo(f"{asyncio.run(work())} sums are removed.")


def _day(said: str) -> date:
    try:
        return date.fromisoformat(said)
    except ValueError:
        wrong(f"{said!r} is not a day such as 2026-01-31.")
