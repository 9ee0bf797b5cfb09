"""The way out to a receiver: what it sends, and that nothing it meets keeps it or leads it on."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from receivers import Receiver, receiving

from ferrotype.fetchers.poster import Limits, Poster
from ferrotype.gate.guard import Guard
from ferrotype.ports.messenger import Undelivered

TLS = Path(__file__).parent / "tls"
HEADERS = {"Content-Type": "application/cloudevents+json"}
QUICK = Limits(connect=2.0, total=0.5, listen=0.2)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as found:
        yield found


@asynccontextmanager
async def poster(limits: Limits | None = None) -> AsyncIterator[Poster]:
    async with Poster(Guard(allow_loopback=True), limits) as found:
        yield found


async def test_it_says_little_and_keeps_its_connection(receiver: Receiver) -> None:
    async with poster() as out:
        for number in range(3):
            assert await out.post(receiver.url, b"body %d" % number, HEADERS) == 200
    assert receiver.bodies == [b"body 0", b"body 1", b"body 2"]
    assert receiver.connections == 1
    assert set(receiver.heads[0]) == {"host", "user-agent", "content-length", "content-type"}
    assert receiver.heads[0]["host"] == f"127.0.0.1:{receiver.port}"


@pytest.mark.parametrize("status", [201, 204, 400, 404, 410, 429, 500, 503])
async def test_statuses_are_told(receiver: Receiver, status: int) -> None:
    receiver.answer = b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n" % status
    async with poster() as out:
        assert await out.post(receiver.url, b"{}", HEADERS) == status


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("to", ["http://169.254.169.254/latest/meta-data/", "/elsewhere"])
async def test_no_redirect_is_followed(receiver: Receiver, status: int, to: str) -> None:
    answer = f"HTTP/1.1 {status} X\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n"
    receiver.answer = answer.encode()
    async with poster() as out:
        assert await out.post(receiver.url, b"{}", HEADERS) == status
    assert len(receiver.bodies) == 1


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/",
        "http://10.0.0.1/",
        "http://[::1]/",
        "http://127.0.0.1/",
        "http://localhost/",
        "http://93.184.216.34:22/",
        "ftp://93.184.216.34/",
        "nonsense",
    ],
)
async def test_closed_hosts_are_never_connected_to(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: object, **__: object) -> None:
        raise AssertionError("connected")

    monkeypatch.setattr("httpcore.AnyIOBackend.connect_tcp", refuse)
    async with Poster(Guard()) as out:
        with pytest.raises(Undelivered):
            await out.post(url, b"{}", HEADERS)


async def test_who_hangs_is_left(receiver: Receiver) -> None:
    receiver.answer = b""
    async with poster(QUICK) as out:
        with pytest.raises(Undelivered, match="too long"):
            await asyncio.wait_for(out.post(receiver.url, b"{}", HEADERS), 5)


async def test_endless_headers_are_left(receiver: Receiver) -> None:
    receiver.answer, receiver.endless = b"HTTP/1.1 200 OK\r\n", b"X-More: and more\r\n" * 100
    async with poster(QUICK) as out:
        with pytest.raises(Undelivered):
            await asyncio.wait_for(out.post(receiver.url, b"{}", HEADERS), 5)


@pytest.mark.parametrize(
    ("endless", "listen"), [(b"x" * 10_000, 60.0), (b"", 0.2)], ids=["endless", "stuck"]
)
async def test_a_status_counts_whatever_its_body_does(
    receiver: Receiver, endless: bytes, listen: float
) -> None:
    receiver.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\nx"
    receiver.endless = endless
    async with poster(Limits(listen=listen)) as out:
        assert await asyncio.wait_for(out.post(receiver.url, b"{}", HEADERS), 9) == 200
        receiver.answer, receiver.endless = b"HTTP/1.1 204 X\r\n\r\n", b""
        assert await out.post(receiver.url, b"{}", HEADERS) == 204
    assert receiver.connections == 2  # the first one was closed, not read to its end


@pytest.mark.parametrize("answer", [b"220 smtp.example ESMTP\r\n", b"HTTP/1.1 2", b"\x16\x03\x01"])
async def test_what_is_not_http_is_no_answer(receiver: Receiver, answer: bytes) -> None:
    receiver.answer, receiver.closes = answer, True
    async with poster(QUICK) as out:
        with pytest.raises(Undelivered):
            await out.post(receiver.url, b"{}", HEADERS)


async def test_a_closed_port_is_told() -> None:
    async with receiving() as gone:
        pass
    async with poster() as out:
        with pytest.raises(Undelivered):
            await out.post(gone.url, b"{}", HEADERS)


async def test_certificates_are_checked() -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(TLS / "server.pem", TLS / "server.key")
    trusting = ssl.create_default_context(cafile=TLS / "server.pem")
    async with receiving(context) as receiver:
        url = f"https://localhost:{receiver.port}/"
        async with Poster(Guard(allow_loopback=True), tls=trusting) as out:
            assert await out.post(url, b"{}", HEADERS) == 200
        async with poster() as out:
            with pytest.raises(Undelivered):
                await out.post(url, b"{}", HEADERS)
    assert len(receiver.bodies) == 1
