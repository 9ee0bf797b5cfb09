"""Models of somebody's vLLM-Omni server, served by `ferrotype serve` with a ferrotype.toml."""

import asyncio
import io
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import av
import httpx
import psutil
from PIL import Image

from ferrotype.testing import Server, server
from omni import MODEL, Omni, omni

SETTINGS = """
[recipes.qwen-image]
engine = "openai"
label = "same weights"
options = {{ url = "{url}", model = "{model}", key = {{ env = "OMNI_KEY" }}, poll = 0.2 }}

[recipes."wan2.2-t2v-plus"]
engine = "openai"
label = "substitute"
allow_substitutes = true
options = {{ url = "{url}", key = {{ env = "OMNI_KEY" }}, fps = 8, poll = 0.2 }}
"""
PICTURE: dict[str, Any] = {
    "model": "qwen-image",
    "input": {"prompt": "a red door"},
    "parameters": {"size": "1328*1328", "n": 1, "seed": 5},
}
FILM: dict[str, Any] = {
    "model": "wan2.2-t2v-plus",
    "input": {"prompt": "a red door"},
    "parameters": {"size": "832*480", "seed": 5},
}


@asynccontextmanager
async def served(upstream: Omni, folder: Path) -> AsyncIterator[tuple[Server, httpx.AsyncClient]]:
    """Run Ferrotype before a server of models."""
    upstream.key = "sk-theirs"
    config = folder / "ferrotype.toml"
    config.write_text(SETTINGS.format(url=upstream.url, model=MODEL))
    place = server(folder / "data", engine="echo", config=config, drain="0s")
    ours = await asyncio.to_thread(place.__enter__)
    headers = {"Authorization": f"Bearer {ours.key}", "X-DashScope-Async": "enable"}
    try:
        async with httpx.AsyncClient(headers=headers, trust_env=False, timeout=30) as client:
            yield ours, client
    finally:
        await asyncio.to_thread(place.__exit__, None, None, None)


async def create(ours: Server, client: httpx.AsyncClient, body: dict[str, Any]) -> str:
    path = "video-generation/video-synthesis" if body is FILM else "text2image/image-synthesis"
    created = await client.post(f"{ours.url}/services/aigc/{path}", json=body)
    assert created.status_code == 200, created.text
    assert created.headers["X-Ferrotype-Engine"] == "openai"
    return str(created.json()["output"]["task_id"])


async def ended(ours: Server, client: httpx.AsyncClient, task: str) -> dict[str, Any]:
    async with asyncio.timeout(60):
        while True:
            answer = (await client.get(f"{ours.url}/tasks/{task}")).json()
            if answer["output"]["task_status"] not in ("PENDING", "RUNNING"):
                return dict(answer["output"])


async def test_a_picture_and_a_film_from_post_to_file(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("OMNI_KEY", "sk-theirs")
    async with omni() as upstream, served(upstream, tmp_path) as (ours, client):
        drawn = await ended(ours, client, await create(ours, client, PICTURE))
        assert drawn["task_status"] == "SUCCEEDED", drawn
        file = (await client.get(drawn["results"][0]["url"])).content
        with Image.open(io.BytesIO(file)) as shown:
            shown.load()
            assert shown.size == (1328, 1328)
            assert shown.info["Engine"] == "openai; same weights"
        filmed = await ended(ours, client, await create(ours, client, FILM))
        assert filmed["task_status"] == "SUCCEEDED", filmed
        file = (await client.get(filmed["video_url"])).content
        with av.open(io.BytesIO(file), "r") as film:
            assert film.duration == 5 * av.time_base
            assert "openai; substitute" in film.metadata["comment"]


async def test_kill_9_of_the_worker_right_after_a_create_makes_no_second_film(
    tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setenv("OMNI_KEY", "sk-theirs")
    async with omni() as upstream, served(upstream, tmp_path) as (ours, client):
        upstream.looks_needed = 1 << 30
        task = await create(ours, client, FILM)
        async with asyncio.timeout(60):
            while not any(film["looks"] for film in upstream.films.values()):
                await asyncio.sleep(0.02)
        (worker,) = workers(ours)
        worker.send_signal(signal.SIGKILL)
        upstream.looks_needed = 1
        assert (await ended(ours, client, task))["task_status"] == "SUCCEEDED"
        assert len(upstream.asked) == 1


async def test_a_server_that_still_loads_loses_no_task(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("OMNI_KEY", "sk-theirs")
    async with omni() as upstream:
        upstream.healthy = False
        async with served(upstream, tmp_path) as (ours, client):
            task = await create(ours, client, PICTURE)
            async with asyncio.timeout(60):
                while "is not ready: /health answers 503" not in ours.log:
                    await asyncio.sleep(0.02)
            assert upstream.asked == []
            upstream.healthy = True
            assert (await ended(ours, client, task))["task_status"] == "SUCCEEDED"


def workers(ours: Server) -> list[psutil.Process]:
    """Return the worker processes of a server."""
    pid = ours._local.pid
    assert pid is not None
    return [
        child
        for child in psutil.Process(pid).children(recursive=True)
        if child.cmdline()[-1:] == ["worker"] or "worker" in child.cmdline()
    ]
