"""What callers are told when they are wrong, and that nothing they send breaks us."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from house import ASYNC, MODEL, ORDER, T2I, House, house

from ferrotype.http.app import Options
from ferrotype.http.body import Limits
from ferrotype.keyring import new_key

JSON = {**ASYNC, "Content-Type": "application/json"}
I2I = "/api/v1/services/aigc/image2image/image-synthesis"
WORDS = "/api/v1/services/aigc/wordart/"


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path) as found:
        yield found


def check(answer: httpx.Response, status: int, code: str, message: str | None = None) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"].startswith("application/json")
    body = answer.json()
    assert set(body) == {"code", "message", "request_id"}
    assert body["code"] == code
    assert body["request_id"] == answer.headers["x-request-id"]
    if message is not None:
        assert body["message"] == message


def order(**changes: Any) -> dict[str, Any]:
    return {**ORDER, **changes}


ROWS: dict[str, tuple[Any, int, str, str | None]] = {
    "no json": (b"{", 400, "BadRequest.IllegalInput", "The input parameter requires json format."),
    "a list": ([], 400, "BadRequest.IllegalInput", "The input parameter requires json format."),
    "no model": (
        {"input": {"prompt": "x"}},
        400,
        "BadRequest.EmptyModel",
        'Required parameter "model" missing from request.',
    ),
    "no input": (
        {"model": MODEL},
        400,
        "BadRequest.EmptyInput",
        "Required input parameter missing from request.",
    ),
    "unknown model": (order(model="bad-model"), 400, "InvalidParameter", "Model not exist."),
    "no prompt": (order(input={}), 400, "InvalidParameter", "Field required: input.prompt"),
    "two pictures of a model that makes one": (
        {"model": "qwen-image", "input": {"prompt": "x"}, "parameters": {"n": 2}},
        400,
        "InvalidParameter",
        "num_images_per_prompt must be 1",
    ),
    "a size beyond all": (order(parameters={"size": "99999*99999"}), 400, "InvalidParameter", None),
    "an absurd n": (order(parameters={"n": 10**12}), 400, "InvalidParameter", None),
}


@pytest.mark.parametrize("name", ROWS)
async def test_a_bad_create_is_told_why(home: House, name: str) -> None:
    sent, status, code, message = ROWS[name]
    async with home.client() as client:
        if isinstance(sent, bytes):
            answer = await client.post(T2I, content=sent, headers=JSON)
        else:
            answer = await client.post(T2I, json=sent, headers=ASYNC)
        check(answer, status, code, message)
        assert (await client.get("/api/v1/tasks")).json()["total"] == 0


async def test_a_model_on_another_path_is_told_so(home: House) -> None:
    async with home.client() as client:
        answer = await client.post(I2I, json=ORDER, headers=ASYNC)
        check(answer, 400, "InvalidParameter")
        assert answer.json()["message"].startswith("url error, please check url！ For details")
        answer = await client.post(I2I, json=order(model="wanx9.9-imageedit"), headers=ASYNC)
        check(answer, 400, "InvalidParameter", "Model not exist.")
        known = order(model="wanx-poster-generation-v1")
        answer = await client.post(T2I, json=known, headers=ASYNC)
        check(answer, 400, "InvalidParameter", "The model is not served here.")
        answer = await client.post(f"{WORDS}semantic", json=ORDER, headers=ASYNC)
        check(answer, 400, "InvalidParameter")
        answer = await client.post(f"{WORDS}texture/", json=order(model="x"), headers=ASYNC)
        check(answer, 400, "InvalidParameter", "The model is not served here.")


async def test_an_asynchronous_model_must_be_asked_so(home: House) -> None:
    async with home.client() as client:
        for headers in ({}, {"X-DashScope-Async": "disable"}):
            answer = await client.post(T2I, json=order(model="wanx-v1"), headers=headers)
            check(
                answer, 403, "AccessDenied", "current user api does not support synchronous calls"
            )


@pytest.mark.parametrize(
    ("path", "headers", "message"),
    [
        ("/api/v1/tasks", {}, "No API-key provided."),
        ("/api/v1/tasks", {"Authorization": "Bearer "}, "No API-key provided."),
        ("/api/v1/tasks", {"Authorization": ""}, "No API-key provided."),
        ("/api/v1/tasks", {"Authorization": "Bearer sk-wrong"}, "Invalid API-key provided."),
        ("/api/v1/tasks", {"Authorization": "sk-wrong"}, "Invalid API-key provided."),
        ("/api/v1/tasks", {"Authorization": "Bearer " + "x" * 9000}, "Invalid API-key provided."),
        ("/api/v1/tasks", {"Authorization": b"Bearer \xff\xfe"}, "Invalid API-key provided."),
        ("/nowhere", {"Authorization": "Bearer sk-wrong"}, "Invalid API-key provided."),
        ("/", {}, "No API-key provided."),
    ],
)
async def test_the_key_is_asked_for_first(
    home: House, path: str, headers: dict[str, str], message: str
) -> None:
    async with home.client(None) as client:
        check(await client.get(path, headers=headers), 401, "InvalidApiKey", message)


async def test_a_revoked_key_is_refused_once_forgotten(home: House) -> None:
    made = await home.ledger.add_key(await home.ledger.make_account("b"), "b", "sk-b")
    async with home.client("sk-b") as client:
        assert (await client.get("/api/v1/tasks")).status_code == 200
        await home.ledger.revoke_key(made.id)
        home.keyring._known.clear()
        check(await client.get("/api/v1/tasks"), 401, "InvalidApiKey")


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/", 404, "NotFound"),
        ("GET", "/api/v1/nothing", 404, "NotFound"),
        ("GET", "/api/v1/tasks/a/b/c", 404, "NotFound"),
        ("POST", "/api/v1/services/aigc/nothing/here", 404, "NotFound"),
        ("POST", "/api/v1/services/aigc/..%2f..%2ftasks", 404, "NotFound"),
        ("GET", T2I, 405, "MethodNotAllowed"),
        ("PUT", T2I, 405, "MethodNotAllowed"),
        ("DELETE", "/api/v1/tasks/x", 405, "MethodNotAllowed"),
        ("GET", "/api/v1/tasks/x/cancel", 405, "MethodNotAllowed"),
        ("POST", "/api/v1/models", 405, "MethodNotAllowed"),
    ],
)
async def test_what_is_not_there(
    home: House, method: str, path: str, status: int, code: str
) -> None:
    async with home.client() as client:
        check(await client.request(method, path), status, code)


async def test_a_strange_workspace_is_refused(tmp_path: Path) -> None:
    async with house(tmp_path, Options(workspaces=["llm-ours"])) as home, home.client() as client:
        for mine in ({}, {"X-DashScope-WorkSpace": "llm-ours"}):
            assert (await client.get("/api/v1/tasks", headers=mine)).status_code == 200
        for foreign in ("llm-x", "LLM-OURS", "llm-ours,llm-x", "-", "llm ours", "x" * 4000):
            answer = await client.get("/api/v1/tasks", headers={"X-DashScope-WorkSpace": foreign})
            check(answer, 401, "NOT AUTHORIZED")


async def test_a_workspace_in_the_host_name_is_one_of_ours(tmp_path: Path) -> None:
    options = Options(workspaces=["llm-Ours"], region_hosts=True)
    tail = "ap-southeast-1.maas.aliyuncs.com"
    async with house(tmp_path, options) as home, home.client() as client:
        for host in (f"llm-Ours.{tail}", f"LLM-OURS.{tail}:8765", "dashscope-intl.aliyuncs.com"):
            assert (await client.get("/api/v1/tasks", headers={"Host": host})).status_code == 200
        foreign = {"Host": f"llm-x.{tail}"}
        check(await client.get("/api/v1/tasks", headers=foreign), 401, "NOT AUTHORIZED")
        named = {**foreign, "X-DashScope-WorkSpace": "llm-Ours"}
        check(await client.get("/api/v1/tasks", headers=named), 401, "NOT AUTHORIZED")
        check(
            await client.get("/api/v1/tasks", headers={**foreign, "Authorization": "Bearer no"}),
            401,
            "InvalidApiKey",
        )
        beijing = {"Host": "dashscope.aliyuncs.com"}
        check(await client.get("/api/v1/tasks", headers=beijing), 400, "InvalidParameter")


async def test_a_key_is_good_in_its_own_deployment_until_it_is_made_known(tmp_path: Path) -> None:
    for name in ("singapore", "beijing"):
        (tmp_path / name).mkdir()
    async with house(tmp_path / "singapore") as here, house(tmp_path / "beijing") as there:
        async with there.client(here.key) as client:
            check(
                await client.get("/api/v1/tasks"),
                401,
                "InvalidApiKey",
                "Invalid API-key provided.",
            )
        for home in (here, there):
            account = await home.ledger.make_account("default")
            await home.ledger.add_key(account, "shared", "sk-my-own-key")
            async with home.client("sk-my-own-key") as client:
                assert (await client.get("/api/v1/tasks")).status_code == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "localhost@evil.example", "localhost, a", "", "dashscope-intl.aliyuncs.com"],
)
async def test_a_strange_host_is_refused(home: House, host: str) -> None:
    async with home.client() as client:
        check(await client.get("/api/v1/tasks", headers={"Host": host}), 400, "InvalidParameter")


async def test_headers_that_must_be_single_are(home: House) -> None:
    async with home.client() as client:
        for twice in (
            [("Host", "localhost"), ("Host", "evil.example")],
            [("Authorization", "Bearer a"), ("Authorization", "Bearer b")],
        ):
            answer = await client.get("/api/v1/tasks", headers=twice)
            check(answer, 400, "BadRequest.IllegalInput")


@pytest.mark.parametrize("at", ["create", "task"])
async def test_a_rehearsed_failure_is_told(home: House, at: str) -> None:
    rule = {"times": 1, "fail": {"code": "Throttling.RateQuota", "at": at}}
    await home.rehearsal.add(json.dumps(rule).encode())
    async with home.client() as client:
        answer = await client.post(T2I, json=ORDER, headers=ASYNC)
        if at == "create":
            check(answer, 429, "Throttling.RateQuota")
        else:
            assert answer.status_code == 200
            assert answer.headers["x-ferrotype-rehearsal"].startswith("rule-")
        assert (await client.post(T2I, json=ORDER, headers=ASYNC)).status_code == 200
    claim = await home.claim()
    assert (claim.refusal or ("",))[0] == ("" if at == "create" else "Throttling.RateQuota")


@pytest.mark.parametrize(
    ("rule", "status", "code"),
    [
        ({"fail": {"code": "InternalError", "at": "query"}}, 500, "InternalError"),
        ({"fail": {"code": "Odd", "at": "query", "status": 503}}, 503, "Odd"),
    ],
)
async def test_a_query_may_be_rehearsed_to_fail(
    home: House, rule: dict[str, object], status: int, code: str
) -> None:
    async with home.client() as client:
        made = (await client.post(T2I, json=ORDER, headers=ASYNC)).json()
        path = f"/api/v1/tasks/{made['output']['task_id']}"
        assert (await client.get(path)).status_code == 200
        await home.rehearsal.add(json.dumps(rule).encode())
        check(await client.get(path), status, code)
        await home.rehearsal.erase()
        assert (await client.get(path)).status_code == 200


async def test_rules_are_for_admins(home: House) -> None:
    path = "/ext/v1/rehearsal"
    admin = new_key()
    account = await home.ledger.make_account("operators")
    await home.ledger.add_key(account, "op", admin, scope="admin")
    async with home.client() as client:
        for method in ("GET", "POST", "DELETE"):
            check(await client.request(method, path, content=b"{}"), 403, "AccessDenied")
        check(await client.request("DELETE", f"{path}/rule-1"), 403, "AccessDenied")
    async with home.client(admin) as client:
        added = (await client.post(path, json={"pending": 2, "times": 3})).json()["rule"]
        assert added == {"id": added["id"], "times": 3, "pending": 2.0, "left": 3}
        assert (await client.get(path)).json()["rules"] == [added]
        check(await client.post(path, json={"pending": -2}), 400, "InvalidParameter")
        check(await client.put(path, json={}), 405, "MethodNotAllowed")
        gone = await client.delete(f"{path}/{added['id']}")
        assert gone.json()["removed"] == 1
        check(await client.delete(f"{path}/{added['id']}"), 404, "NotFound")
        await client.post(path, json={"pending": 1})
        assert (await client.delete(path)).json()["removed"] == 1
        assert (await client.get(path)).json()["rules"] == []


async def test_too_many_open_tasks_are_over_the_quota(home: House) -> None:
    home.ledger._store.limits = type(home.ledger._store.limits)(max_pending=1)
    async with home.client() as client:
        assert (await client.post(T2I, json=ORDER, headers=ASYNC)).status_code == 200
        check(
            await client.post(T2I, json=ORDER, headers=ASYNC),
            429,
            "Throttling.AllocationQuota",
            "Allocated quota exceeded, please increase your quota limit.",
        )


async def test_a_bug_of_ours_is_an_internal_error_in_json(home: House) -> None:
    home.service.list = None  # type: ignore[assignment,method-assign]
    async with home.client() as client:
        check(
            await client.get("/api/v1/tasks"),
            500,
            "InternalError",
            "An internal error has occured, please try again later or contact service support.",
        )


JUNK: list[Any] = [
    None,
    True,
    -1,
    0,
    1.5,
    1e308,
    10**30,
    "",
    "x",
    "\x00",
    "x" * 100_000,
    [],
    [[]],
    {},
    {"a": {"b": []}},
    "𝕏\u202e\ufeff",
]
PLACES = [
    ("model",),
    ("input",),
    ("parameters",),
    ("resources",),
    ("input", "prompt"),
    ("input", "negative_prompt"),
    ("input", "ref_img"),
    ("parameters", "size"),
    ("parameters", "n"),
    ("parameters", "seed"),
    ("parameters", "style"),
    ("parameters", "prompt_extend"),
    ("parameters", "watermark"),
    ("parameters", "ref_strength"),
    ("parameters", "ref_mode"),
    ("parameters", "nobody knows this"),
]


@pytest.mark.parametrize("place", PLACES, ids=".".join)
async def test_junk_is_taken_or_refused_but_breaks_nothing(
    home: House, place: tuple[str, ...]
) -> None:
    async with home.client() as client:
        for model in (MODEL, "wanx-v1", "qwen-image"):
            for junk in JUNK:
                body: dict[str, Any] = {
                    "model": model,
                    "input": {"prompt": "x"},
                    "parameters": {},
                }
                if len(place) == 1:
                    body[place[0]] = junk
                else:
                    body[place[0]] = {**body[place[0]], place[1]: junk}
                answer = await client.post(T2I, json=body, headers=ASYNC)
                assert answer.status_code in (200, 400), (model, place, str(junk)[:50])
                assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    "size",
    ["0*0", "-1*-1", "1e3*1e3", "1024x1024", "1024*", "*", "9" * 5000 + "*1", "１*１", "a*b"],
)
async def test_absurd_sizes_are_refused(home: House, size: str) -> None:
    async with home.client() as client:
        answer = await client.post(T2I, json=order(parameters={"size": size}), headers=ASYNC)
        assert answer.status_code == 400, answer.text


async def test_a_body_may_not_be_too_large(tmp_path: Path) -> None:
    async with house(tmp_path, Options(limits=Limits(body=1000))) as home, home.client() as client:

        async def pieces() -> AsyncIterator[bytes]:
            for _ in range(100):
                yield b" " * 100

        for big in (b" " * 1001, pieces()):
            answer = await client.post(T2I, content=big, headers=JSON)
            check(answer, 413, "BadRequest.TooLarge")
        length = {**JSON, "Content-Length": "9" * 30}
        check(await client.post(T2I, content=b"", headers=length), 413, "BadRequest.TooLarge")
        negative = {**JSON, "Content-Length": "-1"}
        answer = await client.post(T2I, content=b"", headers=negative)
        check(answer, 400, "BadRequest.IllegalInput")
        assert (await client.post(T2I, json=ORDER, headers=ASYNC)).status_code == 200


@pytest.mark.parametrize(
    "query", ["page_no=0", "page_size=101", "page_no=" + "9" * 5000, "status=x", "start_time=1"]
)
async def test_bad_filters_of_a_list(home: House, query: str) -> None:
    async with home.client() as client:
        check(await client.get(f"/api/v1/tasks?{query}"), 400, "InvalidParameter")
