"""`ferrotype top`: what waits, what runs, who works, and how fast it goes."""

import asyncio
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer
from msgspec import Struct

from ferrotype.cli.flags import Config, DataDir, settings
from ferrotype.cli.output import json_out, table
from ferrotype.ports.admin import Stuck, WorkerSeen
from ferrotype.ports.full_ledger import FullLedger
from ferrotype.ports.watch import Backlog, Pace
from ferrotype.settings import Settings
from ferrotype.wiring.ledger import open_ledger

if TYPE_CHECKING:
    from rich.console import RenderableType

MINUTE = 60.0
LATE = 10.0  # seconds without renewal after which a worker is shown as late
QUEUE = ("model", "ready", "held", "running", "oldest", "")
WORKERS = ("worker", "host", "version", "devices", "models", "running", "seen")


class Frame(Struct, frozen=True):
    """What one look at a ledger saw."""

    at: datetime
    backlog: Sequence[Backlog]
    workers: Sequence[WorkerSeen]
    holding: Mapping[str, int]
    pace: Pace
    stuck: Stuck
    paused: Mapping[str, str]
    vitals: Mapping[str, float]

    def headline(self) -> str:
        """Return the deployment in one line."""
        ready, held, running = (
            sum(getattr(one, what) for one in self.backlog) for what in ("ready", "held", "running")
        )
        ended = ", ".join(f"{n} {status}" for status, n in sorted(self.pace.ended.items()))
        return (
            f"{ready} ready, {held} held, {running} running; {len(self.workers)} workers. "
            f"In the last minute: {self.pace.created} created, {ended or 'none ended'}."
        )

    def queue(self) -> list[tuple[str, ...]]:
        """Return a row for each model that has open tasks, or is paused."""
        known = {one.model: one for one in self.backlog}
        models = sorted({*known, *self.paused})
        rows = [known.get(model, Backlog(model=model)) for model in models]
        return [
            (
                one.model,
                str(one.ready),
                str(one.held),
                str(one.running),
                span(one.oldest) if one.ready or one.held else "-",
                f"paused: {self.paused[one.model]}" if one.model in self.paused else "",
            )
            for one in rows
        ]

    def crew(self) -> list[tuple[str, ...]]:
        """Return a row for each worker."""
        return [
            (
                one.id,
                one.host,
                one.version,
                " ".join(one.devices) or "-",
                str(len(one.models)),
                str(self.holding.get(one.id, 0)),
                f"{span(one.age)} ago{', late' if one.age > LATE else ''}",
            )
            for one in sorted(self.workers, key=lambda one: (one.host, one.id))
        ]

    def remarks(self) -> list[str]:
        """Return what an operator should look into."""
        said = []
        if self.stuck.count:
            said.append(f"{self.stuck.count} tasks are stuck: see `ferrotype tasks list-stuck`.")
        if any(one.ready for one in self.backlog) and not self.workers:
            said.append("No worker runs.")
        return said


def top(
    once: Annotated[bool, typer.Option("--once", help="Print one look and end.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One look as a JSON document.")] = False,
    every: Annotated[
        float, typer.Option("--every", min=0.5, max=3600, help="Seconds between two looks.")
    ] = 2.0,
    data_dir: DataDir = None,
    config: Config = None,
) -> None:
    """Show the queue, the workers and the pace, again and again, until Ctrl-C."""
    chosen = settings(config, data_dir=data_dir)
    if once or as_json or not sys.stdout.isatty():
        frame = asyncio.run(_once(chosen))
        if as_json:
            json_out(frame)
        else:
            _print(frame)
        return
    with suppress(KeyboardInterrupt):
        asyncio.run(_watch(chosen, every))


async def look(ledger: FullLedger) -> Frame:
    """Look at a ledger once."""
    return Frame(
        at=datetime.now(UTC),
        backlog=await ledger.backlog(),
        workers=await ledger.workers(),
        holding=await ledger.holding(),
        pace=await ledger.pace(MINUTE),
        stuck=await ledger.stuck(5),
        paused=await ledger.paused(),
        vitals=await ledger.vitals(),
    )


async def _once(chosen: Settings) -> Frame:
    async with open_ledger(chosen) as ledger:
        return await look(ledger)


def _print(frame: Frame) -> None:
    typer.echo(frame.headline())
    for columns, rows in ((QUEUE, frame.queue()), (WORKERS, frame.crew())):
        if rows:
            typer.echo()
            table(columns, rows)
    for remark in frame.remarks():
        typer.echo(f"\n{remark}")


async def _watch(chosen: Settings, every: float) -> None:
    from rich.live import Live  # slow to import, and only needed here

    async with open_ledger(chosen) as ledger:
        with Live(_screen(await look(ledger)), screen=True, auto_refresh=False) as live:
            while True:
                await asyncio.sleep(every)
                live.update(_screen(await look(ledger)), refresh=True)


def _screen(frame: Frame) -> "RenderableType":
    """Lay a frame out for a terminal."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    parts: list[RenderableType] = [Text(f"{frame.at:%H:%M:%S} UTC  {frame.headline()}", "bold")]
    for columns, rows in ((QUEUE, frame.queue()), (WORKERS, frame.crew())):
        shown = Table(box=None, header_style="dim", pad_edge=False, padding=(0, 2, 0, 0))
        for column in columns:
            right = column in ("ready", "held", "running", "oldest", "models")
            shown.add_column(column, justify="right" if right else "left", no_wrap=True)
        for row in rows:
            marked = row[-1].startswith("paused") or row[-1].endswith("late")
            shown.add_row(*row, style="yellow" if marked else None)
        parts += [Text(), shown]
    parts += [Text(f"\n{remark}", "red") for remark in frame.remarks()]
    return Group(*parts)


def span(seconds: float) -> str:
    """Write a span as people say it: 4s, 3m, 2h, 5d."""
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "m")):
        if seconds >= size:
            return f"{seconds / size:.0f}{unit}"
    return f"{seconds:.0f}s"
