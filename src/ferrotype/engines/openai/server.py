"""The server as the engine calls it: one request, one answer, one of four kinds of trouble."""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from ferrotype.engines.openai import wire
from ferrotype.engines.openai.health import Health
from ferrotype.engines.openai.options import Options
from ferrotype.engines.openai.wire import Film, Garbage
from ferrotype.media import File
from ferrotype.ports.engine import EngineRefusal, EngineUnfit

MAX_ANSWER = 256 * 1024 * 1024  # bytes of an answer in memory: a picture in base64
MAX_FILM = 512 * 1024 * 1024  # bytes
IDLE = 60.0  # seconds that a film's bytes, or the answer to a look at it, may keep us waiting
HOLD = 10.0  # seconds that a server is left alone which says that it has too much to do
REFUSES = (400, 413, 415, 422)
BUSY = (429, 503)
Fields = Mapping[str, Any]


class ServerFault(Exception):
    """The server broke down over a request."""


class Lost(Exception):
    """The server does not know a film (any more)."""


class Unreached(EngineUnfit):
    """Nothing was begun there: no connection, no key, or too much to do."""


class Server:
    """One server. Every method raises `EngineRefusal`, `Unreached`, `ServerFault` or `Garbage`."""

    def __init__(self, options: Options, health: Health) -> None:
        self._options = options
        self._health = health
        self._client: httpx.AsyncClient | None = None

    async def draw(self, fields: Fields) -> bytes:
        """Ask for one picture; return its file. There is no limit of time."""
        return await self._draw("/v1/images/generations", json=dict(fields))

    async def edit(self, fields: Fields, pictures: Sequence[File]) -> bytes:
        """Ask for one picture made from others; return its file."""
        return await self._draw(
            "/v1/images/edits", files=_form(fields, [("image", file) for file in pictures])
        )

    async def _draw(self, path: str, **what: Any) -> bytes:
        return wire.read_pictures(await self._ask("POST", path, read=None, **what))

    async def begin_film(self, fields: Fields, first: File | None) -> Film:
        """Ask for a film."""
        what: dict[str, Any]
        if first is None and self._options.flavour == "sglang":
            what = {"json": dict(fields)}  # its form needs a picture
        else:
            what = {"files": _form(fields, [("input_reference", first)] if first else [])}
        film = wire.read_film(await self._ask("POST", "/v1/videos", **what))
        if film is None:
            raise Garbage("the server did not say which film it began")
        return film

    async def look(self, film: str) -> Film:
        """Return how a film is. Raises `Lost`."""
        async with self._send("GET", f"/v1/videos/{film}") as response:
            body = await _body(response)
            told = wire.read_film(body)  # a film that failed may come with the status of its error
            if told is not None:
                return told
            self._check(response, body)
        raise Garbage("the server did not say how the film is")

    async def download(self, film: str, into: Path) -> None:
        """Write a finished film's file. Raises `Lost`."""
        async with self._send("GET", f"/v1/videos/{film}/content") as response:
            if not response.is_success:
                self._check(response, await _body(response))
            with into.open("wb") as file:
                left = MAX_FILM
                async for part in response.aiter_bytes():
                    left -= len(part)
                    if left < 0:
                        raise Garbage(f"the film has more than {MAX_FILM} bytes")
                    file.write(part)

    async def remove(self, film: str) -> None:
        """Have a film given up, whether it is made already or not. Raises `Lost`."""
        await self._ask("DELETE", f"/v1/videos/{film}")

    async def _ask(self, method: str, path: str, **what: Any) -> bytes:
        async with self._send(method, path, **what) as response:
            body = await _body(response)
            self._check(response, body)
            return body

    @asynccontextmanager
    async def _send(
        self, method: str, path: str, *, read: float | None = IDLE, **what: Any
    ) -> AsyncIterator[httpx.Response]:
        timeout = httpx.Timeout(self._options.connect, read=read, write=IDLE)
        url = self._options.base + path
        try:
            async with self._open().stream(method, url, timeout=timeout, **what) as response:
                yield response
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            why = f"The server at {self._options.base} cannot be reached: {error!r}."
            raise Unreached(self._health.fail(why)) from error
        except httpx.HTTPError as error:
            self._health.suspect()
            raise ServerFault(f"the server at {self._options.base} went away: {error!r}") from error

    def _open(self) -> httpx.AsyncClient:
        if self._client is None:
            key = self._options.key
            self._client = httpx.AsyncClient(
                headers={"Authorization": f"Bearer {key}"} if key else {},
                limits=httpx.Limits(max_connections=None, keepalive_expiry=4.0),
                trust_env=False,
            )
        return self._client

    def _check(self, response: httpx.Response, body: bytes) -> None:
        """Raise what an answer that is none comes to."""
        status, base = response.status_code, self._options.base
        if response.is_success:
            return
        said = wire.sentence(body)
        if status in REFUSES:
            raise EngineRefusal("InvalidParameter", said)
        if status == 404 and "/v1/videos/" in response.url.path:
            raise Lost(said)
        if status in (401, 403):
            why = f"The server at {base} refuses our key ({status}): set option key."
            raise Unreached(self._health.fail(why, HOLD))
        if status in BUSY:
            why = f"The server at {base} cannot serve now ({status}): {said}"
            raise Unreached(self._health.fail(why, HOLD))
        raise ServerFault(f"the server at {base} answered {status}: {said}")


def _form(fields: Fields, files: Sequence[tuple[str, File]]) -> list[tuple[str, Any]]:
    """Lay fields and files out as multipart/form-data, which these servers want without files too.

    Multipart form data has text alone: structures travel as JSON.
    """
    form: list[tuple[str, Any]] = [(name, (None, _text(value))) for name, value in fields.items()]
    for role, file in files:
        path = Path(file.path)
        form.append((role, (path.name, path.read_bytes(), file.type)))
    return form


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


async def _body(response: httpx.Response) -> bytes:
    parts, size = [], 0
    async for part in response.aiter_bytes():
        size += len(part)
        if size > MAX_ANSWER:
            raise Garbage(f"the server's answer has more than {MAX_ANSWER} bytes")
        parts.append(part)
    return b"".join(parts)
