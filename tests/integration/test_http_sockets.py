"""What only a real connection shows: paces, sizes, silence, keep-alive, the end."""

import asyncio
import json
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path

import pytest
from house import ORDER, T2I, House, house, listening, say

from ferrotype.http import connection
from ferrotype.http.access import AccessLog
from ferrotype.http.app import Options
from ferrotype.http.body import Limits

LIMITS = Limits(body=2_000_000, seconds=0.3, rate=10_000_000)


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path, Options(limits=LIMITS)) as found:
        yield found


def head(home: House, line: str, *more: str) -> bytes:
    lines = [line, "Host: localhost", f"Authorization: Bearer {home.key}", *more]
    return "\r\n".join([*lines, "\r\n"]).encode()


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def body(answer: bytes) -> dict[str, str]:
    read: dict[str, str] = json.loads(answer.partition(b"\r\n\r\n")[2])
    assert set(read) == {"code", "message", "request_id"}
    assert b"content-type: application/json\r\n" in answer
    assert f"x-request-id: {read['request_id']}\r\n".encode() in answer
    return read


async def test_a_body_that_stops_coming_is_not_waited_for(home: House) -> None:
    async with listening(home.face) as port:
        answer = await say(port, head(home, f"POST {T2I} HTTP/1.1", "Content-Length: 9"), b"{")
    assert status(answer) == 408
    assert body(answer)["code"] == "RequestTimeOut"


async def test_a_body_too_large_is_refused_before_it_is_read(home: House) -> None:
    async with listening(home.face) as port:
        answer = await say(port, head(home, f"POST {T2I} HTTP/1.1", "Content-Length: 2000001"))
    assert status(answer) == 413
    assert body(answer)["code"] == "BadRequest.TooLarge"


async def test_a_large_body_that_is_allowed_is_read(home: House) -> None:
    order = json.dumps({**ORDER, "x": "y" * 1_900_000}).encode()
    async with listening(home.face) as port:
        answer = await say(
            port,
            head(
                home,
                f"POST {T2I} HTTP/1.1",
                f"Content-Length: {len(order)}",
                "X-DashScope-Async: enable",
                "Connection: close",
            ),
            order,
        )
    assert status(answer) == 200


async def test_a_silent_connection_is_closed(home: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "HEAD_SECONDS", 0.1)
    async with listening(home.face) as port:
        assert await say(port) == b""
        assert await say(port, b"GET / HTTP/1.1\r\nHost: local") == b""


async def test_a_slow_head_after_a_request_is_closed_too(
    home: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "HEAD_SECONDS", 0.1)
    async with listening(home.face) as port:
        answer = await say(port, head(home, "GET /healthz HTTP/1.1") + b"GET /healthz HT")
    assert answer.count(b"HTTP/1.1 200") == 1


async def test_a_huge_head_is_refused(home: House) -> None:
    async with listening(home.face) as port:
        lines = [b"X-%d: %b\r\n" % (i, b"y" * 8000) for i in range(12)]
        answer = await say(port, b"GET / HTTP/1.1\r\n", *lines)
    assert status(answer) == 431
    assert body(answer)["code"] == "InvalidParameter"


async def test_what_is_no_http_is_refused_in_json(home: House) -> None:
    async with listening(home.face) as port:
        for nonsense in (
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n",
            b"GET /\xff HTTP/1.1\r\nHost: localhost\r\n\r\n",
        ):
            answer = await say(port, nonsense)
            assert status(answer) == 400
            assert body(answer)["code"] == "InvalidParameter"


async def test_two_lengths_are_no_request(home: House) -> None:
    async with listening(home.face) as port:
        smuggled = head(
            home, f"POST {T2I} HTTP/1.1", "Content-Length: 5", "Transfer-Encoding: chunked"
        )
        answer = await say(port, smuggled + b"0\r\n\r\n")
    assert status(answer) == 400


async def test_an_unread_body_is_thrown_away_for_a_while(
    home: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "LINGER_SECONDS", 0.1)
    async with listening(home.face) as port:
        answer = await say(port, head(home, "POST /nowhere HTTP/1.1", "Content-Length: 999"))
    assert status(answer) == 404


async def test_a_connection_serves_many_requests(home: House) -> None:
    async with listening(home.face) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(3):
            writer.write(head(home, "GET /healthz HTTP/1.1"))
            answer = await asyncio.wait_for(reader.readuntil(b'"alive"}'), 10)
            assert status(answer) == 200
        writer.close()


async def test_a_held_query_is_answered_before_the_server_ends(tmp_path: Path) -> None:
    async with house(tmp_path, Options(hold=1.5)) as home, home.client() as client:
        made = await client.post(T2I, json=ORDER, headers={"X-DashScope-Async": "enable"})
        task_id = made.json()["output"]["task_id"]
        async with listening(home.face, drain=10) as port:
            request = head(home, f"GET /api/v1/tasks/{task_id} HTTP/1.1")
            asking = asyncio.create_task(say(port, request))
            await asyncio.sleep(0.2)
        assert status(await asking) == 200


class _Kept(BytesIO):
    """A file that can still be read after its writer closed it."""

    def close(self) -> None:
        pass


async def test_the_access_log_tells_requests_but_no_secrets(tmp_path: Path) -> None:
    kept = _Kept()
    log = AccessLog(kept)
    async with house(tmp_path, access=log) as home, home.client() as client:
        await client.get("/api/v1/tasks?page_size=3")
        await client.get("/files/x%1b[1my?Expires=1&Signature=secret")
        log.close()
        lines = [json.loads(line) for line in kept.getvalue().splitlines()]
        text = kept.getvalue()
    assert [(one["path"], one["route"], one["status"]) for one in lines] == [
        ("/api/v1/tasks", "list", 200),
        ("/files/x\x1b[1my", "file", 403),
    ]
    for secret in (home.key.encode(), b"page_size", b"secret", b"\x1b"):
        assert secret not in text
