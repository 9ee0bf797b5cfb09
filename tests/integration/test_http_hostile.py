"""What a hostile client tries on one connection, beyond what is merely malformed."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from house import ASYNC, ORDER, T2I, House, house, listening, say
from structlog.testing import capture_logs
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from ferrotype.http import connection
from ferrotype.http.app import Options
from ferrotype.http.body import Limits

UPGRADE = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk")
CREATE = f"POST {T2I} HTTP/1.1"
BODY = json.dumps(ORDER).encode()


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path) as found:
        yield found


def head(line: str, *more: str) -> bytes:
    return "\r\n".join([line, "Host: localhost", *more, "\r\n"]).encode()


def statuses(answer: bytes) -> list[int]:
    return [int(part[:3]) for part in answer.split(b"HTTP/1.1 ")[1:]]


async def test_what_follows_a_body_is_no_header(home: House) -> None:
    chunked = b"%x\r\n%b\r\n0\r\n" % (len(BODY), BODY)
    trailer = f"Authorization: Bearer {home.key}\r\n\r\n".encode()
    how = ("X-DashScope-Async: enable", "Transfer-Encoding: chunked", "Connection: close")
    async with listening(home.face) as port:
        answer = await say(port, head(CREATE, *how), chunked + trailer)
        assert statuses(answer) == [401]
        answer = await say(port, head(CREATE, *how) + chunked + trailer)
    assert statuses(answer) == [401]


async def test_trailers_are_not_collected(home: House, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[bytes] = []
    on_header = HttpToolsProtocol.on_header

    def count(self: HttpToolsProtocol, name: bytes, value: bytes) -> None:
        taken.append(name)
        on_header(self, name, value)

    monkeypatch.setattr(HttpToolsProtocol, "on_header", count)
    monkeypatch.setattr(connection, "LINGER_SECONDS", 0.2)
    async with listening(home.face) as port:
        opening = head("POST /nowhere HTTP/1.1", "Transfer-Encoding: chunked")
        await say(port, opening + b"0\r\n", *[b"a: b\r\n" * 1000] * 20)
    assert taken == [b"Host", b"Transfer-Encoding"]


@pytest.mark.parametrize(
    "framing",
    [b"zz\r\n{}\r\n0\r\n\r\n", b"-2\r\n{}\r\n", b"F" * 17 + b"\r\n{}", b"2\r\n{}XX0\r\n\r\n"],
)
async def test_a_body_in_broken_chunks_is_answered(home: House, framing: bytes) -> None:
    opening = head(CREATE, f"Authorization: Bearer {home.key}", "Transfer-Encoding: chunked")
    async with listening(home.face) as port:
        assert statuses(await say(port, opening + framing)) == [400]
        assert statuses(await say(port, opening, framing)) == [400]


async def test_a_wish_for_another_protocol_is_passed_over(home: House) -> None:
    """As Java's own client sends it with each first request."""
    key = f"Authorization: Bearer {home.key}"
    sized = head(CREATE, key, *UPGRADE, "X-DashScope-Async: enable", f"Content-Length: {len(BODY)}")
    chunks = head(CREATE, key, *UPGRADE, "X-DashScope-Async: enable", "Transfer-Encoding: chunked")
    chunked = b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)
    plain = head("GET /healthz HTTP/1.1", *UPGRADE)
    last = head("GET /healthz HTTP/1.1", "Connection: close")
    async with listening(home.face) as port:
        assert statuses(await say(port, sized + BODY + plain + last)) == [200, 200, 200]
        assert statuses(await say(port, sized, BODY, chunks, chunked, last)) == [200, 200, 200]
        assert statuses(await say(port, plain * 300 + last)) == [200] * 301


async def test_a_client_that_never_reads_is_cut_off(
    home: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "READ_SECONDS", 0.3)
    much = "%00" * 20_000  # each comes back as six characters
    ask = head(f"GET /api/v1/tasks/{much} HTTP/1.1", f"Authorization: Bearer {home.key}")
    async with listening(home.face) as port:
        with socket.socket() as mute:
            mute.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            mute.setblocking(False)
            loop = asyncio.get_running_loop()
            await loop.sock_connect(mute, ("127.0.0.1", port))
            with pytest.raises(ConnectionError):
                async with asyncio.timeout(10):
                    while True:
                        await loop.sock_sendall(mute, ask)
                        await asyncio.sleep(0.01)


async def test_a_download_that_is_not_read_ends_with_one_quiet_line(
    home: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(connection, "READ_SECONDS", 0.3)
    ask = head(f"GET {await large_file(home)} HTTP/1.1")
    with capture_logs() as said:
        async with listening(home.face) as port:
            with socket.socket() as mute:
                mute.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                mute.setblocking(False)
                loop = asyncio.get_running_loop()
                await loop.sock_connect(mute, ("127.0.0.1", port))
                await loop.sock_sendall(mute, ask)
                async with asyncio.timeout(10):
                    while not said:
                        await asyncio.sleep(0.05)
            well = head("GET /healthz HTTP/1.1", "Connection: close")
            assert statuses(await say(port, well)) == [200]
    assert [line["event"] for line in said] == ["a client does not read"]
    assert caplog.records == []


async def large_file(home: House) -> str:
    """Make a picture that no socket's buffers can hold, and return its link without the host."""
    async with home.client() as client:
        made = await client.post(T2I, json=ORDER, headers=ASYNC)
        await home.succeed(await home.claim())
        answer = await client.get(f"/api/v1/tasks/{made.json()['output']['task_id']}")
    link = urlsplit(answer.json()["output"]["results"][0]["url"])
    large = home.folder / "large.png"
    large.write_bytes(bytes(16 << 20))
    await home.store.put(link.path.removeprefix("/files/"), large, "image/png")
    return f"{link.path}?{link.query}"


async def test_bodies_on_their_way_share_one_room(tmp_path: Path) -> None:
    """No number of callers fills the memory; those that are finished leave room for others."""
    limits = Limits(body=1_000_000, together=1_500_000)
    async with house(tmp_path, Options(limits=limits)) as home, listening(home.face) as port:
        how = ("X-DashScope-Async: enable", f"Authorization: Bearer {home.key}")
        body = json.dumps({**ORDER, "x": "y" * 900_000}).encode()
        opening = head(CREATE, *how, f"Content-Length: {len(body)}")
        streams = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
        for _, writer in streams:
            writer.write(opening + body[:-1])
            await writer.drain()
        answers = [asyncio.create_task(reader.readline()) for reader, _ in streams]
        await asyncio.wait(answers, timeout=10, return_when=asyncio.FIRST_COMPLETED)
        for _, writer in streams:
            writer.write(body[-1:])
        told = [statuses(await answer) for answer in answers]
        assert sorted(told) in ([[200], [200], [429]], [[200], [429], [429]])
        for _, writer in streams:
            writer.close()
        opening = opening.replace(b"\r\n", b"\r\nConnection: close\r\n", 1)
        assert statuses(await say(port, opening + body)) == [200]


async def test_idle_connections_leave_room_for_our_own_files(
    home: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = head("GET /healthz HTTP/1.1")
    async with listening(home.face) as port:
        monkeypatch.setattr("resource.getrlimit", lambda _: (16, 16))
        streams = [await asyncio.open_connection("127.0.0.1", port) for _ in range(12)]
        for _, writer in streams:
            writer.write(ask)
        for reader, _ in streams:
            assert await asyncio.wait_for(reader.readline(), 10) == b"HTTP/1.1 200 OK\r\n"
        assert await is_refused(port)
        streams.pop()[1].close()
        async with asyncio.timeout(10):
            while await is_refused(port):
                await asyncio.sleep(0.05)
        for _, writer in streams:
            writer.close()


async def is_refused(port: int) -> bool:
    """Tell whether the server closes a connection without a word."""
    try:
        return await say(port, head("GET /healthz HTTP/1.1", "Connection: close")) == b""
    except ConnectionError:
        return True
