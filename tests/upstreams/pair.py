"""Two deployments in processes of their own: one that forwards, and the one that it forwards to."""

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil

from ferrotype.cli.local import LocalServer

T2I = "/services/aigc/text2image/image-synthesis"
MODEL = "wan2.2-t2i-flash"
PATIENCE = 90.0
KEY = {"Authorization": "Bearer sk-anyone"}
ASYNC = {**KEY, "X-DashScope-Async": "enable"}
VICTIMS = {"worker": "ferrotype.cli.process worker", "engine": "ferrotype.engine_host"}
HASTY = """
poll = { first = 0.2, longest = 1.0, per_second = 200 }
timeouts = { answer = 20, copy = 60, probe = 0.3, rest = 0.3 }
"""


def recipe(*regions: str, more: str = HASTY, deadline: str = "3h") -> str:
    """Write a settings file that forwards every model."""
    named = ", ".join(f'"{region}"' for region in regions)
    return (
        f'[recipes."*"]\nengine = "dashscope"\nlabel = "upstream"\ndeadline = "{deadline}"\n'
        f'[recipes."*".options]\nkey = "sk-theirs"\nregions = [{named}]\n{more}'
    )


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


@dataclass
class Deployment:
    """A service in processes of its own, and a client of it."""

    local: LocalServer
    http: httpx.AsyncClient = field(
        default_factory=lambda: httpx.AsyncClient(timeout=PATIENCE, trust_env=False, headers=KEY)
    )

    async def create(self, prompt: str = "a red kite", **parameters: Any) -> str:
        body = {"model": MODEL, "input": {"prompt": prompt}, "parameters": {"n": 1, **parameters}}
        answer = await self.http.post(self.local.url + T2I, json=body, headers=ASYNC)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["output"]["task_id"])

    async def query(self, task: str) -> dict[str, Any]:
        while True:
            with suppress(httpx.TransportError):  # it, or its API, was just killed
                answer = await self.http.get(f"{self.local.url}/tasks/{task}")
                if answer.status_code == 200:
                    said: dict[str, Any] = answer.json()
                    return said
            await asyncio.sleep(0.1)

    async def end(self, task: str) -> dict[str, Any]:
        """Poll a task to its end."""
        async with asyncio.timeout(PATIENCE):
            while True:
                said = await self.query(task)
                if said["output"]["task_status"] not in ("PENDING", "RUNNING"):
                    return said
                await asyncio.sleep(0.2)

    async def total(self) -> int:
        """Count the tasks that it was ever asked for."""
        answer = await self.http.get(f"{self.local.url}/tasks")
        return int(answer.json()["total"])

    def family(self) -> list[psutil.Process]:
        assert self.local.pid is not None
        root = psutil.Process(self.local.pid)
        return [root, *root.children(recursive=True)]

    def kill(self, what: str) -> None:
        """Kill the worker, the engine's process, or all there is."""
        for one in self.family():
            with suppress(psutil.NoSuchProcess):
                if what == "all" or VICTIMS[what] in " ".join(one.cmdline()):
                    os.kill(one.pid, signal.SIGKILL)

    async def restart(self) -> None:
        await asyncio.to_thread(self.local.stop)
        await asyncio.to_thread(self.local.start)


@asynccontextmanager
async def deployment(
    folder: Path, config: str = "", **settings: object
) -> AsyncIterator[Deployment]:
    """Run one; with a settings file if there is something to write into it."""
    folder.mkdir()
    variables: dict[str, str] = {
        "FERROTYPE_ANY_KEY": "1",
        "FERROTYPE_TEST": "1",
        "FERROTYPE_PORT": str(free_port()),
    }
    variables |= _named(settings)
    if config:
        (folder / "ferrotype.toml").write_text(config)
        variables["FERROTYPE_CONFIG"] = str(folder / "ferrotype.toml")
    local = LocalServer(folder / "data", variables)
    await asyncio.to_thread(local.start)
    running = Deployment(local)
    try:
        yield running
    finally:
        await running.http.aclose()
        await asyncio.to_thread(local.stop)


def _named(settings: Mapping[str, object]) -> dict[str, str]:
    return {f"FERROTYPE_{name.upper()}": str(value) for name, value in settings.items()}
