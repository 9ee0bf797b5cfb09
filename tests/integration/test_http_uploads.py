"""Uploads over HTTP: leave, the form in every client's shape, and what a create may then name."""

import asyncio
import base64
import json
import os
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from house import ASYNC, T2I, House, house, listening, say

from ferrotype import uploads as uploads_module
from ferrotype.http.app import Options
from ferrotype.http.body import Limits
from ferrotype.media_stores.local_inputs import LocalInputs

MODEL = "wanx-v1"
RESOLVE = {"X-DashScope-OssResourceResolve": "enable"}
LEAVE = "/api/v1/uploads"
DATA = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40
PIXELS = base64.b64encode(DATA).decode()


@pytest_asyncio.fixture
async def made(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path) as found:
        yield found


async def leave(house: House, model: str = MODEL, key: str = "") -> dict[str, Any]:
    async with house.client(key) as client:
        answer = await client.get(LEAVE, params={"action": "getPolicy", "model": model})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()["data"]
    return found


def fields(given: dict[str, Any], name: str = "a.png") -> dict[str, str]:
    return {
        "OSSAccessKeyId": given["oss_access_key_id"],
        "Signature": given["signature"],
        "policy": given["policy"],
        "key": f"{given['upload_dir']}/{name}",
        "x-oss-object-acl": "private",
        "x-oss-forbid-overwrite": "true",
        "success_action_status": "200",
    }


async def send(house: House, form: dict[str, str], data: bytes = DATA) -> httpx.Response:
    async with house.client(None) as client:
        return await client.post("/upload", data=form, files={"file": ("x.png", data)})


async def create(house: House, url: str, key: str = "", **more: Any) -> httpx.Response:
    body = {"model": MODEL, "input": {"prompt": "a kite", "ref_img": url}, **more.pop("body", {})}
    async with house.client(key) as client:
        return await client.post(T2I, json=body, headers={**ASYNC, **RESOLVE, **more})


def kept(house: House) -> list[Path]:
    """Every file below uploads, parts and days."""
    return sorted(path for path in (house.folder / "media").rglob("*") if path.is_file())


def told(answer: httpx.Response, status: int, code: str) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/xml"
    assert f"<Code>{code}</Code>" in answer.text
    assert answer.headers["x-request-id"] in answer.text


async def test_leave_has_the_vendors_shape(made: House) -> None:
    async with made.client() as client:
        answer = await client.get(LEAVE, params={"action": "getPolicy", "model": MODEL})
    body = answer.json()
    given = body["data"]
    assert set(body) == {"data", "request_id"}
    assert answer.headers["x-request-id"] == body["request_id"]
    folder = rf"dashscope-instant/[0-9a-f]{{32}}/\d{{4}}-\d\d-\d\d/{body['request_id']}"
    assert re.fullmatch(folder, given["upload_dir"])
    assert given["upload_host"] == "http://localhost/upload"
    assert given["expire_in_seconds"] == 300 and given["max_file_size_mb"] == 1024
    assert given["capacity_limit_mb"] == 999_999_999
    assert given["x_oss_object_acl"] == "private" and given["x_oss_forbid_overwrite"] == "true"
    policy = json.loads(base64.b64decode(given["policy"]))
    end = datetime.fromisoformat(policy["expiration"])
    assert timedelta(minutes=20) < end - datetime.now(UTC) < timedelta(minutes=25)
    assert ["content-length-range", 0, 1 << 30] in policy["conditions"]
    assert ["starts-with", "$key", given["upload_dir"]] in policy["conditions"]


@pytest.mark.parametrize(
    "asked",
    [{}, {"action": "getPolicy"}, {"action": "drop", "model": MODEL},
     {"action": "getPolicy", "model": "no-such-model"}],
)  # fmt: skip
async def test_leave_for_nothing_known_is_refused(made: House, asked: dict[str, str]) -> None:
    async with made.client() as client:
        answer = await client.get(LEAVE, params=asked)
    assert answer.status_code == 400 and answer.json()["code"] == "InvalidParameter"


async def test_leave_needs_a_key(made: House) -> None:
    async with made.client(None) as client:
        answer = await client.get(LEAVE, params={"action": "getPolicy", "model": MODEL})
    assert answer.status_code == 401


@pytest.mark.parametrize(
    "name", ["a.png", "图 片.png", 'it\'s "so" & <b>.png', "n" * 700, ".."[:1]]
)
async def test_an_upload_becomes_a_tasks_input(made: House, name: str) -> None:
    given = await leave(made)
    form = fields(given, name)
    if name == ".":
        told(await send(made, form), 403, "AccessDenied")
        return
    answer = await send(made, form)
    assert (answer.status_code, answer.content) == (200, b"")
    answer = await create(made, f"oss://{form['key']}")
    assert answer.status_code == 200, answer.text
    claim = await made.claim(MODEL)
    (url,) = claim.order.inputs["ref_img"]
    assert url.startswith("stored:")
    into = made.folder / "brought"
    await LocalInputs(made.folder / "media").bring(url.removeprefix("stored:"), into)
    assert into.read_bytes() == DATA


async def test_the_same_file_again_is_welcome_and_another_is_not(made: House) -> None:
    form = fields(await leave(made))
    answers = await asyncio.gather(*(send(made, form) for _ in range(10)))
    assert {answer.status_code for answer in answers} == {200}
    told(await send(made, form, DATA + b"!"), 409, "FileAlreadyExists")
    (file,) = kept(made)
    assert file.read_bytes() == DATA


async def test_forms_that_were_not_allowed_are_denied(
    made: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = await leave(made)
    good = fields(given)
    other = fields(await leave(made, "wan2.2-t2i-flash"))
    no_policy = {name: value for name, value in good.items() if name != "policy"}
    for bad in (
        {**good, "Signature": "AAAA"},
        {**good, "Signature": "ä"},
        {**good, "OSSAccessKeyId": "who"},
        {**good, "policy": other["policy"]},
        {**good, "policy": "x"},
        no_policy,
    ):
        told(await send(made, bad), 403, "SignatureDoesNotMatch")
    folder = given["upload_dir"]
    for key in (
        "a.png", f"{folder}", f"{folder}/", f"{folder}x/a.png", f"{folder}/../a.png",
        f"{folder}/..", f"{folder}/a/b", f"/{folder}/a.png", other["key"], f"{folder}/{'x' * 800}",
    ):  # fmt: skip
        told(await send(made, {**good, "key": key}), 403, "AccessDenied")
    monkeypatch.setattr(uploads_module, "LEAVE", -timedelta(seconds=2))
    late = await send(made, fields(await leave(made)))
    told(late, 403, "AccessDenied")
    assert "Policy expired" in late.text
    assert kept(made) == []


async def test_an_account_and_a_model_have_their_own_files(made: House) -> None:
    form = fields(await leave(made))
    assert (await send(made, form)).status_code == 200
    url = f"oss://{form['key']}"
    other = "sk-other-key-of-another-account"
    await made.ledger.add_key(await made.ledger.make_account("other"), "other", other)
    elsewhere = fields(await leave(made, "wan2.2-t2i-flash"))
    await send(made, elsewhere)
    for address, key in (
        (url, other),
        (f"oss://{elsewhere['key']}", ""),
        (url + "x", ""),
        ("oss://a", ""),
        ("oss:///etc/passwd", ""),
        (url.replace("a.png", "../a.png"), ""),
    ):
        answer = await create(made, address, key)
        assert (answer.status_code, answer.json()["code"]) == (400, "InvalidURL"), address
    answer = await create(made, url, **{"X-DashScope-OssResourceResolve": "disable"})
    assert (answer.status_code, answer.json()["code"]) == (400, "InvalidParameter")
    async with made.client() as client:
        for path in (f"/files/{form['key']}", f"/{form['key']}", f"/upload/{form['key']}"):
            assert (await client.get(path)).status_code in (403, 404, 405)
    assert len(kept(made)) == 2  # nothing was left behind for tasks that never came to be


async def test_an_upload_lives_for_two_days_and_a_task_keeps_what_it_took(made: House) -> None:
    form = fields(await leave(made))
    await send(made, form)
    answer = await create(made, f"oss://{form['key']}")
    task = answer.json()["output"]["task_id"]
    (upload,) = [path for path in kept(made) if "uploads" in path.parts]
    inputs = LocalInputs(made.folder / "media")
    now = datetime.now(UTC)
    assert await inputs.drop_before(now - timedelta(hours=48)) == 0
    old = now.timestamp() - 48 * 3600 - 1
    os.utime(upload, (old, old))
    answer = await create(made, f"oss://{form['key']}")
    assert answer.json()["code"] == "InvalidURL"
    assert await inputs.drop_before(now - timedelta(hours=48)) == 1
    assert [task in str(path) for path in kept(made)] == [True]
    await made.store.drop(f"{now:%Y%m%d}/{task}")
    assert kept(made) == []


async def test_data_addresses_do_not_sit_in_the_ledger(
    made: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = made.catalogue.models["wan2.5-i2i-preview"]
    route = "/api/v1/services/aigc/" + next(iter(plan.routes))
    body = {
        "model": "wan2.5-i2i-preview",
        "input": {"prompt": "a kite", "images": [f"data:image/png;base64,{PIXELS}"] * 2},
    }
    headers = {**ASYNC, "Idempotency-Key": "one"}
    async with made.client() as client:
        answer = await client.post(route, json=body, headers=headers)
        assert answer.status_code == 200, answer.text
        again = await client.post(route, json=body, headers=headers)
        assert again.json()["output"] == answer.json()["output"]
        bad = {**body, "input": {"prompt": "x", "images": ["data:image/png;base64,???"]}}
        refused = await client.post(route, json=bad, headers=ASYNC)
    assert (refused.status_code, refused.json()["code"]) == (400, "InvalidURL")
    files = kept(made)
    assert [path.read_bytes() for path in files] == [DATA, DATA]
    assert {path.parent.parent.name for path in files} == {answer.json()["output"]["task_id"]}
    claim = await made.claim("wan2.5-i2i-preview")
    assert all(len(url) < 100 for urls in claim.order.inputs.values() for url in urls)


async def test_full_disk_full_account_and_too_many_at_once(
    made: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = await leave(made)
    monkeypatch.setattr(uploads_module, "SPACE_EVERY", 0.0)
    monkeypatch.setattr(uploads_module, "FREE", 1.1)
    told(await send(made, fields(given)), 503, "ServiceUnavailable")
    monkeypatch.setattr(uploads_module, "FREE", 0.0)
    monkeypatch.setattr(uploads_module, "AT_ONCE", 0)
    told(await send(made, fields(given)), 503, "ServiceUnavailable")
    monkeypatch.setattr(uploads_module, "AT_ONCE", 64)
    made.uploads._space = len(DATA)
    assert (await send(made, fields(given))).status_code == 200
    told(await send(made, fields(given, "b.png")), 403, "QuotaExceeded")


async def raw(house: House, head: bytes, *pieces: bytes) -> bytes:
    async with listening(house.face) as port:
        return await say(port, head, *pieces)


def request(body: bytes, boundary: bytes = b"B", size: int | None = None) -> bytes:
    length = len(body) if size is None else size
    return (
        b"POST /upload HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        b"Content-Type: multipart/form-data; boundary=%b\r\nContent-Length: %d\r\n\r\n%b"
        % (boundary, length, body)
    )


def dotnet(form: dict[str, str], file: bytes) -> bytes:
    """The recorded .NET client's form: no quotes, types first, a file without a filename."""
    parts = [
        b"--B\r\nContent-Type: text/plain; charset=utf-8\r\n"
        b"Content-Disposition: form-data; name=%b\r\n\r\n%b\r\n" % (name.encode(), value.encode())
        for name, value in reversed(form.items())
    ]
    last = b"--B\r\nContent-Type: image/png\r\nContent-Disposition: form-data; name=file\r\n\r\n"
    return b"".join([*parts, last, file, b"\r\n--B--\r\n"])


async def test_the_recorded_dotnet_form_of_20_megabytes(made: House) -> None:
    data = os.urandom(1 << 20) * 20
    answer = await raw(made, request(dotnet(fields(await leave(made)), data)))
    assert answer.startswith(b"HTTP/1.1 200 "), answer
    (file,) = kept(made)
    assert file.read_bytes() == data


async def test_hostile_forms_leave_nothing(made: House) -> None:
    form = fields(await leave(made))
    good = dotnet(form, b"x")
    part = b"--B\r\nContent-Disposition: form-data; name=%b\r\n\r\n%b\r\n"
    start = b"Content-Disposition: form-data; name=file\r\n"
    assert start in good
    for body in (
        b"",
        b"hello",
        b"--B--\r\n",
        good[:-6],  # no end
        good.replace(b"--B", b"--C"),
        b"".join(part % (b"%d" % i, b"") for i in range(200_000)),
        b"".join(part % (b"%d" % i, b"") for i in range(100)) + good,
        part % (b"more", b"x" * 1_000_000) + good,
        part % (b"key", b"x") + good,  # twice
        part % (b"", b"x") + good,
        part % (b"a", b"\xff\xfe") + good,
        part % (b"a", b"a\x00b") + good,
        good.replace(start, start + b"X-A: b\r\n" * 1000),
        good.replace(start, start + b"X-A: " + b"b" * 100_000 + b"\r\n"),
        good.replace(b"--B--\r\n", b""),
        part % (b"a", b"Content-Type: multipart/mixed; boundary=D\r\n\r\n--D--") * 70 + good,
    ):
        answer = await raw(made, request(body))
        assert answer.startswith(b"HTTP/1.1 400 "), (body[:80], answer)
        assert b"<Code>MalformedPOSTRequest</Code>" in answer
    for boundary in (b"", b"B" * 5000):
        answer = await raw(made, request(good, boundary))
        assert answer.startswith(b"HTTP/1.1 400 "), answer
    assert kept(made) == []


async def test_too_large_and_too_slow_and_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ferrotype.http.routes.uploads.LINGER", 0.2)
    limits = Limits(seconds=0.5, rate=1 << 20)
    async with house(tmp_path, Options(limits=limits)) as made:
        body = dotnet(fields(await leave(made)), bytes(1 << 20))
        answer = await raw(made, request(body, size=(1 << 30) + (2 << 20)))
        assert b"<Code>EntityTooLarge</Code>" in answer
        answer = await raw(made, request(body[:-100], size=len(body)))
        assert b"<Code>RequestTimeout</Code>" in answer
        monkeypatch.setattr("ferrotype.http.routes.uploads.MAX_BYTES", 100_000)
        assert b"<Code>EntityTooLarge</Code>" in await raw(made, request(body))
        monkeypatch.setattr("ferrotype.http.routes.uploads.MAX_BYTES", 1 << 30)
        async with listening(made.face) as port:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(request(body[:-100], size=len(body)))
            await writer.drain()
            parts = made.folder / "media" / "parts"
            async with asyncio.timeout(10):
                while not (parts.exists() and list(parts.iterdir())):
                    await asyncio.sleep(0.01)
                writer.close()
                while list(parts.iterdir()):
                    await asyncio.sleep(0.01)
        assert kept(made) == []


async def test_a_kill_in_the_middle_leaves_a_part_that_is_swept(made: House) -> None:
    inputs = LocalInputs(made.folder / "media")
    given = await leave(made)
    parts = made.folder / "media" / "parts"
    parts.mkdir()
    (parts / "dead").write_bytes(b"half")
    (parts / "young").write_bytes(b"half")
    hours_ago = datetime.now(UTC).timestamp() - 2 * 3600
    os.utime(parts / "dead", (hours_ago, hours_ago))
    await send(made, fields(given))
    assert await inputs.drop_before(datetime.now(UTC) - timedelta(hours=48)) == 1
    assert {path.name for path in parts.iterdir()} == {"young"}
