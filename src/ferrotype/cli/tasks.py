"""`ferrotype tasks`: see any task, and the moves that only an operator may make."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated

import typer

from ferrotype.cli.flags import Config, DataDir, settings
from ferrotype.cli.output import json_out, table, utf8, wrong
from ferrotype.errors import Conflict
from ferrotype.ports.full_ledger import FullLedger
from ferrotype.settings import Settings
from ferrotype.task import Event, Status, Task
from ferrotype.wiring.ledger import open_ledger

app = typer.Typer(help="See tasks; requeue, fail or delete one.", no_args_is_help=True)

Id = Annotated[str, typer.Argument(metavar="TASK", help="The task's id.", callback=utf8)]
Why = Annotated[str, typer.Option("--why", help="What its history is to say.", callback=utf8)]
Json = Annotated[bool, typer.Option("--json", help="One JSON document instead of a table.")]
COLUMNS = ("task", "status", "model", "account", "attempt", "faults", "submitted", "ended", "code")


@app.command("list")
def list_(
    status: Annotated[
        Status | None,
        typer.Option("--status", case_sensitive=False, help="Only tasks that stand so."),
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", help="Only tasks of a model.", callback=utf8)
    ] = None,
    account: Annotated[
        str | None, typer.Option("--account", help="Only tasks of an account, by its name.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="How many.")] = 50,
    as_json: Json = False,
    data_dir: DataDir = None,
    config: Config = None,
) -> None:
    """List tasks, the newest first."""
    chosen = settings(config, data_dir=data_dir)

    async def work(ledger: FullLedger, names: dict[str, str]) -> list[Task]:
        id = _account_id(names, account)
        return [*await ledger.look(account=id, model=model, status=status, limit=limit)]

    _show(chosen, work, as_json)


@app.command("list-stuck")
def list_stuck(
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="How many.")] = 50,
    as_json: Json = False,
    data_dir: DataDir = None,
    config: Config = None,
) -> None:
    """List open tasks that began again and again: something about them ends their workers."""

    async def work(ledger: FullLedger, names: dict[str, str]) -> list[Task]:
        found = [await ledger.find(task) for task in (await ledger.stuck(limit)).task_ids]
        return [task for task in found if task is not None]

    _show(settings(config, data_dir=data_dir), work, as_json)


@app.command()
def show(id: Id, as_json: Json = False, data_dir: DataDir = None, config: Config = None) -> None:
    """Show a task and its moves."""
    chosen = settings(config, data_dir=data_dir)

    async def work() -> tuple[Task | None, list[Event], dict[str, str]]:
        async with open_ledger(chosen) as ledger:
            names = dict(await ledger.accounts())
            return await ledger.find(id), [*await ledger.history(id)], names

    task, events, names = asyncio.run(work())
    if task is None:
        wrong(f"There is no task {id}.")
    if as_json:
        json_out({"task": task, "events": events})
        return
    table(COLUMNS, [_row(task, names)])
    if task.message:
        typer.echo(f"\n{task.message}")
    if events:
        typer.echo()
        rows = [(_when(e.at), str(e.attempt), str(e.move), e.who, e.why) for e in events]
        table(("at", "attempt", "move", "who", "why"), rows)


@app.command()
def requeue(
    id: Id, why: Why = "requeued by an operator", data_dir: DataDir = None, config: Config = None
) -> None:
    """Take a running task from its worker and let it wait for the next; no fault is counted."""
    _move(
        settings(config, data_dir=data_dir),
        id,
        lambda ledger: ledger.requeue(id, why),
        "is not running",
    )


@app.command()
def fail(
    id: Id, why: Why = "ended by an operator", data_dir: DataDir = None, config: Config = None
) -> None:
    """End an open task FAILED; its caller is told why."""
    _move(settings(config, data_dir=data_dir), id, lambda ledger: ledger.drop(id, why), "has ended")


@app.command()
def delete(id: Id, data_dir: DataDir = None, config: Config = None) -> None:
    """Let an ended task expire now: its answer is UNKNOWN at once, its files go soon."""
    _move(
        settings(config, data_dir=data_dir),
        id,
        lambda ledger: ledger.delete(id),
        "has not ended: `ferrotype tasks fail` it first",
    )


def _move(
    chosen: Settings, id: str, move: Callable[[FullLedger], Awaitable[object]], not_now: str
) -> None:
    async def work() -> Task | None:
        async with open_ledger(chosen) as ledger:
            if await ledger.find(id) is None:
                wrong(f"There is no task {id}.")
            try:
                await move(ledger)
            except Conflict:
                wrong(f"The task {id} {not_now}.")
            return await ledger.find(id)

    task = asyncio.run(work())
    typer.echo(f"{id} is {task.status if task else 'gone'}.")


def _show(
    chosen: Settings,
    work: Callable[[FullLedger, dict[str, str]], Awaitable[list[Task]]],
    as_json: bool,
) -> None:
    async def read() -> tuple[list[Task], dict[str, str]]:
        async with open_ledger(chosen) as ledger:
            names = dict(await ledger.accounts())
            return await work(ledger, names), names

    tasks, names = asyncio.run(read())
    if as_json:
        json_out(tasks)
    else:
        table(COLUMNS, [_row(task, names) for task in tasks])


def _account_id(names: dict[str, str], name: str | None) -> str | None:
    if name is None:
        return None
    ids = [id for id, known in names.items() if known == name]
    if not ids:
        wrong(f"There is no account {name!r}: see `ferrotype accounts list`.")
    return ids[0]


def _row(task: Task, names: dict[str, str]) -> tuple[str, ...]:
    return (
        task.id,
        str(task.status),
        task.model,
        names.get(task.account, task.account),
        str(task.attempt),
        str(task.faults),
        _when(task.submit_at),
        _when(task.end_at) if task.end_at else "-",
        task.code or "-",
    )


def _when(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}"
