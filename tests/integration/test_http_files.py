from base64 import b64decode
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from hashlib import md5
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx
import pytest
from house import ASYNC, ORDER, PNG, T2I, House, house

SIZE = len(PNG)


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path) as found:
        yield found


@pytest.fixture
async def url(home: House) -> str:
    async with home.client() as client:
        made = await client.post(T2I, json=ORDER, headers=ASYNC)
        await home.succeed(await home.claim())
        answer = await client.get(f"/api/v1/tasks/{made.json()['output']['task_id']}")
    link: str = answer.json()["output"]["results"][0]["url"]
    return link


async def get(home: House, url: str, method: str = "GET", **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    async with home.client(None) as client:
        return await client.request(method, url, headers=named)


async def test_a_link_gives_the_picture_as_what_it_is(home: House, url: str) -> None:
    answer = await get(home, url)
    assert (answer.status_code, answer.content) == (200, PNG)
    headers = answer.headers
    assert headers["content-type"] == "image/png"
    assert int(headers["content-length"]) == SIZE
    assert b64decode(headers["content-md5"]) == md5(PNG).digest()
    assert headers["content-disposition"].startswith('inline; filename="')
    assert headers["content-disposition"].endswith('-0.png"')
    assert headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in headers["content-security-policy"]
    assert headers["x-ferrotype-engine"] == "illustrator"
    assert headers["x-ferrotype-served-by"] == "illustration"
    assert headers["accept-ranges"] == "bytes"
    assert "content-encoding" not in headers


async def test_head_says_the_same_without_the_picture(home: House, url: str) -> None:
    whole, head = await get(home, url), await get(home, url, "HEAD")
    assert (head.status_code, head.content) == (200, b"")
    for name in ("content-length", "content-type", "etag", "content-md5"):
        assert head.headers[name] == whole.headers[name]


async def test_who_has_it_already_is_told_so(home: House, url: str) -> None:
    etag = (await get(home, url)).headers["etag"]
    for tags in (etag, f'"x", W/{etag}', "*"):
        answer = await get(home, url, If_None_Match=tags)
        assert (answer.status_code, answer.content) == (304, b"")
        assert answer.headers["etag"] == etag
    assert (await get(home, url, If_None_Match='"x"')).status_code == 200


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [
        ("bytes=0-0", 0, 0),
        ("bytes=5-9", 5, 9),
        ("bytes=10000-", 10000, SIZE - 1),
        ("bytes=-7", SIZE - 7, SIZE - 1),
        (f"bytes=-{SIZE * 9}", 0, SIZE - 1),
        (f"bytes=8-{SIZE * 9}", 8, SIZE - 1),
    ],
)
async def test_a_part_may_be_asked_for(
    home: House, url: str, asked: str, first: int, last: int
) -> None:
    answer = await get(home, url, Range=asked)
    assert (answer.status_code, answer.content) == (206, PNG[first : last + 1])
    assert answer.headers["content-range"] == f"bytes {first}-{last}/{SIZE}"


async def test_several_parts_come_as_one_message(home: House, url: str) -> None:
    answer = await get(home, url, Range="bytes=0-1, 5-6")
    assert answer.status_code == 206
    assert answer.headers["content-type"].startswith("multipart/byteranges")


async def test_a_part_beyond_the_end_is_not_there(home: House, url: str) -> None:
    answer = await get(home, url, Range=f"bytes={SIZE}-")
    assert answer.status_code == 416
    assert answer.headers["content-range"] == f"bytes */{SIZE}"


@pytest.mark.parametrize(
    "asked",
    ["bytes=9-5", "bytes=a-b", "lines=1-2", "bytes=", "bytes=-", "bytes=0-1," * 200, "x" * 5000],
)
async def test_a_range_that_is_none_is_ignored(home: House, url: str, asked: str) -> None:
    answer = await get(home, url, Range=asked)
    assert (answer.status_code, len(answer.content)) == (200, SIZE)


async def test_a_part_of_another_version_is_the_whole(home: House, url: str) -> None:
    assert (await get(home, url, Range="bytes=0-1", If_Range='"x"')).status_code == 200


def refused(answer: httpx.Response, message: str) -> None:
    assert answer.status_code == 403
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["code"] == "AccessDenied"
    assert message in answer.json()["message"]


async def test_a_changed_link_opens_nothing(home: House, url: str) -> None:
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query))
    for change in (
        {"Expires": str(int(query["Expires"]) + 1)},
        {"Signature": query["Signature"][:-2] + "AA"},
        {"OSSAccessKeyId": "other"},
        {"Expires": "x\x00"},
        {"Signature": "\udcff".encode("utf-8", "surrogatepass").decode("latin-1")},
    ):
        refused(await get(home, f"{parts.path}?{urlencode(query | change)}"), "signature")
    refused(await get(home, parts.path), "signature")
    refused(await get(home, f"{parts.path.replace('/0.png', '/1.png')}?{parts.query}"), "sign")


async def test_a_link_ends_with_its_task(home: House, url: str) -> None:
    await home.ledger.set_clock_offset(24 * 3600 + 1)
    refused(await get(home, url), "expired")


@pytest.mark.parametrize(
    "key",
    [
        "..%2f..%2fledger.db",
        "%2e%2e/%2e%2e/etc/passwd",
        "/etc/passwd",
        "20260102/x/in/0",
        "%00",
        "a" * 5000,
    ],
)
async def test_no_path_leads_out_of_the_store(home: House, key: str) -> None:
    refused(await get(home, f"/files/{key}?Expires=9999999999&Signature=x"), "signature")


@pytest.mark.parametrize("key", ["../ledger.db", "../../etc/passwd", "20260102/../x", "\x00"])
async def test_even_a_signed_path_does_not(home: House, key: str) -> None:
    secret = (await home.ledger.secrets())[0]
    query = await home.links.sign(secret.kid, key, datetime(2100, 1, 1, tzinfo=UTC))
    path = key.replace("..", "%2e%2e").replace("\x00", "%00")
    answer = await get(home, f"/files/{path}?{query}")
    assert (answer.status_code, answer.json()["code"]) == (404, "NotFound")


async def test_a_file_that_is_gone_is_missing(home: House, url: str) -> None:
    for file in (home.folder / "media").rglob("*.png"):
        file.unlink()
    answer = await get(home, url)
    assert (answer.status_code, answer.json()["code"]) == (404, "NotFound")


async def test_files_are_read_only(home: House, url: str) -> None:
    for method in ("PUT", "POST", "DELETE"):
        assert (await get(home, url, method)).status_code == 405
