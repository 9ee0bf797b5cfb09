"""`ferrotype keys`: who may call."""

import asyncio
import re
import sys
from datetime import UTC, datetime
from typing import Annotated

import typer

from ferrotype.cli.flags import Config, DataDir, settings
from ferrotype.cli.output import table, wrong
from ferrotype.errors import Conflict, Missing
from ferrotype.keyring import DEFAULT_ACCOUNT, new_key
from ferrotype.ports.admin import Key
from ferrotype.settings import Settings
from ferrotype.wiring.ledger import open_ledger

app = typer.Typer(help="Make, list and revoke API keys.", no_args_is_help=True)


@app.command()
def create(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="What to call it, such as its user's name.")
    ],
    key: Annotated[
        str | None,
        typer.Option("--key", help="A key of your own to accept; - reads it from standard input."),
    ] = None,
    account: Annotated[
        str, typer.Option("--account", help="Account that owns the key; made if it is new.")
    ] = DEFAULT_ACCOUNT,
    admin: Annotated[
        bool, typer.Option("--admin", help="Scope admin: it may also rehearse failures.")
    ] = False,
    data_dir: DataDir = None,
    config: Config = None,
) -> None:
    """Make an API key, or accept one of yours, and print it. It is not shown again."""
    for what, word in (("key's", name), ("account's", account)):
        if not re.fullmatch(r"[\w.@-][\w.@ -]{0,63}", word):
            wrong(f"A {what} name is 1 to 64 letters, digits and . @ - _ characters.")
    given = sys.stdin.readline().strip() if key == "-" else key
    if given is not None and not re.fullmatch(r"[\x21-\x7e]{8,256}", given):
        wrong("A key is 8 to 256 printable characters without spaces.")
    chosen = settings(config, data_dir=data_dir)
    typer.echo(asyncio.run(_create(chosen, account, name, given, "admin" if admin else "caller")))


async def _create(chosen: Settings, account: str, name: str, given: str | None, scope: str) -> str:
    key = given or new_key()
    async with open_ledger(chosen, migrate=True) as ledger:
        owner = await ledger.make_account(account)
        try:
            await ledger.add_key(owner, name, key, scope=scope)
        except Conflict:
            wrong("This key is known already: see `ferrotype keys list`.")
    return key


@app.command("list")
def list_(data_dir: DataDir = None, config: Config = None) -> None:
    """List the keys, each by its name and its end only."""
    rows = asyncio.run(_rows(settings(config, data_dir=data_dir)))
    table(("id", "name", "account", "hint", "created", "state"), rows)


async def _rows(chosen: Settings) -> list[tuple[str, ...]]:
    async with open_ledger(chosen) as ledger:
        names = await ledger.accounts()
        return [_row(key, names[key.account]) for key in await ledger.keys()]


def _row(key: Key, account: str) -> tuple[str, ...]:
    state = "good"
    if key.revoked_at:
        state = f"revoked {key.revoked_at:%Y-%m-%d %H:%M}"
    elif key.expires_at:
        past = key.expires_at <= datetime.now(UTC)
        state = f"{'ended' if past else 'ends'} {key.expires_at:%Y-%m-%d %H:%M}"
    return key.id, key.name, account, key.hint, f"{key.created_at:%Y-%m-%d %H:%M}", state


@app.command()
def revoke(
    name: Annotated[
        str, typer.Argument(metavar="KEY", help="Its name or id, as `keys list` shows it.")
    ],
    data_dir: DataDir = None,
    config: Config = None,
) -> None:
    """Revoke a key: within 5 seconds it opens nothing any more."""
    chosen = settings(config, data_dir=data_dir)
    try:
        key = asyncio.run(_revoke(chosen, name))
    except Missing:
        wrong(f"There is no key {name!r}: see `ferrotype keys list`.")
    except Conflict:
        wrong(f"Several keys are named {name!r}: revoke by id, see `ferrotype keys list`.")
    typer.echo(f"Revoked {key.name} ({key.id}).")


async def _revoke(chosen: Settings, name: str) -> Key:
    async with open_ledger(chosen) as ledger:
        return await ledger.revoke_key(name)
