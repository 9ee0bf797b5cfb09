"""What is kept of a body that is passed on to an upstream."""

import base64
from pathlib import Path
from typing import Any

import msgspec
import pytest
from house import ASYNC, MODEL, PNG, T2I, House, house

from ferrotype.ports.engine import mark
from ferrotype.ports.engine_room import Recipe
from ferrotype.service import MAX_POSTED

UPSTREAM = Recipe(model="*", engine="dashscope", label="upstream")
VIDEO = "/api/v1/services/aigc/video-generation/video-synthesis"
MESSAGES = "/api/v1/services/aigc/image-generation/generation"
DATA = "data:image/png;base64," + base64.b64encode(PNG).decode()
ELSEWHERE = "https://pictures.example/kite.png?Signature=secret"


async def kept(place: House, path: str, body: dict[str, Any]) -> dict[str, Any] | None:
    """Create a task, claim it as a worker would, and return its posted body."""
    async with place.client() as client:
        answer = await client.post(path, json=body, headers=ASYNC)
    assert answer.status_code == 200, answer.text
    claim = await place.ledger.claim(place.worker, [body["model"]])
    assert claim
    return claim.order.posted


async def test_a_body_is_kept_as_it_came_but_for_files(tmp_path: Path) -> None:
    body = {
        "model": "wan2.6-i2v",
        "input": {"prompt": f"like {ELSEWHERE}", "img_url": ELSEWHERE, "extend_prompt": True},
        "parameters": {"resolution": "720P", "of_next_year": [{"x": None}]},
        "resources": [],
    }
    async with house(tmp_path, recipes=(UPSTREAM,)) as place:
        posted = await kept(place, VIDEO, body)
    assert posted == {**body, "input": {**body["input"], "img_url": mark("img_url", 0)}}  # type: ignore[dict-item]


async def test_a_file_within_the_request_is_not_kept_twice(tmp_path: Path) -> None:
    content = [{"text": "a kite"}, {"image": DATA}, {"image": ELSEWHERE}, {"image": DATA}]
    body = {"model": "wan2.6-image", "input": {"messages": [{"role": "user", "content": content}]}}
    async with house(tmp_path, recipes=(UPSTREAM,)) as place:
        posted = await kept(place, MESSAGES, body)
        rows = b"".join(file.read_bytes() for file in place.folder.glob("ledger.db*"))
    assert posted is not None
    text = msgspec.json.encode(posted).decode()
    assert "data:" not in text
    assert ELSEWHERE not in text
    assert posted["input"]["messages"][0]["content"][2] == {"image": mark("images", 1)}
    assert DATA.encode() not in rows


async def test_no_body_is_kept_for_an_engine_of_ours(tmp_path: Path) -> None:
    async with house(tmp_path) as place:
        assert await kept(place, T2I, {"model": MODEL, "input": {"prompt": "a kite"}}) is None


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"picture_of_next_year": DATA}, "in a field that takes none"),
        ({"negative_prompt": mark("mask", 3)}, "no text that can be passed on"),
        ({"note": "x" * MAX_POSTED}, f"longer than {MAX_POSTED} bytes"),
    ],
)
async def test_what_the_ledger_must_not_hold_is_refused(
    more: dict[str, str], why: str, tmp_path: Path
) -> None:
    body = {"model": MODEL, "input": {"prompt": "a kite", **more}}
    async with house(tmp_path, recipes=(UPSTREAM,)) as place, place.client() as client:
        answer = await client.post(T2I, json=body, headers=ASYNC)
    assert (answer.status_code, answer.json()["code"]) == (400, "InvalidParameter")
    assert why in answer.json()["message"]


@pytest.mark.parametrize(
    ("rule", "shaped"),
    [(b"", True), (b'{"running": 1}', False), (b'{"fail": {"code": "No"}}', False)],
)
async def test_what_is_rehearsed_is_no_mate(rule: bytes, shaped: bool, tmp_path: Path) -> None:
    batching = Recipe(model="*", engine="echo", label="test pattern", batch=4)
    body = {"model": MODEL, "input": {"prompt": "a kite"}}
    async with house(tmp_path, recipes=(batching,)) as place:
        if rule:
            await place.rehearsal.add(rule)
        async with place.client() as client:
            assert (await client.post(T2I, json=body, headers=ASYNC)).status_code == 200
        claim = await place.ledger.claim(place.worker, [MODEL])
    assert claim
    assert bool(claim.shape) is shaped
