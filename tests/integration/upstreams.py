"""Jobs for the engine `dashscope`, and a bench that remembers what it noted and reported."""

import asyncio
import json
import threading
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from ferrotype.catalogue import Catalogue
from ferrotype.engines.dashscope.engine import Dashscope
from ferrotype.engines.dashscope.memo import Memo, recall
from ferrotype.media import File
from ferrotype.ports.engine import Job, Posted, marked
from ferrotype.testing import Server

T2I = "text2image/image-synthesis"
SYNC = "multimodal-generation/generation"
FAST: Mapping[str, Any] = {
    "poll": {"first": 0.05, "longest": 0.2, "per_second": 1000},
    "timeouts": {"connect": 2, "answer": 5, "copy": 3, "probe": 0.1, "rest": 0.1},
}
CATALOGUE = Catalogue.load()
MADE: list[Dashscope] = []  # engines that a test has to close


@dataclass
class Notebook:
    """A bench whose notes are durable at once."""

    workdir: Path
    stopping: threading.Event = field(default_factory=threading.Event)
    final: bool = False
    notes: list[Memo] = field(default_factory=list)
    said: list[float] = field(default_factory=list)
    usage: Mapping[str, Any] | None = None
    shown: Mapping[str, Any] | None = None
    noted: asyncio.Event = field(default_factory=asyncio.Event)

    def progress(self, fraction: float, step: int = 0, steps: int = 0) -> None:
        self.said.append(fraction)

    def note(self, memo: bytes) -> Awaitable[None]:
        self.notes.append(recall(memo))
        self.noted.set()
        return asyncio.sleep(0)

    def report(
        self, *, usage: Mapping[str, Any] | None = None, shown: Mapping[str, Any] | None = None
    ) -> None:
        self.usage, self.shown = usage, shown

    @property
    def states(self) -> list[str]:
        return [str(memo.state) for memo in self.notes]


def engine(*regions: str, **more: Any) -> Dashscope:
    """Make an engine that is in a hurry."""
    MADE.append(Dashscope(**{"regions": list(regions), "key": "sk-test", **FAST, **more}))
    return MADE[-1]


def job(
    folder: Path,
    prompt: str = "a red kite",
    *,
    model: str = "wan2.2-t2i-flash",
    route: str = T2I,
    body: dict[str, Any] | None = None,
    inputs: dict[str, list[File]] | None = None,
    memo: Memo | None = None,
    **parameters: Any,
) -> Job:
    """Return a job as a worker makes it of a posted body."""
    body = body or {
        "model": model,
        "input": {"prompt": prompt},
        "parameters": {"n": 1, **parameters},
    }
    found = CATALOGUE.models[model]
    urls = {role: [file.path for file in files] for role, files in (inputs or {}).items()}
    return Job(
        task="t",
        attempt=1,
        model=model,
        kind=found.kind,
        prompt=prompt,
        negative="",
        size=(1, 1),
        n=1,
        seed=1,
        fields={},
        inputs=inputs or {},
        duration=None,
        fps=None,
        workdir=str(folder),
        memo=memo.pack() if memo else None,
        posted=Posted(route=route, modes=found.routes[route], body=marked(body, urls)),
    )


async def total(server: Server) -> int:
    """Count the tasks that an upstream was ever asked for."""
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.get(
            f"{server.url}/tasks", headers={"Authorization": f"Bearer {server.key}"}
        )
    return int(answer.json()["total"])


async def status(server: Server, task: str) -> str:
    """Ask an upstream how a task is."""
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.get(
            f"{server.url}/tasks/{task}", headers={"Authorization": f"Bearer {server.key}"}
        )
    return str(json.loads(answer.content)["output"]["task_status"])
