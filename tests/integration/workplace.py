"""A deployment without a face: real ledger, bell, store and echo processes, and one worker."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rooms import recipe

from ferrotype.bells.unix import UnixBell
from ferrotype.catalogue import Catalogue
from ferrotype.engine_rooms.process import ProcessRoom
from ferrotype.ledgers.sqlite import Limits, SqliteLedger
from ferrotype.media import File
from ferrotype.media_stores.local import LocalStore
from ferrotype.media_stores.local_inputs import LocalInputs
from ferrotype.ports.fetcher import FileRule
from ferrotype.task import MAX_FAULTS, NewTask, Order, Status, Task
from ferrotype.wiring.shared import SystemClock
from ferrotype.worker import Options, Station, Stop, Toolbox, Worker, Workshop

MODEL = "wan2.5-t2i-preview"
PATIENCE = 30.0


class NoFetcher:
    """Every input is missing, or whatever a test says."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.asked: list[tuple[str, str]] = []
        self.cleaned: list[tuple[bytes, str]] = []
        self.arrived = asyncio.Event()
        self.arrived.set()

    async def fetch(self, url: str, into: Path, name: str, rule: FileRule) -> File:
        self.asked.append((url, name))
        await self.arrived.wait()
        if self.error is not None:
            raise self.error
        return File(path=str(into / f"{name}.png"), type="image/png", width=1, height=1)

    async def clean(self, raw: Path, into: Path, name: str, rule: FileRule) -> File:
        self.cleaned.append((raw.read_bytes(), name))
        raw.unlink()
        return File(path=str(into / f"{name}.png"), type="image/png", width=1, height=1)


class Between:
    """Stands before a part; what a test names in `instead` is called in its place."""

    def __init__(self, part: Any) -> None:
        self._part = part
        self.instead: dict[str, Callable[..., Awaitable[Any]]] = {}
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Any:
        self.calls.append(name)
        return self.instead.get(name) or getattr(self._part, name)


@dataclass
class Workplace:
    ledger: SqliteLedger
    bell: UnixBell
    tools: Toolbox
    work: Between
    store: Between
    fetcher: NoFetcher
    station: Station
    account: str
    stop: Stop = field(default_factory=Stop)
    working: "asyncio.Task[None] | None" = None

    def start(self) -> None:
        self.working = asyncio.create_task(Worker([self.station], self.tools).run(self.stop))

    async def close(self) -> None:
        """End the worker: at once, if it runs still."""
        self.stop.ask()
        self.stop.ask()
        if self.working is not None:
            await asyncio.wait_for(self.working, PATIENCE)

    async def add(self, prompt: str, n: int = 1, **more: Any) -> str:
        model = more.pop("model", MODEL)
        inputs = more.pop("inputs", {})
        order = Order(
            kind="text-to-image",
            prompt=prompt,
            size=(1, 1),
            n=n,
            seed=1,
            inputs=inputs,
            posted=more.pop("posted", None),
        )
        new = NewTask(
            account=self.account,
            key="k",
            model=model,
            route="text2image/image-synthesis",
            order=order,
            request_id="r",
            served_by="echo; test pattern",
            total=n,
            **more,
        )
        return (await self.ledger.add(new)).task_id

    async def get(self, task_id: str) -> Task:
        task = await self.ledger.get(self.account, task_id)
        assert task is not None
        return task

    async def until(self, task_id: str, so: Callable[[Task], bool]) -> Task:
        """Wait until something is true of a task, looking often."""
        async with asyncio.timeout(PATIENCE):
            while not so(task := await self.get(task_id)):
                await asyncio.sleep(0.01)
        return task

    async def running(self, task_id: str) -> Task:
        return await self.until(task_id, lambda task: task.status is Status.RUNNING)

    async def ended(self, task_id: str) -> Task:
        return await self.until(task_id, lambda task: task.ended)

    async def run(self, prompt: str, n: int = 1, **more: Any) -> Task:
        """Add a task and wait for its end; pauses between attempts are skipped."""
        task_id = await self.add(prompt, n, **more)
        for faults in range(MAX_FAULTS):
            task = await self.until(task_id, partial(_failed_again, faults))
            if task.ended:
                return task
            await self.ledger.set_clock_offset(60.0 * (faults + 1))
        raise AssertionError("the task never ends")

    async def files(self) -> set[str]:
        """Return `task/attempt` of all result files."""
        root = self.store._part._root
        return {"/".join(path.parts[-3:-1]) for path in root.rglob("*") if path.is_file()}

    async def begun(self, task_id: str) -> None:
        """Wait until the worker has made a task's folder."""
        async with asyncio.timeout(PATIENCE):
            while f"{task_id}-1" not in self.benches():
                await asyncio.sleep(0.01)

    async def benches_empty(self) -> None:
        """Wait until no attempt is left."""
        async with asyncio.timeout(PATIENCE):
            while self.benches():
                await asyncio.sleep(0.01)

    def benches(self) -> list[str]:
        """Return the names of job folders that are still there."""
        folder = self.tools.workshop.folder
        return [path.name for path in folder.iterdir() if not path.name.startswith("room-")]


def _failed_again(faults: int, task: Task) -> bool:
    return task.ended or task.faults > faults


@asynccontextmanager
async def workplace(
    folder: Path,
    *,
    deadline: float = 300.0,
    concurrency: int = 1,
    batch: int = 1,
    **options: float,
) -> AsyncIterator[Workplace]:
    """Open everything; the worker starts by `start`."""
    chosen = Options(**{"poll": 0.2, **options})  # type: ignore[arg-type]
    async with AsyncExitStack() as stack:
        run_dir = Path(stack.enter_context(TemporaryDirectory()))  # a socket's path is short
        bell = await stack.enter_async_context(UnixBell.open(folder, run_dir=run_dir))
        opening = SqliteLedger.open(folder, bell=bell, migrate=True, limits=Limits(test=True))
        ledger = await stack.enter_async_context(opening)
        workshop = stack.enter_context(Workshop(folder / "work"))
        work, store, fetcher = Between(ledger), Between(LocalStore(folder / "media")), NoFetcher()
        tools = Toolbox(
            work=work,
            bell=bell,
            catalogue=Catalogue.load(),
            fetcher=fetcher,
            store=store,
            inputs=LocalInputs(folder / "media"),
            clock=SystemClock(),
            workshop=workshop,
            options=chosen,
        )
        room = ProcessRoom(recipe(concurrency=max(concurrency, batch)), workshop.room("0"))
        station = Station(
            room=room,
            models=frozenset(tools.catalogue.models),
            deadline=deadline,
            batches={MODEL: batch} if batch > 1 else {},
        )
        account = await ledger.make_account("a")
        place = Workplace(ledger, bell, tools, work, store, fetcher, station, account)
        try:
            yield place
        finally:
            await place.close()
