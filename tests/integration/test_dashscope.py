"""The engine `dashscope` before a second Ferrotype, over a line that breaks as lines do."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

import tamper
from ferrotype.engines.dashscope.memo import Memo, State
from ferrotype.media import File
from ferrotype.ports.engine import EngineRefusal, EngineUnfit, mark
from ferrotype.testing import Server, server
from tamper import Held, Tamper, error, http, tampered
from upstreams import MADE, SYNC, Notebook, engine, job, status, total

UNKNOWN = "InternalError.Upstream"
PATIENCE = 20.0
THEIRS = {"code": "InternalError", "message": "m", "request_id": "r"}


@pytest.fixture(scope="module")
def upstream() -> Any:
    with server(engine="echo", poll_hold=0) as running:
        yield running


@pytest.fixture
async def line(upstream: Server) -> AsyncIterator[Tamper]:
    async with tampered(upstream.root) as tamper:
        yield tamper


@pytest.fixture(autouse=True)
async def nothing_left_open() -> AsyncIterator[None]:
    yield
    while MADE:
        await MADE.pop().close()


@pytest.fixture
def bench(tmp_path: Path) -> Notebook:
    return Notebook(tmp_path)


def closed() -> str:
    """Return the URL of a port where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}"


async def test_a_task_is_sent_followed_and_brought_home(line: Tamper, bench: Notebook) -> None:
    made = await engine(line.url).run(job(bench.workdir, n=2), bench)
    assert [(one.type, one.width, one.height) for one in made] == [("image/png", 1, 1)] * 2
    assert all(Path(one.path or "").read_bytes().startswith(b"\x89PNG") for one in made)
    assert bench.usage == {"image_count": 2}
    assert bench.shown == {"orig_prompt": "a red kite", "actual_prompt": "a red kite"}
    assert bench.states == ["intent", "sent"]
    assert (bench.notes[1].region, len(bench.notes[1].task)) == (line.url, 36)
    assert bench.said
    assert line.passed["create"] == 1


async def test_the_posted_body_goes_on_under_the_upstreams_name(
    line: Tamper, bench: Notebook
) -> None:
    asked = job(bench.workdir, of_next_year=[1, {"x": None}])
    await engine(line.url, model="wan2.2-t2i-plus").run(asked, bench)
    [create] = line.requests("create")
    assert (
        create.body == b'{"model":"wan2.2-t2i-plus","input":{"prompt":"a red kite"},'
        b'"parameters":{"n":1,"of_next_year":[1,{"x":null}]}}'
    )
    assert "X-DashScope-Async: enable" in create.head
    assert "Authorization: Bearer sk-test" in create.head


async def test_files_are_uploaded_first(line: Tamper, bench: Notebook) -> None:
    from PIL import Image

    path = bench.workdir / "images-0.png"
    Image.new("RGB", (400, 400), "red").save(path)
    inputs = {"images": [File(path=str(path), type="image/png", width=400, height=400)]}
    model, route = "wan2.5-i2i-preview", "image2image/image-synthesis"
    body = {
        "model": model,
        "input": {"prompt": "a kite", "images": [str(path)]},
        "parameters": {"n": 1},
    }
    asked = job(bench.workdir, model=model, route=route, body=body, inputs=inputs)
    assert len(await engine(line.url).run(asked, bench)) == 1
    [policy], [upload], [create] = (line.requests(k) for k in ("policy", "upload", "create"))
    assert "model=wan2.5-i2i-preview" in policy.head
    assert path.read_bytes() in upload.body
    assert "authorization" not in upload.head.lower()
    assert b'"images":["oss://dashscope-instant/' in create.body
    assert b"input:images:0" not in create.body
    assert "X-DashScope-OssResourceResolve: enable" in create.head


@pytest.mark.parametrize("state", [State.SENT, State.CLEAR])
async def test_files_that_have_gone_are_missed_only_by_a_create(
    state: State, line: Tamper, bench: Notebook, tmp_path: Path
) -> None:
    await engine(line.url).run(job(tmp_path), bench)
    model, route = "wan2.5-i2i-preview", "image2image/image-synthesis"
    body = {"model": model, "input": {"prompt": "a kite", "images": [mark("images", 0)]}}
    memo = Memo(state=state, region=line.url, task=bench.notes[-1].task)
    asked = job(tmp_path, model=model, route=route, body=body, memo=memo)
    running = engine(line.url).run(asked, Notebook(tmp_path))
    if state is State.SENT:
        assert len(await running) == 1
        return
    with pytest.raises(EngineRefusal, match="Failed to download the input file") as refused:
        await running
    assert refused.value.refusal == "BadRequest.InputDownloadFailed"


async def test_a_call_that_waits_is_not_asked_for_twice(
    line: Tamper, bench: Notebook, tmp_path: Path
) -> None:
    content = [{"text": "a red kite"}]
    body = {"model": "z-image-turbo", "input": {"messages": [{"role": "user", "content": content}]}}
    asked: dict[str, Any] = {"model": "z-image-turbo", "route": SYNC, "body": body}
    [made] = await engine(line.url).run(job(tmp_path, **asked), bench)
    assert made.type == "image/png"
    assert bench.usage is not None
    assert bench.usage["image_count"] == 1
    assert bench.shown == {"orig_prompt": "a red kite", "reasoning_content": ""}
    assert bench.states == ["intent", "answered"]
    assert "X-DashScope-Async" not in line.requests("create")[0].head
    again = Notebook(tmp_path)
    resumed = job(tmp_path, **asked, memo=bench.notes[-1])
    assert await engine(line.url).run(resumed, again) == [made]
    assert (again.usage, again.notes) == (bench.usage, [])
    assert line.passed["create"] == 1


async def test_words_between_pictures_come_as_events(line: Tamper, bench: Notebook) -> None:
    model = "wan2.6-image"
    body = {
        "model": model,
        "input": {"messages": [{"role": "user", "content": [{"text": "three steps"}]}]},
        "parameters": {"enable_interleave": True, "max_images": 2},
    }
    made = await engine(line.url).run(job(bench.workdir, model=model, route=SYNC, body=body), bench)
    assert [one.type for one in made] == ["image/png"] * 2
    assert "X-DashScope-SSE: enable" in line.requests("create")[0].head
    assert bench.usage is not None


@pytest.mark.parametrize(
    ("trick", "accepted"),
    [
        (tamper.cut_before, 0),
        (tamper.cut_after, 1),
        (tamper.answer(http(500, "<h1>oops</h1>", type="text/html")), 0),
        (tamper.answer(http(503, "<h1>oops</h1>", type="text/html")), 0),
        (tamper.answer(http(502, {"code": "BadGateway", "message": "no shape of theirs"})), 0),
        (tamper.answer(http(429, {"error": "rate"})), 0),
        (tamper.answer(http(302, "", "Location: http://127.0.0.1:1/")), 0),
        (tamper.answer(b"garbage\r\n\r\n"), 0),
        (tamper.answer(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"), 0),
        (
            tamper.instead(
                error_500 := http(500, {"code": "E", "message": "m", "request_id": "r"})
            ),
            1,
        ),
        (tamper.instead(http(200, {"output": {}, "request_id": "r"})), 1),
        (tamper.instead(http(200, "not JSON")), 1),
    ],
)
async def test_whatever_leaves_the_outcome_open_ends_the_task(
    trick: tamper.Trick, accepted: int, line: Tamper, upstream: Server, bench: Notebook
) -> None:
    before = await total(upstream)
    line.play("create", trick)
    with pytest.raises(EngineRefusal, match="The outcome at the upstream is unknown") as refused:
        await engine(line.url, upstream.root).run(job(bench.workdir), bench)
    assert refused.value.refusal == UNKNOWN
    assert bench.states == ["intent"]
    assert len(line.requests("create")) == 1
    assert await total(upstream) - before == accepted


async def test_an_answer_that_comes_late_is_waited_for_only_so_long(
    line: Tamper, upstream: Server, bench: Notebook
) -> None:
    line.play("create", Held())
    hasty = {"connect": 1, "answer": 0.3}
    with pytest.raises(EngineRefusal, match="no answer came within"):
        await engine(line.url, timeouts=hasty).run(job(bench.workdir), bench)
    assert line.passed["create"] == 1


async def test_an_answer_that_comes_twice_is_one(
    line: Tamper, upstream: Server, bench: Notebook
) -> None:
    before = await total(upstream)
    line.play("create", tamper.twice)
    line.play("query", tamper.twice)
    assert len(await engine(line.url).run(job(bench.workdir), bench)) == 1
    assert await total(upstream) == before + 1


@pytest.mark.parametrize(
    "refusal",
    [
        error(429, "Throttling.RateQuota"),
        error(429, "Throttling", "Slow down.", "Retry-After: 0.2"),
        error(503, "ModelUnavailable"),
    ],
)
async def test_throttling_is_waited_out(
    refusal: tamper.Trick, line: Tamper, bench: Notebook
) -> None:
    line.play("create", refusal, refusal)
    assert len(await engine(line.url).run(job(bench.workdir), bench)) == 1
    assert bench.states == ["intent", "clear", "intent", "clear", "intent", "sent"]
    assert line.passed["create"] == 1


@pytest.mark.parametrize(
    ("status", "code", "message"),
    [
        (400, "InvalidParameter", "The size is not match the allowed size ['512*512']"),
        (400, "DataInspectionFailed", "Input data may contain inappropriate content."),
        (400, "IPInfringementSuspect", "说不"),
        (403, "AccessDenied", "current user api does not support asynchronous calls"),
    ],
)
async def test_a_refusal_is_told_as_it_came(
    status: int, code: str, message: str, line: Tamper, bench: Notebook
) -> None:
    line.play("create", error(status, code, message))
    with pytest.raises(EngineRefusal) as refused:
        await engine(line.url, closed()).run(job(bench.workdir), bench)
    assert (refused.value.refusal, refused.value.message) == (code, message)


async def test_a_failure_is_told_as_it_came(line: Tamper, bench: Notebook) -> None:
    with pytest.raises(EngineRefusal) as refused:
        await engine(line.url).run(job(bench.workdir, "echo refuse=Some.Code"), bench)
    assert (refused.value.refusal, refused.value.message) == (
        "Some.Code",
        "The prompt asked for this refusal.",
    )


async def test_one_failed_picture_of_two_is_told_as_it_came(line: Tamper, bench: Notebook) -> None:
    asked = job(bench.workdir, "echo fail-item=0:DataInspectionFailed", n=2)
    bad, good = await engine(line.url).run(asked, bench)
    assert (bad.error_code, bad.error_message) == (
        "DataInspectionFailed",
        "The prompt asked for this error.",
    )
    assert (good.type, bench.usage) == ("image/png", {"image_count": 1})


@pytest.mark.parametrize(
    "trouble",
    [
        error(
            400, "Arrearage", "Access denied, please make sure your account is in good standing."
        ),
        error(401, "InvalidApiKey", "Invalid API-key provided."),
        error(403, "AccessDenied.Unpurchased"),
        error(404, "ModelNotFound", "Model can not be found."),
        error(400, "InvalidParameter", "Model not exist."),
        error(429, "Throttling.RateQuota"),
    ],
)
async def test_the_next_region_takes_what_the_first_surely_has_not(
    trouble: tamper.Trick, line: Tamper, upstream: Server, bench: Notebook
) -> None:
    line.always["create"] = trouble
    before = await total(upstream)
    assert len(await engine(line.url, upstream.root).run(job(bench.workdir), bench)) == 1
    assert bench.states == ["intent", "clear", "intent", "sent"]
    assert bench.notes[-1].region == upstream.root
    assert (line.passed["create"], await total(upstream)) == (0, before + 1)


async def test_a_region_out_of_reach_is_passed_over(upstream: Server, bench: Notebook) -> None:
    deployed = engine(closed(), upstream.root)
    assert len(await deployed.run(job(bench.workdir), bench)) == 1
    assert deployed.unfit == {}


async def test_without_tls_no_byte_is_sent(line: Tamper, upstream: Server, bench: Notebook) -> None:
    deployed = engine(line.url.replace("http:", "https:"), upstream.root)
    assert len(await deployed.run(job(bench.workdir), bench)) == 1
    assert line.seen == []


@pytest.mark.parametrize("trouble", ["key", "reach"])
async def test_without_a_region_the_recipe_is_unfit_until_one_answers(
    trouble: str, line: Tamper, bench: Notebook
) -> None:
    refusal = error(401, "InvalidApiKey", "Invalid API-key provided.")
    line.always = {"create": refusal, "probe": refusal if trouble == "key" else tamper.cut_before}
    deployed = engine(line.url)
    asked = job(bench.workdir)
    with pytest.raises(EngineUnfit, match="401 InvalidApiKey: Invalid API-key provided"):
        await deployed.run(asked, bench)
    assert deployed.unfit["*"].startswith(f"{line.url}: ")
    assert bench.states == ["intent", "clear"]
    while len(line.requests("probe")) < 3:
        await asyncio.sleep(0.01)
    assert deployed.unfit
    line.always.clear()
    async with asyncio.timeout(PATIENCE):
        while deployed.unfit:
            await asyncio.sleep(0.01)
    assert len(await deployed.run(asked, bench)) == 1


async def test_a_closed_door_is_tried_by_one_task_only(line: Tamper, tmp_path: Path) -> None:
    line.always["create"] = error(400, "Arrearage")
    deployed = engine(line.url)
    tries = (deployed.run(job(tmp_path), Notebook(tmp_path)) for _ in range(20))
    ends = await asyncio.gather(*tries, return_exceptions=True)
    assert {type(end) for end in ends} == {EngineUnfit}
    assert len(line.requests("create")) == 1


async def test_the_next_attempt_goes_on_where_the_last_one_was(
    line: Tamper, bench: Notebook, tmp_path: Path
) -> None:
    await engine(line.url).run(job(tmp_path), bench)
    again = Notebook(tmp_path)
    made = await engine(line.url).run(job(tmp_path, memo=bench.notes[-1]), again)
    assert (len(made), again.usage, again.notes) == (1, {"image_count": 1}, [])
    assert line.passed["create"] == 1


async def test_an_attempt_that_ended_at_its_create_ends_the_task(
    line: Tamper, bench: Notebook
) -> None:
    memo = Memo(state=State.INTENT, region=line.url)
    with pytest.raises(EngineRefusal, match="ended before the answer was known") as refused:
        await engine(line.url).run(job(bench.workdir, memo=memo), bench)
    assert refused.value.refusal == UNKNOWN
    assert line.seen == []


async def test_a_second_submit_is_made_where_it_is_allowed(line: Tamper, bench: Notebook) -> None:
    line.play("create", tamper.cut_after)
    deployed = engine(line.url, second_submit=True)
    line.always["probe"] = tamper.cut_before
    with pytest.raises(EngineUnfit):
        await deployed.run(job(bench.workdir), bench)
    line.always.clear()
    async with asyncio.timeout(PATIENCE):
        while deployed.unfit:
            await asyncio.sleep(0.01)
    assert len(await deployed.run(job(bench.workdir, memo=bench.notes[-1]), bench)) == 1
    assert line.passed["create"] == 2


async def test_even_then_not_for_ever(line: Tamper, bench: Notebook) -> None:
    memo = Memo(state=State.INTENT, region=line.url, submits=2)
    with pytest.raises(EngineRefusal, match="unknown"):
        await engine(line.url, second_submit=True).run(job(bench.workdir, memo=memo), bench)


async def test_polls_are_repeated_until_they_are_answered(line: Tamper, bench: Notebook) -> None:
    line.play(
        "query",
        tamper.cut_before,
        tamper.cut_after,
        tamper.answer(http(500, "oops", type="text/plain")),
        tamper.answer(b"garbage\r\n\r\n"),
        tamper.answer(http(200, {"output": "?"})),
        error(429, "Throttling", "Slow down.", "Retry-After: 0.1"),
        error(500, "InternalError"),
    )
    assert len(await engine(line.url).run(job(bench.workdir), bench)) == 1
    assert line.passed["create"] == 1


async def test_a_task_that_its_upstream_has_forgotten_fails(line: Tamper, bench: Notebook) -> None:
    memo = Memo(state=State.SENT, region=line.url, task="0f6e5a10-1111-4c22-9333-5d44aa55bb66")
    with pytest.raises(EngineRefusal, match="does not know the task any more"):
        await engine(line.url).run(job(bench.workdir, memo=memo), bench)
    assert line.passed["create"] == 0


async def test_a_task_of_a_region_that_is_gone_fails(line: Tamper, bench: Notebook) -> None:
    memo = Memo(state=State.SENT, region="https://gone.example", task="x")
    with pytest.raises(EngineRefusal, match="no region here now"):
        await engine(line.url).run(job(bench.workdir, memo=memo), bench)


@pytest.mark.parametrize(("final", "then"), [(True, "CANCELED"), (False, "PENDING")])
async def test_a_stop_for_good_cancels_what_has_not_begun(
    final: bool, then: str, held: Server, bench: Notebook
) -> None:
    running = asyncio.create_task(engine(held.root).run(job(bench.workdir), bench))
    async with asyncio.timeout(PATIENCE):
        while bench.states != ["intent", "sent"]:
            await asyncio.sleep(0.01)
    bench.final = final
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert await status(held, bench.notes[-1].task) == then


async def test_who_is_stopped_at_the_create_still_notes_its_id(
    line: Tamper, bench: Notebook
) -> None:
    line.play("create", pausing := Held())
    running = asyncio.create_task(engine(line.url).run(job(bench.workdir), bench))
    await pausing.reached.wait()
    running.cancel()
    asyncio.get_running_loop().call_later(0.3, pausing.free.set)
    with suppress(asyncio.CancelledError):
        await running
    assert bench.states == ["intent", "sent"]


@pytest.mark.parametrize(
    ("trick", "why"),
    [
        (tamper.changed(b"http://127.0.0.1:", b"http://10.20.0.1:"), "not allowed"),
        (tamper.changed(b"http://", b"file://"), "only http and https"),
    ],
)
async def test_results_are_not_fetched_from_everywhere(
    trick: tamper.Trick, why: str, line: Tamper, bench: Notebook
) -> None:
    line.always["query"] = trick
    [made] = await engine(line.url).run(job(bench.workdir), bench)
    assert made.error_code == "InternalError.Upload"
    assert "could not be copied" in (made.error_message or "")
    assert why in (made.error_message or "")


async def test_a_result_that_does_not_come_at_once_comes_later(
    line: Tamper, bench: Notebook
) -> None:
    line.play("file", tamper.cut_before, tamper.answer(http(404, "not yet", type="text/plain")))
    [made] = await engine(line.url, timeouts={"copy": 10}).run(job(bench.workdir), bench)
    assert made.type == "image/png"


async def test_a_result_that_is_no_picture_is_an_error_of_its_own(
    line: Tamper, bench: Notebook
) -> None:
    line.play("file", tamper.answer(http(200, "<svg/>", type="image/svg+xml")))
    one, two = await engine(line.url).run(job(bench.workdir, n=2), bench)
    errors = {one.error_code, two.error_code}
    assert errors == {None, "InternalError.Upload"}


async def test_a_success_without_a_result_is_a_failure(line: Tamper, bench: Notebook) -> None:
    line.play("query", tamper.instead(http(200, {"output": {"task_status": "SUCCEEDED"}})))
    with pytest.raises(EngineRefusal, match="with no result"):
        await engine(line.url).run(job(bench.workdir), bench)
