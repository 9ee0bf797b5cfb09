import asyncio
import gzip
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from house import ASYNC, MODEL, ORDER, T2I, House, house

from ferrotype.http.app import Options
from ferrotype.ports.engine_room import Recipe
from ferrotype.service import Options as ServiceOptions

NO_ID = "01900000-0000-7000-8000-000000000000"
CANNOT_CANCEL = "Failed to cancel the task, please confirm if the task is in PENDING status."


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path) as found:
        yield found


async def create(home: House, **more: Any) -> str:
    async with home.client() as client:
        answer = await client.post(T2I, json={**ORDER, **more}, headers=ASYNC)
    assert answer.status_code == 200, answer.text
    task_id: str = answer.json()["output"]["task_id"]
    return task_id


async def query(home: House, task_id: str, path: str = "") -> Any:
    async with home.client() as client:
        answer = await client.get(f"/api/v1/tasks/{task_id}{path}")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json;charset=UTF-8"
    return answer.json()


async def test_a_task_from_create_to_picture(home: House) -> None:
    async with home.client() as client:
        answer = await client.post(T2I, json=ORDER, headers=ASYNC)
    body = answer.json()
    assert set(body) == {"output", "request_id"}
    task_id = body["output"]["task_id"]
    assert body["output"] == {"task_id": task_id, "task_status": "PENDING"}
    UUID(task_id)
    assert answer.headers["content-type"] == "application/json"
    assert (await query(home, task_id))["output"]["task_status"] == "PENDING"
    claim = await home.claim()
    assert (await query(home, task_id))["output"]["task_status"] == "RUNNING"
    await home.succeed(claim)
    ended = await query(home, task_id)
    assert ended["usage"] == {"image_count": 2}
    assert [set(one) for one in ended["output"]["results"]] == [
        {"orig_prompt", "actual_prompt", "url"}
    ] * 2
    assert (await query(home, task_id))["output"] == ended["output"]


async def test_headers_carry_what_bodies_may_not(home: House) -> None:
    async with home.client() as client:
        made = await client.post(T2I, json=ORDER, headers={**ASYNC, "X-Request-Id": "mine"})
        asked = await client.get(f"/api/v1/tasks/{made.json()['output']['task_id']}")
    for answer in (made, asked):
        assert answer.headers["x-request-id"] == answer.json()["request_id"] != "mine"
        UUID(answer.json()["request_id"])
        assert answer.headers["x-ferrotype-engine"] == "illustrator"
        assert answer.headers["x-ferrotype-served-by"] == "illustration"
        assert answer.headers["x-dashscope-call-gateway"] == "true"
        arrived = int(answer.headers["req-arrive-time"])
        assert arrived + int(answer.headers["req-cost-time"]) == int(
            answer.headers["resp-start-time"]
        )
    assert made.headers["x-request-id"] != asked.headers["x-request-id"]


@pytest.mark.parametrize("task_id", [NO_ID, "x", "x" * 36, "你好", "%00", "a%2fb"[:1], "-1", "'--"])
async def test_what_is_no_task_of_ours_is_unknown(home: House, task_id: str) -> None:
    answer = await query(home, task_id)
    assert set(answer) == {"request_id", "output"}
    assert set(answer["output"]) == {"task_id", "task_status"}
    assert answer["output"]["task_status"] == "UNKNOWN"


async def test_another_accounts_task_is_unknown_and_cannot_be_cancelled(home: House) -> None:
    task_id = await create(home)
    await home.ledger.add_key(await home.ledger.make_account("other"), "k", "sk-other")
    async with home.client("sk-other") as client:
        answer = await client.get(f"/api/v1/tasks/{task_id}")
        assert answer.json()["output"] == {"task_id": task_id, "task_status": "UNKNOWN"}
        assert (await client.post(f"/api/v1/tasks/{task_id}/cancel")).status_code == 400
        assert (await client.get("/api/v1/tasks")).json()["total"] == 0
    assert (await query(home, task_id))["output"]["task_status"] == "PENDING"


async def test_an_expired_task_is_unknown(home: House) -> None:
    task_id = await create(home)
    await home.succeed(await home.claim())
    await home.ledger.set_clock_offset(24 * 3600 + 1)
    answer = await query(home, task_id)
    assert answer["output"] == {"task_id": task_id, "task_status": "UNKNOWN"}


async def test_a_failed_task_tells_its_reason_inside_the_output(home: House) -> None:
    task_id = await create(home)
    await home.fail(await home.claim(), "DataInspectionFailed", "No.")
    answer = await query(home, task_id)
    assert set(answer) == {"request_id", "output"}
    assert (answer["output"]["code"], answer["output"]["message"]) == (
        "DataInspectionFailed",
        "No.",
    )
    assert answer["output"]["task_metrics"] == {"TOTAL": 2, "SUCCEEDED": 0, "FAILED": 2}


async def test_a_partial_failure_keeps_its_place(home: House) -> None:
    task_id = await create(home)
    await home.succeed(await home.claim(), broken=1)
    answer = await query(home, task_id)
    assert answer["output"]["results"][1] == {
        "code": "InternalError.Timeout",
        "message": "too slow",
    }
    assert answer["usage"] == {"image_count": 1}
    assert answer["output"]["task_metrics"] == {"TOTAL": 2, "SUCCEEDED": 1, "FAILED": 1}


@pytest.mark.parametrize("slash", ["", "/"])
async def test_cancel_is_for_waiting_tasks_alone(home: House, slash: str) -> None:
    task_id = await create(home)
    async with home.client() as client:
        path = f"/api/v1/tasks/{task_id}/cancel{slash}"
        done = await client.post(path, json={"model": "", "parameters": {}, "input": ""})
        assert (done.status_code, set(done.json())) == (200, {"request_id"})
        for again in (path, f"/api/v1/tasks/{NO_ID}/cancel", "/api/v1/tasks/x/cancel"):
            refused = await client.post(again)
            assert refused.status_code == 400
            assert refused.json() == {
                "code": "UnsupportedOperation",
                "message": CANNOT_CANCEL,
                "request_id": refused.headers["x-request-id"],
            }
    output = (await query(home, task_id))["output"]
    assert set(output) == {"task_id", "task_status", "submit_time", "end_time"}
    assert output["task_status"] == "CANCELED"


async def test_clients_slashes_and_stray_parameters_are_taken(home: House) -> None:
    async with home.client() as client:
        made = await client.post(T2I + "/", json=ORDER, headers=ASYNC)
        assert made.status_code == 200
        listed = await client.get("/api/v1/tasks/?page_no=1&api_key_id=1&region=cn-beijing&x=y")
        assert listed.json()["total"] == 1
        assert (await client.get("/api/v1/models/")).status_code == 200
    answer = await query(home, made.json()["output"]["task_id"], "/?n=1&duration=5")
    assert answer["output"]["task_status"] == "PENDING"


async def test_a_list_filters_and_pages(home: House) -> None:
    made = [await create(home) for _ in range(3)]
    await home.succeed(await home.claim())
    async with home.client() as client:

        async def ids(**asked: Any) -> list[str]:
            answer = await client.get("/api/v1/tasks", params=asked)
            assert answer.status_code == 200
            return [row["task_id"] for row in answer.json()["data"]]

        assert await ids() == made[::-1]
        assert await ids(status="SUCCEEDED") == made[:1]
        assert await ids(status="SUSPENDED") == []
        assert await ids(page_size=2, page_no=2) == made[:1]
        assert await ids(model_name=MODEL) == made[::-1]
        assert await ids(model_name="wanx-v1") == []
        assert await ids(task_id=made[1]) == [made[1]]
        assert await ids(end_time="20200101000000") == []
        answer = (await client.get("/api/v1/tasks?page_size=2")).json()
    assert {key: answer[key] for key in ("total", "total_page", "page_no", "page_size")} == {
        "total": 3,
        "total_page": 2,
        "page_no": 1,
        "page_size": 2,
    }
    row = answer["data"][0]
    assert row["user_api_unique_key"] == f"apikey:v1:aigc:text2image:image-synthesis:{MODEL}"
    assert isinstance(row["api_key_id"], str)
    assert abs(row["gmt_create"] / 1000 - datetime.now(UTC).timestamp()) < 60


async def test_a_list_filters_by_the_status_that_it_shows(home: House) -> None:
    task_id = await create(home)
    claim = await home.claim()
    await home.ledger.fault(claim.lease, "the engine died")
    async with home.client() as client:
        running = (await client.get("/api/v1/tasks?status=RUNNING")).json()
        pending = (await client.get("/api/v1/tasks?status=PENDING")).json()
    assert [(row["task_id"], row["status"]) for row in running["data"]] == [(task_id, "RUNNING")]
    assert (running["total"], pending["total"]) == (1, 0)


async def test_a_list_goes_by_the_clock_of_the_ledger(home: House) -> None:
    await home.ledger.set_clock_offset(50 * 3600)
    task_id = await create(home)
    async with home.client() as client:
        listed = (await client.get("/api/v1/tasks")).json()
    assert [row["task_id"] for row in listed["data"]] == [task_id]


async def test_models_are_listed_as_the_clients_read_them(home: House) -> None:
    async with home.client() as client:
        output = (await client.get("/api/v1/models?page_no=1&page_size=10")).json()["output"]
        assert (output["total"], output["page_no"], output["page_size"]) == (85, 1, 10)
        assert len(output["models"]) == 10
        one = (await client.get(f"/api/v1/models?model={MODEL}&page_size=1")).json()["output"]
        assert one["models"] == [
            {
                "model": MODEL,
                "source": "ferrotype",
                "provider": "illustrator; illustration",
                "opensource": False,
            }
        ]
        none = (await client.get("/api/v1/models?model=no-such")).json()["output"]
        assert (none["total"], none["models"]) == (0, [])


async def test_a_model_without_a_recipe_is_unavailable(tmp_path: Path) -> None:
    recipes = (Recipe(model="wanx-v1", engine="echo", label="test pattern"),)
    async with house(tmp_path, recipes=recipes) as home, home.client() as client:
        answer = await client.post(T2I, json=ORDER, headers=ASYNC)
        assert (answer.status_code, answer.json()["code"]) == (503, "ModelUnavailable")
        assert answer.json()["message"] == "Model is unavailable, please try again later."
        models = (await client.get("/api/v1/models")).json()["output"]["models"]
        assert [one["model"] for one in models] == ["wanx-v1"]


async def test_a_full_disk_refuses_creates_but_answers_polls(tmp_path: Path) -> None:
    async with house(tmp_path, service_options=ServiceOptions(space_every=0)) as home:
        task_id = await create(home)
        home.service._options = ServiceOptions(free_space=1.1, space_every=0)
        async with home.client() as client:
            assert (await client.post(T2I, json=ORDER, headers=ASYNC)).status_code == 503
        assert (await query(home, task_id))["output"]["task_status"] == "PENDING"


async def test_an_idempotency_key_makes_one_task(home: House) -> None:
    headers = {**ASYNC, "Idempotency-Key": "once"}
    async with home.client() as client:
        first = await client.post(T2I, json=ORDER, headers=headers)
        again = await client.post(T2I, json=ORDER, headers=headers)
        assert first.json()["output"] == again.json()["output"]
        other = await client.post(T2I, json={**ORDER, "x": 1}, headers=headers)
        assert (other.status_code, other.json()["code"]) == (400, "InvalidParameter")
        for bad in ("", "x" * 256):
            refused = await client.post(T2I, json=ORDER, headers={**ASYNC, "Idempotency-Key": bad})
            assert refused.status_code == 400
        assert (await client.get("/api/v1/tasks")).json()["total"] == 1


async def test_a_held_query_returns_at_the_end_and_not_before(tmp_path: Path) -> None:
    async with house(tmp_path, Options(hold=30)) as home:
        task_id = await create(home)
        asking = asyncio.create_task(query(home, task_id))
        await asyncio.sleep(0.1)
        claim = await home.claim()
        home.bell.ring({f"task:{task_id}"})
        done, _ = await asyncio.wait({asking}, timeout=0.3)
        assert not done, "a claim is no end"
        await home.succeed(claim)
        answer = await asyncio.wait_for(asking, 10)
        assert answer["output"]["task_status"] == "SUCCEEDED"


async def test_a_held_query_gives_up_after_its_time(tmp_path: Path) -> None:
    async with house(tmp_path, Options(hold=0.05)) as home:
        task_id = await create(home)
        answer = await asyncio.wait_for(query(home, task_id), 10)
        assert answer["output"]["task_status"] == "PENDING"


async def test_latency_delays_the_first_claim(tmp_path: Path) -> None:
    async with house(tmp_path, service_options=ServiceOptions(latency=100)) as home:
        await create(home)
        assert await home.ledger.claim(home.worker, [MODEL]) is None
        due = await home.ledger.next_due([MODEL])
        assert due
        assert 30 < due <= 40


async def test_long_answers_are_zipped_for_those_who_take_it(home: House) -> None:
    for _ in range(5):
        await create(home)
    async with home.client() as client:
        plain = await client.get("/api/v1/tasks", headers={"accept-encoding": "gzip;q=0, br"})
        assert "content-encoding" not in plain.headers
        request = client.build_request(
            "GET", "/api/v1/tasks", headers={"accept-encoding": "deflate, gzip;q=0.5"}
        )
        packed = await client.send(request, stream=True)
        raw = b"".join([piece async for piece in packed.aiter_raw()])
        assert packed.headers["content-encoding"] == "gzip"
        assert packed.headers["vary"] == "Accept-Encoding"
        assert int(packed.headers["content-length"]) == len(raw) < len(plain.content)
        assert b'"total":5' in gzip.decompress(raw)


async def test_links_begin_with_the_name_the_caller_used(tmp_path: Path) -> None:
    options = Options(allowed_hosts=["box.lan"])
    async with house(tmp_path, options) as home:
        task_id = await create(home)
        await home.succeed(await home.claim())
        async with home.client() as client:
            answer = await client.get(f"/api/v1/tasks/{task_id}", headers={"Host": "box.lan:8765"})
    for result in answer.json()["output"]["results"]:
        assert result["url"].startswith("http://box.lan:8765/files/")


async def test_health_needs_no_key_and_no_name(home: House) -> None:
    async with home.client(None) as client:
        for path in ("/healthz", "/readyz"):
            assert (await client.get(path, headers={"Host": "10.0.0.7"})).status_code == 200


async def test_any_key_keeps_known_accounts_apart(tmp_path: Path) -> None:
    async with house(tmp_path, any_key=True) as home:
        await home.ledger.add_key(await home.ledger.make_account("other"), "k", "sk-other")
        async with home.client("whatever") as client:
            made = await client.post(T2I, json=ORDER, headers=ASYNC)
            assert made.status_code == 200
        assert (await query(home, made.json()["output"]["task_id"]))["output"][
            "task_status"
        ] == "PENDING"
        async with home.client("sk-other") as client:
            assert (await client.get("/api/v1/tasks")).json()["total"] == 0
        for none in (None, " "):
            async with home.client(none) as client:
                assert (await client.get("/api/v1/tasks")).status_code == 401
