"""What a caller is told through an upstream is what the upstream tells its own callers."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from pair import MODEL, T2I, Deployment, deployment, recipe
from PIL import Image

from ferrotype.testing import Server
from tamper import Forward, Request, http, tampered

sys.path.insert(0, str(Path(__file__).parents[1] / "acceptance"))

from test_families import ENDS, SYNC, files, made, requests, urls

__all__ = ["files"]
OWN = ("task_id", "submit_time", "scheduled_time", "start_time", "end_time", "request_id")
EVENTS = {"X-DashScope-SSE": "enable"}


@pytest.fixture
async def both(tmp_path: Path) -> AsyncIterator[tuple[Deployment, Deployment]]:
    async with (
        deployment(tmp_path / "theirs", engine="illustrator", quick_films=1) as theirs,
        deployment(tmp_path / "ours", recipe(theirs.local.root)) as ours,
    ):
        yield theirs, ours


async def ask(there: Deployment, route: str, body: dict[str, Any]) -> dict[str, Any]:
    """Create and poll, or wait at the line."""
    waits = {} if route == SYNC else {"X-DashScope-Async": "enable"}
    url = f"{there.local.url}/services/aigc/{route}"
    answer: dict[str, Any] = (await there.http.post(url, json=body, headers=waits)).json()
    while waits and "output" in answer and answer["output"].get("task_status") not in ENDS:
        answer = await there.query(answer["output"]["task_id"])
    return answer


def same(value: Any) -> Any:
    """Leave out what must differ: ids, times, addresses."""
    if isinstance(value, dict):
        return {name: same(item) for name, item in value.items() if name not in OWN}
    if isinstance(value, list):
        return [same(item) for item in value]
    return "URL" if isinstance(value, str) and value.startswith("http") else value


async def test_every_family_is_answered_alike(
    both: tuple[Deployment, Deployment], files: dict[str, str], tmp_path: Path
) -> None:
    theirs, ours = both
    bodies = [
        (route, {"model": model, "input": given, "parameters": {**parameters, "seed": 5}})
        for route, model, given, parameters, _, _ in requests(files)
    ]
    direct = await asyncio.gather(*(ask(theirs, *one) for one in bodies))
    before = await theirs.total()
    through = await asyncio.gather(*(ask(ours, *one) for one in bodies))
    for (route, body), one, other in zip(bodies, direct, through, strict=True):
        assert same(one) == same(other), f"{body['model']} on {route}"
        for first, second in zip(urls(one["output"]), urls(other["output"]), strict=True):
            assert made(first, tmp_path) == made(second, tmp_path)
    assert await theirs.total() - before == len(bodies)


async def test_words_between_pictures_are_streamed_alike(
    both: tuple[Deployment, Deployment],
) -> None:
    content = [{"text": "how to fold a kite"}]
    body = {
        "model": "wan2.6-image",
        "input": {"messages": [{"role": "user", "content": content}]},
        "parameters": {"enable_interleave": True, "max_images": 2, "seed": 5},
    }
    told = []
    for there in both:
        url = f"{there.local.url}/services/aigc/{SYNC}"
        answer = await there.http.post(url, json=body, headers=EVENTS)
        assert answer.status_code == 200
        lines = [line for line in answer.text.splitlines() if line.startswith("data:")]
        told.append([same(json.loads(line[5:])) for line in lines])
    assert told[0] == told[1]
    assert len(told[0]) >= 2


@pytest.mark.parametrize(
    "rule",
    [
        {"fail": {"code": "DataInspectionFailed", "message": "Not this.", "at": "task"}},
        {"partial": {"indexes": [1], "code": "InternalError.Timeout", "message": "Too slow."}},
        {"partial": {"indexes": [0, 1], "code": "InternalError.Timeout"}},
    ],
)
async def test_failures_are_told_alike(
    rule: dict[str, Any], both: tuple[Deployment, Deployment]
) -> None:
    theirs, ours = both
    body = {"model": MODEL, "input": {"prompt": "a kite"}, "parameters": {"n": 2, "seed": 1}}
    rehearsing = Server(theirs.local)
    await asyncio.to_thread(lambda: rehearsing.rehearse(**rule))
    route = T2I.removeprefix("/services/aigc/")
    one, other = await ask(theirs, route, body), await ask(ours, route, body)
    assert same(one) == same(other)


async def test_a_refused_create_is_a_task_that_failed_alike(
    both: tuple[Deployment, Deployment],
) -> None:
    theirs, ours = both
    told = {"code": "IPInfringementSuspect", "message": "Somebody else's kite."}
    rehearsing = Server(theirs.local)
    await asyncio.to_thread(lambda: rehearsing.rehearse(fail={**told, "at": "create"}))
    said = (await ours.end(await ours.create()))["output"]
    assert said["task_status"] == "FAILED"
    assert {name: said[name] for name in told} == told


async def test_fewer_pictures_than_asked_for_are_a_result(tmp_path: Path) -> None:
    async def fewer(_: Request, forward: Forward) -> bytes:
        said = json.loads((await forward()).partition(b"\r\n\r\n")[2])
        if "results" in said["output"]:
            del said["output"]["results"][1:]
        return http(200, said)

    async with (
        deployment(tmp_path / "theirs", engine="echo") as theirs,
        tampered(theirs.local.root) as line,
        deployment(tmp_path / "ours", recipe(line.url)) as ours,
    ):
        line.always["query"] = fewer
        output = (await ours.end(await ours.create(n=3)))["output"]
        assert output["task_status"] == "SUCCEEDED"
        assert len(output["results"]) == 1


async def test_bytes_come_as_they_were(both: tuple[Deployment, Deployment], tmp_path: Path) -> None:
    """Nothing is written into another's picture, which may be signed."""
    theirs, ours = both
    task = await ours.create(seed=3)
    [url] = urls((await ours.end(task))["output"])
    answer = await ours.http.get(url)
    [row] = (await theirs.http.get(f"{theirs.local.url}/tasks")).json()["data"]
    [origin] = urls((await theirs.query(row["task_id"]))["output"])
    assert answer.content == (await theirs.http.get(origin)).content
    assert answer.headers["x-ferrotype-served-by"] == "upstream"
    (tmp_path / "made.png").write_bytes(answer.content)
    with Image.open(tmp_path / "made.png") as picture:
        assert picture.size == (1024, 1024)
