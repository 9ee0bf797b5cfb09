"""Whatever is killed, and whenever: every accepted task ends once, and nothing is left behind."""

import asyncio
import os
import random
import socket
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import psutil
import pytest

from ferrotype.cli.local import LocalServer
from ferrotype.task import Move
from ferrotype.wiring.ledger import open_ledger

TASKS = 320
LANES = 16
KILLS = 14
CREATE = "/services/aigc/text2image/image-synthesis"
KEY = {"Authorization": "Bearer sk-anyone"}
COMMANDS = {
    "api": "ferrotype.cli.process api",
    "worker": "ferrotype.cli.process worker",
    "engine": "ferrotype.engine_host",
}
SECONDS = 240  # more than a slow machine needs; a task that is lost is waited for no longer


class Victims:
    """The processes of one service, and everybody who ever was one of them."""

    def __init__(self, local: LocalServer) -> None:
        self._local = local
        self.seen: dict[int, float] = {}

    def supervisor(self) -> psutil.Process | None:
        try:
            root = psutil.Process(self._local.pid) if self._local.pid else None
            return root if root and root.status() != psutil.STATUS_ZOMBIE else None
        except psutil.NoSuchProcess:
            return None

    def family(self) -> list[psutil.Process]:
        root = self.supervisor()
        if root is None:
            return []
        try:
            family = [root, *root.children(recursive=True)]
            self.seen.update({one.pid: one.create_time() for one in family})
        except psutil.NoSuchProcess:
            return self.family()
        return family

    def named(self, word: str) -> list[psutil.Process]:
        found = []
        for one in self.family():
            try:
                if word in " ".join(one.cmdline()):
                    found.append(one)
            except psutil.NoSuchProcess:
                continue
        return found

    def kill(self, what: str) -> int:
        """Kill what is named so, and return how many processes that were."""
        if what == "all":
            doomed = self.family()
        elif what == "supervisor":
            doomed = self.family()[:1]
        else:
            doomed = self.named(
                {"engine": "ferrotype.engine_host"}.get(what, f"cli.process {what}")
            )
        for one in doomed:
            with suppress(psutil.NoSuchProcess):
                one.kill()
        return len(doomed)

    def left(self) -> list[int]:
        """Return which of all that were ever seen still run."""
        running = []
        for pid, born in self.seen.items():
            try:
                process = psutil.Process(pid)
                if process.create_time() == born and process.status() != psutil.STATUS_ZOMBIE:
                    running.append(pid)
            except psutil.NoSuchProcess:
                continue
        return running

    def wait_gone(self, seconds: float = 10) -> list[int]:
        end = time.monotonic() + seconds
        while (left := self.left()) and time.monotonic() < end:
            time.sleep(0.05)
        return left


@pytest.fixture
def local(tmp_path: Path) -> Iterator[LocalServer]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    variables = {
        "FERROTYPE_PORT": str(port),
        "FERROTYPE_ENGINE": "echo",
        "FERROTYPE_ANY_KEY": "1",
        "FERROTYPE_TEST": "1",
    }
    with LocalServer(tmp_path / "data", variables) as running:
        yield running


async def persist(
    client: httpx.AsyncClient, method: str, url: str, **more: object
) -> httpx.Response:
    """Ask until there is an answer: refused and cut connections and 5xx are part of the game."""
    while True:
        try:
            answer = await client.request(method, url, **more)  # type: ignore[arg-type]
            if answer.status_code < 500:
                return answer
        except httpx.TransportError:
            pass  # somebody was just killed
        await asyncio.sleep(0.1)


async def one_task(
    client: httpx.AsyncClient, number: int, ends: dict[int, tuple[str, str]]
) -> None:
    """Create a task and poll it to its end; the idempotency key outlives lost answers."""
    headers = {**KEY, "X-DashScope-Async": "enable", "Idempotency-Key": f"task-{number}"}
    body = {
        "model": "wan2.5-t2i-preview",
        "input": {"prompt": "echo delay=0.1"},
        "parameters": {"n": 1, "seed": number},
    }
    created = await persist(client, "POST", CREATE, json=body, headers=headers)
    assert created.status_code == 200, created.text
    task = created.json()["output"]["task_id"]
    while True:
        answer = await persist(client, "GET", f"/tasks/{task}", headers=KEY)
        output = answer.json()["output"]
        if output["task_status"] not in ("PENDING", "RUNNING"):
            url = output["results"][0]["url"] if output["task_status"] == "SUCCEEDED" else ""
            ends[number] = (output["task_status"], url)
            return
        await asyncio.sleep(0.1)


async def torment(local: LocalServer, victims: Victims, done: asyncio.Event) -> Counter[str]:
    """Kill one thing after another; start the service again when its supervisor is gone."""
    chance = random.Random(7)
    order = ["worker", "engine", "api", "supervisor", "all", "worker", "engine"]
    killed: Counter[str] = Counter()
    for turn in range(KILLS):
        await asyncio.sleep(chance.uniform(0.3, 2.0))
        if done.is_set():
            break
        what = order[turn % len(order)]
        async with asyncio.timeout(20):
            while not victims.kill(what):  # it was killed just now, and is being started again
                await asyncio.sleep(0.05)
        killed[what] += 1
        await asyncio.sleep(0.2)
        if victims.supervisor() is None:
            orphans = await asyncio.to_thread(victims.wait_gone)
            assert not orphans, f"killing {what} left {orphans}"
            await asyncio.to_thread(local.stop)
            await asyncio.to_thread(local.start)
        victims.family()
    return killed


async def through_hell(local: LocalServer, victims: Victims) -> dict[int, tuple[str, str]]:
    numbers = iter(range(TASKS))
    ends: dict[int, tuple[str, str]] = {}
    done = asyncio.Event()
    limits = httpx.Limits(max_connections=LANES)
    async with (
        asyncio.timeout(SECONDS),
        httpx.AsyncClient(base_url=local.url, timeout=10, limits=limits) as client,
    ):

        async def lane() -> None:
            for number in numbers:
                await one_task(client, number, ends)

        tormentor = asyncio.create_task(torment(local, victims, done))
        async with asyncio.TaskGroup() as lanes:
            for _ in range(LANES):
                lanes.create_task(lane())
        done.set()
        killed = await tormentor
        assert set(killed) == {*COMMANDS, "supervisor", "all"}, killed
        for status, url in ends.values():
            assert status == "SUCCEEDED"
            picture = await persist(client, "GET", url)
            assert picture.status_code == 200
            assert picture.content.startswith(b"\x89PNG")
    return ends


async def endings(local: LocalServer) -> Counter[int]:
    """Count how many tasks have so many results, by the ledger's own events."""
    async with open_ledger(local.settings) as ledger:
        account = await ledger.make_account("default")
        async with httpx.AsyncClient(base_url=local.url, headers=KEY) as client:
            first = (await client.get("/tasks", params={"page_size": 100})).json()
            pages = [
                (await client.get("/tasks", params={"page_size": 100, "page_no": page})).json()
                for page in range(1, first["total_page"] + 1)
            ]
        ids = {row["task_id"] for page in pages for row in page["data"]}
        assert first["total"] == len(ids) == TASKS
        events = [await ledger.events(account, task) for task in ids]
        return Counter(sum(one.move is Move.SUCCEED for one in each) for each in events)


async def expire_everything(local: LocalServer) -> None:
    async with open_ledger(local.settings) as ledger:
        await ledger.set_clock_offset(25 * 3600.0)


def files_below(folder: Path) -> list[Path]:
    """List files, whatever is removed meanwhile."""
    return [Path(where, name) for where, _, names in os.walk(folder) for name in names]


def test_every_task_survives_every_kill(local: LocalServer) -> None:
    victims = Victims(local)
    victims.family()
    ends = asyncio.run(through_hell(local, victims))
    assert len(ends) == TASKS
    assert asyncio.run(endings(local)) == Counter({1: TASKS})
    media = local.data_dir / "media"
    assert len(files_below(media)) >= TASKS
    asyncio.run(expire_everything(local))
    end = time.monotonic() + 60
    while files_below(media) and time.monotonic() < end:
        time.sleep(0.2)
    assert files_below(media) == []
    local.stop()
    assert victims.wait_gone() == []
    assert files_below(local.data_dir / "work") == []


def test_the_third_killed_engine_ends_the_task(local: LocalServer) -> None:
    victims = Victims(local)
    body = {"model": "wan2.5-t2i-preview", "input": {"prompt": "echo delay=600 steps=6000"}}
    headers = {**KEY, "X-DashScope-Async": "enable"}
    with httpx.Client(base_url=local.url, headers=headers, timeout=10) as client:
        task = client.post(CREATE, json=body).json()["output"]["task_id"]

        def state() -> dict[str, str]:
            output: dict[str, str] = client.get(f"/tasks/{task}").json()["output"]
            return output

        asyncio.run(kill_engine_under(local, victims, task, times=3))
        end = time.monotonic() + 20
        while state()["task_status"] == "RUNNING" and time.monotonic() < end:
            time.sleep(0.1)
        assert state()["task_status"] == "FAILED"
        assert state()["code"] == "InternalError.Algo"


async def kill_engine_under(local: LocalServer, victims: Victims, task: str, times: int) -> None:
    """Kill the engine process in each attempt, moving the clock over the pauses between."""
    async with open_ledger(local.settings) as ledger, asyncio.timeout(60):
        account = await ledger.make_account("default")

        async def reached(attempt: int, faults: int) -> bool:
            now = await ledger.get(account, task)
            assert now is not None
            return (now.attempt, now.faults) == (attempt, faults) and now.progress > 0

        for faults in range(times):
            while not await reached(faults + 1, faults):
                await asyncio.sleep(0.05)
            for engine in victims.named(COMMANDS["engine"]):
                engine.kill()
            while (now := await ledger.get(account, task)) and now.faults == faults:
                await asyncio.sleep(0.05)
            await ledger.set_clock_offset((faults + 1) * 30.0)
