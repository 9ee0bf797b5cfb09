"""The guarded download against real servers on loopback, most of which mean harm."""

import asyncio
import gzip
import io
import os
import socket
import ssl
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from ipaddress import ip_address
from pathlib import Path

import httpcore
import pytest
from PIL import Image

from ferrotype.errors import (
    FerrotypeError,
    InputDownloadFailed,
    InvalidFileSize,
    InvalidURL,
    Refused,
)
from ferrotype.fetchers.guarded import GuardedFetcher
from ferrotype.fetchers.media_process import MediaProcess
from ferrotype.gate.download import Downloader, Limits
from ferrotype.gate.guard import Banned, Guard
from ferrotype.ports.fetcher import FileRule

Answer = Callable[[str, asyncio.StreamWriter], Awaitable[None]]
TLS = Path(__file__).parent / "tls"
CLOSED = "the host cannot be reached, or is not allowed"


class Server:
    """A server on 127.0.0.1 that answers as the test says, and keeps what it was asked."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer | bytes] = {}
        self.asked: list[str] = []
        self.port = 0

    def url(self, path: str = "/", host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            request = (await reader.readuntil(b"\r\n\r\n")).decode()
            self.asked.append(request)
            answer = self.answers.get(request.split()[1], reply(b"", "404 Not Found"))
            if isinstance(answer, bytes):
                writer.write(answer)
                await writer.drain()
            else:
                await answer(request, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()


def reply(body: bytes, status: str = "200 OK", *headers: str, length: int | None = None) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body) if length is None else length}"]
    return "\r\n".join([*lines, *headers, "", ""]).encode() + body


def redirect(to: str, status: str = "302 Found") -> bytes:
    return reply(b"", status, f"Location: {to}")


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    server = Server()
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.port = listener.sockets[0].getsockname()[1]
    yield server
    listener.close()


def names(**hosts: Sequence[str]) -> Callable[[str, int], Awaitable[Sequence[str]]]:
    async def resolve(host: str, port: int) -> Sequence[str]:
        found = hosts.get(host.replace(".", "_"))
        if found is None:
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        return found

    return resolve


async def download(
    url: str, guard: Guard, max_bytes: int = 1 << 20, limits: Limits | None = None
) -> bytes:
    file = io.BytesIO()
    await Downloader(guard, limits).download(url, file, max_bytes)
    return file.getvalue()


LOOPBACK = Guard(allow_loopback=True)


async def test_a_file_comes_whole_and_we_say_little(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(variable, "http://127.0.0.1:9/")
    body = os.urandom(300_000)
    server.answers["/a?b=c"] = reply(body)
    assert await download(server.url("/a?b=c#d"), LOOPBACK) == body
    lines = server.asked[0].split("\r\n")
    assert lines[0] == "GET /a?b=c HTTP/1.1"
    sent = {line.split(":")[0].lower() for line in lines[1:] if line}
    assert sent == {"host", "user-agent", "accept", "accept-encoding", "connection"}
    assert f"Host: 127.0.0.1:{server.port}" in lines
    assert "Accept-Encoding: identity" in lines


async def test_localhost_is_loopback_too(server: Server) -> None:
    server.answers["/"] = reply(b"x")
    assert await download(server.url(host="localhost"), LOOPBACK) == b"x"


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "0.0.0.0",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "10.0.0.1",
        "169.254.169.254",
        "[64:ff9b::7f00:1]",
        "[fd00:ec2::254]",
        "100.100.100.200",
        "private.example",
        "mixed.example",
        "mapped.example",
        "none.example",
        "empty.example",
        "127.0.0.1.nip.example",
        "odd.example",
    ],
)
async def test_closed_hosts_are_never_connected_to(
    host: str, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("connected")

    monkeypatch.setattr("httpcore.AnyIOBackend.connect_tcp", refuse)
    guard = Guard(
        resolve=names(
            localhost=["127.0.0.1"],
            private_example=["192.168.1.1"],
            mixed_example=["93.184.216.34", "127.0.0.1"],
            mapped_example=["::ffff:127.0.0.1"],
            empty_example=[],
            odd_example=["93.184.216.34", "odd"],
            **{"127_0_0_1_nip_example": ["127.0.0.1"]},
        )
    )
    with pytest.raises(InputDownloadFailed, match=CLOSED):
        await download(f"http://{host}/", guard)


@pytest.mark.parametrize("host", ["0.0.0.0", "[::ffff:127.0.0.1]", "[::]", "nip.example"])
async def test_allowed_loopback_must_say_that_it_is(host: str, server: Server) -> None:
    server.answers["/"] = reply(b"x")
    guard = Guard(allow_loopback=True, resolve=names(nip_example=["127.0.0.1"]))
    with pytest.raises(InputDownloadFailed, match=CLOSED):
        await download(server.url(host=host), guard)
    assert server.asked == []


@pytest.mark.parametrize("port", [22, 25, 6379, 8080, 9464])
async def test_other_ports_are_closed(port: int) -> None:
    guard = Guard(resolve=names(example_com=["93.184.216.34"]))
    with pytest.raises(InputDownloadFailed, match=CLOSED):
        await download(f"http://example.com:{port}/", guard)


async def test_the_operator_may_name_a_host_and_port(server: Server) -> None:
    server.answers["/"] = reply(b"x")
    resolve = names(store_example=["127.0.0.1"])
    guard = Guard(allow=[f"store.example:{server.port}"], resolve=resolve)
    assert await download(server.url(host="store.example"), guard) == b"x"
    for entry in ("store.example", f"store.example:{server.port + 1}", f"other:{server.port}"):
        with pytest.raises(InputDownloadFailed, match=CLOSED):
            await download(server.url(host="store.example"), Guard(allow=[entry], resolve=resolve))
    assert len(server.asked) == 1


async def test_the_operator_may_open_a_network() -> None:
    resolve = names(example_com=["198.18.0.7"])
    assert await Guard(allow=["198.18.0.0/15"], resolve=resolve).addresses("example.com", 443)
    with pytest.raises(Banned):
        await Guard(allow=["10.0.0.0/8"], resolve=resolve).addresses("example.com", 443)


async def test_a_name_that_changes_its_mind_is_asked_once(server: Server) -> None:
    """DNS rebinding: the address that was checked is the one that is connected to."""
    asked: list[str] = []

    async def resolve(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["127.0.0.2"]

    server.answers["/"] = reply(b"x")
    guard = Guard(allow=[f"rebind.example:{server.port}"], resolve=resolve)
    assert await download(server.url(host="rebind.example"), guard) == b"x"
    assert asked == ["rebind.example"]


async def test_a_name_that_turns_private_on_a_redirect_is_closed(server: Server) -> None:
    answers = iter([["127.0.0.1"], ["10.0.0.1"]])

    async def resolve(host: str, port: int) -> Sequence[str]:
        return next(answers)

    server.answers["/"] = redirect("http://rebind.example/secret")
    guard = Guard(allow=[f"rebind.example:{server.port}"], resolve=resolve)
    with pytest.raises(InputDownloadFailed, match=CLOSED):
        await download(server.url(host="rebind.example"), guard)


async def test_the_peer_of_the_open_socket_is_checked(server: Server) -> None:
    """Whatever lies between: who answers must be who was asked for, and not this machine."""
    server.answers["/"] = reply(b"x")
    real = httpcore.AnyIOBackend()
    stream = await real.connect_tcp("127.0.0.1", server.port)
    try:
        with pytest.raises(Banned, match="instead of"):
            LOOPBACK.check_peer("example.com", 80, ip_address("93.184.216.34"), stream)
        everything = Guard(allow=["127.0.0.0/8"])
        with pytest.raises(Banned, match="this machine"):
            everything.check_peer("example.com", 80, ip_address("127.0.0.1"), stream)
    finally:
        await stream.aclose()


@pytest.mark.parametrize(
    "to",
    [
        "http://169.254.169.254/latest/meta-data/",
        "http://10.0.0.1/",
        "http://0.0.0.0/",
        "http://[::ffff:7f00:1]/",
        "//192.168.0.1/",
        "http://unknown.example/",
        "http://example.com:22/",
    ],
)
async def test_each_redirect_is_checked(server: Server, to: str) -> None:
    server.answers["/"] = redirect(to)
    guard = Guard(allow_loopback=True, resolve=names(example_com=["93.184.216.34"]))
    with pytest.raises(InputDownloadFailed, match=CLOSED):
        await download(server.url(), guard)


@pytest.mark.parametrize(
    "to", ["file:///etc/passwd", "ftp://127.0.0.1/", "http://a@127.0.0.1/", ""]
)
async def test_redirects_to_other_things_are_refused(server: Server, to: str) -> None:
    server.answers["/"] = redirect(to)
    with pytest.raises(InvalidURL):
        await download(server.url(), LOOPBACK)


async def test_three_redirects_and_no_more(server: Server) -> None:
    server.answers |= {f"/{i}": redirect(f"/{i + 1}", "307 Temporary") for i in range(4)}
    server.answers["/4"] = reply(b"end")
    assert await download(server.url("/1"), LOOPBACK) == b"end"
    with pytest.raises(InputDownloadFailed, match="too many redirects"):
        await download(server.url("/0"), LOOPBACK)


@pytest.mark.parametrize("status", ["204 No Content", "206 Partial Content", "404 Not Found"])
async def test_only_200_is_a_file(server: Server, status: str) -> None:
    server.answers["/"] = reply(b"", status)
    with pytest.raises(InputDownloadFailed, match=f"the server answered {status[:3]}"):
        await download(server.url(), LOOPBACK)


async def test_what_says_that_it_is_too_large_is_not_read(server: Server) -> None:
    server.answers["/"] = reply(b"", length=1 << 40)
    with pytest.raises(InputDownloadFailed, match="larger than 1000 bytes"):
        await download(server.url(), LOOPBACK, 1000)


async def test_an_endless_body_is_cut_off(server: Server) -> None:
    sent = 0

    async def endless(request: str, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while sent < 1 << 30:
            writer.write(bytes(1 << 16))
            await writer.drain()
            sent += 1 << 16

    server.answers["/"] = endless
    with pytest.raises(InputDownloadFailed, match="larger than 100000 bytes"):
        await download(server.url(), LOOPBACK, 100_000)
    assert sent < 1 << 27


async def drip(writer: asyncio.StreamWriter, text: bytes) -> None:
    for byte in text:
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(0.02)


@pytest.mark.parametrize("ready", [0, 20, 200])
async def test_who_drips_is_left(server: Server, ready: int) -> None:
    whole = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + bytes(100_000)

    async def slow(request: str, writer: asyncio.StreamWriter) -> None:
        writer.write(whole[:ready])
        await drip(writer, whole[ready:])

    server.answers["/"] = slow
    with pytest.raises(InputDownloadFailed, match="it took too long"):
        await download(server.url(), LOOPBACK, limits=Limits(total=0.5))


async def test_who_says_nothing_is_left(server: Server) -> None:
    async def silent(request: str, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(30)

    server.answers["/"] = silent
    with pytest.raises(InputDownloadFailed, match="the connection broke off"):
        await download(server.url(), LOOPBACK, limits=Limits(idle=0.2))


async def test_endless_headers_are_cut_off(server: Server) -> None:
    sent = 0

    async def endless(request: str, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\n")
        while sent < 1 << 30:
            writer.write(b"X-Header: " + b"x" * 10_000 + b"\r\n")
            await writer.drain()
            sent += 10_000

    server.answers["/"] = endless
    with pytest.raises(InputDownloadFailed, match="does not speak HTTP"):
        await download(server.url(), LOOPBACK)
    assert sent < 1 << 27


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (reply(b"short", length=100), "does not speak HTTP"),
        (reply(b"", length=100), "does not speak HTTP"),
        (reply(b""), "it is empty"),
        (b"SSH-2.0-OpenSSH_9.9\r\n", "does not speak HTTP"),
        (b"", "does not speak HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx", "does not speak"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "does not speak HTTP"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "does not speak HTTP"),
    ],
)
async def test_broken_answers_are_refused(server: Server, answer: bytes, why: str) -> None:
    server.answers["/"] = answer
    with pytest.raises(InputDownloadFailed, match=why):
        await download(server.url(), LOOPBACK)


async def test_more_than_was_said_is_not_read(server: Server) -> None:
    server.answers["/"] = reply(b"four+more", length=4)
    assert await download(server.url(), LOOPBACK) == b"four"


async def test_nothing_is_unpacked(server: Server) -> None:
    bomb = gzip.compress(bytes(50 << 20))
    server.answers["/named"] = reply(bomb, "200 OK", "Content-Encoding: gzip")
    server.answers["/unnamed"] = reply(bomb)
    with pytest.raises(InputDownloadFailed, match="encoded"):
        await download(server.url("/named"), LOOPBACK)
    assert await download(server.url("/unnamed"), LOOPBACK) == bomb


async def test_a_listener_without_tls_is_not_spoken_to(server: Server) -> None:
    with pytest.raises(InputDownloadFailed, match=CLOSED):
        await download(f"https://127.0.0.1:{server.port}/", LOOPBACK, limits=Limits(connect=0.3))
    assert server.asked == []


@pytest.fixture
async def tls_server() -> AsyncIterator[Server]:
    """A server whose certificate names good.example, localhost and 127.0.0.1, and signs itself."""
    server = Server()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(TLS / "server.pem", TLS / "server.key")
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0, ssl=context)
    server.port = listener.sockets[0].getsockname()[1]
    yield server
    listener.close()


async def test_certificates_are_checked_against_the_name(tls_server: Server) -> None:
    port = tls_server.port
    guard = Guard(
        allow=[f"good.example:{port}", f"evil.example:{port}"],
        resolve=names(good_example=["127.0.0.1"], evil_example=["127.0.0.1"]),
    )
    trusting = ssl.create_default_context(cafile=TLS / "server.pem")
    tls_server.answers["/"] = reply(b"x")
    file = io.BytesIO()
    await Downloader(guard, tls=trusting).download(f"https://good.example:{port}/", file, 10)
    assert file.getvalue() == b"x"
    for url, tls in (
        (f"https://evil.example:{port}/", trusting),
        (f"https://good.example:{port}/", None),
    ):
        with pytest.raises(InputDownloadFailed, match=CLOSED):
            await Downloader(guard, tls=tls).download(url, io.BytesIO(), 10)
    assert len(tls_server.asked) == 1


async def test_no_way_leads_from_https_to_http(server: Server, tls_server: Server) -> None:
    server.answers["/"] = reply(b"x")
    tls_server.answers["/"] = redirect(server.url())
    trusting = ssl.create_default_context(cafile=TLS / "server.pem")
    with pytest.raises(InputDownloadFailed, match="from https to http"):
        await Downloader(LOOPBACK, tls=trusting).download(
            f"https://127.0.0.1:{tls_server.port}/", io.BytesIO(), 10
        )
    assert server.asked == []


async def test_a_closed_port_says_no_more_than_a_closed_host() -> None:
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        with pytest.raises(FerrotypeError) as refused:
            await download(f"http://127.0.0.1:{unheard.getsockname()[1]}/", LOOPBACK)
    with pytest.raises(FerrotypeError) as closed:
        await download("http://10.0.0.1/", LOOPBACK)
    assert refused.value.message == closed.value.message


async def test_memory_stays_flat(server: Server, tmp_path: Path) -> None:
    """The body goes to the file as it comes: no more than a few chunks are ever held."""

    async def large(request: str, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        for _ in range(640):
            writer.write(bytes(1 << 16))
            await writer.drain()

    server.answers["/"] = large
    with (tmp_path / "file").open("wb") as file:
        tracemalloc.start()
        try:
            await Downloader(LOOPBACK).download(server.url(), file, 100 << 20)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert (tmp_path / "file").stat().st_size == 40 << 20
    assert peak < 10 << 20


async def test_fetch_leaves_only_the_file_that_we_wrote(server: Server, tmp_path: Path) -> None:
    picture = io.BytesIO()
    Image.new("RGB", (64, 48), (0, 200, 0)).save(picture, "JPEG")
    server.answers["/a.jpg"] = reply(picture.getvalue())
    server.answers["/page"] = reply(b"<html>")
    fetcher = GuardedFetcher(Downloader(LOOPBACK), MediaProcess())
    rule = FileRule(types=("image/jpeg",), max_bytes=1 << 20)
    file = await fetcher.fetch(server.url("/a.jpg"), tmp_path, "first_0", rule)
    assert (file.path, file.width, file.height) == (str(tmp_path / "first_0.png"), 64, 48)
    for path in ("/page", "/nothing"):
        with pytest.raises(Refused):
            await fetcher.fetch(server.url(path), tmp_path, "second_0", rule)
    assert [path.name for path in tmp_path.iterdir()] == ["first_0.png"]


@pytest.mark.parametrize("name", ["", "..", "a/b", "a.png", "a\0"])
async def test_names_are_made_by_us(server: Server, tmp_path: Path, name: str) -> None:
    fetcher = GuardedFetcher(Downloader(LOOPBACK), MediaProcess())
    with pytest.raises(ValueError, match="not a plain name"):
        await fetcher.fetch(server.url(), tmp_path, name, FileRule(types=(), max_bytes=1))


async def test_what_is_too_large_is_told_in_the_words_for_its_kind(
    server: Server, tmp_path: Path
) -> None:
    server.answers["/"] = reply(bytes(2000))
    fetcher = GuardedFetcher(Downloader(LOOPBACK), MediaProcess())
    for types, error in (
        (("video/mp4",), InvalidFileSize),
        (("image/png", "video/mp4"), InputDownloadFailed),
    ):
        rule = FileRule(types=types, max_bytes=1000)
        with pytest.raises(error, match="larger than 1000 bytes"):
            await fetcher.fetch(server.url(), tmp_path, "fetched", rule)
        raw = tmp_path / ".raw"
        raw.write_bytes(bytes(2000))
        with pytest.raises(error, match="larger than 1000 bytes"):
            await fetcher.clean(raw, tmp_path, "cleaned", rule)
        assert list(tmp_path.iterdir()) == []
