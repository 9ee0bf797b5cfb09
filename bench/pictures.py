"""How long the illustrator draws, alone and with the whole service around it."""

import asyncio
import threading
import time
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from statistics import median

import httpx

from bench.ledger import tasks_of
from bench.rates import CREATE, HEADERS, MODEL
from bench.rows import Row, Section, quantile
from bench.servers import make_home, serve
from ferrotype.engines.illustrator.engine import Illustrator
from ferrotype.ports.engine import Job

SIDE = 1024
ROUNDS = 4
PROMPTS = (
    "A flower shop with exquisite windows, a beautiful wooden door, and flowers on display",
    "a lake between snowy mountains at sunset, pine trees on the shore",
    "the difference between a raven and a writing desk",  # it sets this as a card
)


@dataclass
class Alone:
    """A place of work with no service around it: `ports.engine.Bench`."""

    workdir: Path
    stopping: threading.Event = field(default_factory=threading.Event)
    final: bool = False

    def progress(self, fraction: float, step: int = 0, steps: int = 0) -> None:
        """Tell nobody."""

    def report(self, *, usage: object = None, shown: object = None) -> None:
        """Tell nobody."""
        raise AssertionError("nothing to report")

    async def note(self, memo: bytes) -> None:
        """Keep nothing: there is no next attempt."""


def measure(folder: Path) -> Section:
    """Draw the same pictures in this process and by the service, one at a time."""
    data = folder / "pictures"
    make_home(data)
    alone = asyncio.run(_draw(folder))
    with serve(data) as server:
        ids, seen = asyncio.run(_order(server.url))
    tasks = asyncio.run(tasks_of(data, ids))
    second = timedelta(seconds=1)
    whole = [(task.end_at - task.submit_at) / second for task in tasks if task.end_at]
    size = f"{SIDE}*{SIDE}"
    beside = "the engine alone", median(alone)
    return Section(
        "pictures",
        [
            Row(what=f"the engine alone, {size}, p50", unit="s", most=0.4, value=median(alone)),
            Row(what="the engine alone, slowest", unit="s", value=max(alone)),
            Row(what="create to end in the ledger, p50", unit="s", value=median(whole),
                beside=beside),
            Row(what="create to end as a client sees it, p50", unit="s", value=median(seen),
                beside=beside),
            Row(what="create to end as a client sees it, p90", unit="s",
                value=quantile(seen, 0.9)),
        ],
    )  # fmt: skip


async def _draw(folder: Path) -> list[float]:
    engine, bench = Illustrator(), Alone(folder)
    await engine.run(_job(0, PROMPTS[0], folder), bench)  # the first one loads art and letters
    took = []
    for number in range(ROUNDS * len(PROMPTS)):
        began = time.perf_counter()
        await engine.run(_job(number, PROMPTS[number % len(PROMPTS)], folder), bench)
        took.append(time.perf_counter() - began)
    return took


def _job(seed: int, prompt: str, folder: Path) -> Job:
    return Job(
        task=f"bench-{seed}",
        attempt=1,
        model=MODEL,
        kind="text-to-image",
        prompt=prompt,
        negative="",
        size=(SIDE, SIDE),
        n=1,
        seed=seed,
        fields={},
        inputs={},
        duration=None,
        fps=None,
        workdir=str(folder),
        memo=None,
    )


async def _order(url: str) -> tuple[list[str], list[float]]:
    """Ask the service for the same pictures; return the tasks' ids, and what a client waits."""
    async with httpx.AsyncClient(base_url=url, headers=HEADERS, timeout=60, trust_env=False) as on:
        await _one(on, 0)
        made = [await _one(on, number) for number in range(ROUNDS * len(PROMPTS))]
    return [task for task, _ in made], [took for _, took in made]


async def _one(client: httpx.AsyncClient, seed: int) -> tuple[str, float]:
    body = {
        "model": MODEL,
        "input": {"prompt": PROMPTS[seed % len(PROMPTS)]},
        "parameters": {"size": f"{SIDE}*{SIDE}", "n": 1, "seed": seed, "prompt_extend": False},
    }
    began = time.perf_counter()
    created = await client.post(CREATE, json=body, headers={"X-DashScope-Async": "enable"})
    task = created.raise_for_status().json()["output"]["task_id"]
    for _ in range(60):
        answer = await client.get(f"/api/v1/tasks/{task}")
        status = answer.json()["output"]["task_status"]
        if status == "SUCCEEDED":
            return task, time.perf_counter() - began
        if status == "FAILED":
            break
    raise RuntimeError(f"a picture of the bench was not made: {answer.text}")
