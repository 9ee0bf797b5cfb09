"""The HTTP to one upstream: every call ends as an answer, as surely not sent, or as unclear.

A create goes over a connection of its own. On one that was used before, the other side may hang up
just as the request leaves, and then nobody knows whether it was read.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import httpcore
import httpx
import msgspec

import ferrotype
from ferrotype.engines.dashscope.options import Place, Timeouts
from ferrotype.engines.dashscope.told import Reply
from ferrotype.errors import InvalidURL
from ferrotype.gate.guard import Banned, Guard, GuardedBackend
from ferrotype.gate.urls import Location, parse

MAX_ANSWER = 8 * 1024 * 1024  # bytes
_RESOLVE = ("X-DashScope-OssResourceResolve", "enable")


class NotSent(Exception):
    """No byte of the request has left us, for the reason that this says."""


class Unclear(Exception):
    """The request may have been read, and how it was taken is not known."""


class Line:
    """Calls to one upstream. No retries, redirects, cookies or proxies."""

    def __init__(self, place: Place, guard: Guard, timeouts: Timeouts, tls: ssl.SSLContext) -> None:
        self._place = place
        self._guard = guard
        self._timeouts = timeouts
        self._tls = tls
        self._kept = self._pool(kept=32)
        self._fresh = self._pool(kept=0)

    async def close(self) -> None:
        """Hang up."""
        await self._kept.aclose()
        await self._fresh.aclose()

    async def create(
        self,
        route: str,
        body: Mapping[str, object],
        *,
        asynchronous: bool,
        files: bool,
        events: bool,
    ) -> Reply:
        """Post a task, once. `files`: it has `oss://` addresses; `events`: answer in a stream."""
        headers = [("Content-Type", "application/json"), ("Connection", "close")]
        if asynchronous:
            headers.append(("X-DashScope-Async", "enable"))
        if files:
            headers.append(_RESOLVE)
        if events:
            headers += [("X-DashScope-SSE", "enable"), ("Accept", "text/event-stream")]
        seconds = self._timeouts.answer if asynchronous else self._timeouts.sync
        content = msgspec.json.encode(body)
        at = self._at(f"/services/aigc/{route}")
        return await self._ask(self._fresh, "POST", at, self._with_key(headers), content, seconds)

    async def query(self, task: str) -> Reply:
        """Ask how a task is."""
        return await self._get(f"/tasks/{quote(task, safe='')}")

    async def policy(self, model: str) -> Reply:
        """Ask for leave to upload files for a model."""
        return await self._get("/uploads?" + urlencode({"action": "getPolicy", "model": model}))

    async def cancel(self, task: str, seconds: float) -> Reply:
        """Ask that a task which has not begun does not begin."""
        at = self._at(f"/tasks/{quote(task, safe='')}/cancel")
        return await self._ask(self._kept, "POST", at, self._with_key([]), b"", seconds)

    async def upload(self, host: str, fields: Mapping[str, str], file: Path, type: str) -> Reply:
        """Post a form with a file, without our key, to where the upstream told us to."""
        try:
            at = parse(host)
            self._guard.check(at)
        except (InvalidURL, Banned) as error:
            raise NotSent(f"the upload address that it told is closed: {error}") from None
        if at.scheme != "https" and not self._place.local:
            raise NotSent("the upload address that it told is not https")
        with file.open("rb") as stream:
            form = httpx.Request(
                "POST", str(at), data=dict(fields), files={"file": (file.name, stream, type)}
            )
            headers = [(k, v) for k, v in form.headers.items() if k.lower() != "host"]
            assert isinstance(form.stream, httpx.AsyncByteStream)
            seconds = self._timeouts.upload
            return await self._ask(self._kept, "POST", at, headers, aiter(form.stream), seconds)

    async def _get(self, target: str) -> Reply:
        at = self._at(target)
        seconds = self._timeouts.answer
        return await self._ask(self._kept, "GET", at, self._with_key([]), b"", seconds)

    def _at(self, target: str) -> Location:
        return parse(f"{self._place.base}/api/v1{target}")

    def _with_key(self, headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
        own = [("Authorization", f"Bearer {self._place.key}")]
        if self._place.workspace:
            own.append(("X-DashScope-WorkSpace", self._place.workspace))
        return own + headers

    def _pool(self, kept: int) -> httpcore.AsyncConnectionPool:
        return httpcore.AsyncConnectionPool(
            ssl_context=self._tls,
            max_connections=2000,
            max_keepalive_connections=kept,
            keepalive_expiry=20.0,
            network_backend=GuardedBackend(self._guard),
        )

    async def _ask(
        self,
        pool: httpcore.AsyncConnectionPool,
        method: str,
        at: Location,
        headers: list[tuple[str, str]],
        content: bytes | AsyncIterator[bytes],
        seconds: float,
    ) -> Reply:
        own = [
            ("Host", at.netloc),
            ("User-Agent", f"Ferrotype/{ferrotype.__version__}"),
            ("Accept-Encoding", "identity"),
        ]
        if isinstance(content, bytes) and method == "POST":
            own.append(("Content-Length", str(len(content))))
        names = {name.lower() for name, _ in headers}
        own = [(name, value) for name, value in own if name.lower() not in names]
        call = pool.stream(
            method,
            httpcore.URL(
                scheme=at.scheme.encode(),
                host=at.host.encode(),
                port=at.port,
                target=at.target.encode(),
            ),
            headers=own + headers,
            content=content,
            extensions={"timeout": {"connect": self._timeouts.connect, "pool": seconds}},
        )
        return await _surely(_whole(call), seconds)


async def _surely(asking: Coroutine[Any, Any, Reply], seconds: float) -> Reply:
    """Turn every way in which a call may break into one of two."""
    try:
        async with asyncio.timeout(seconds):
            return await asking
    except (httpcore.ConnectError, httpcore.ConnectTimeout, httpcore.PoolTimeout, Banned) as error:
        raise NotSent(_why(error, "it cannot be reached")) from None
    except TimeoutError:
        raise Unclear(f"no answer came within {seconds:g} s") from None
    except (httpcore.NetworkError, httpcore.TimeoutException) as error:
        raise Unclear(_why(error, "the connection broke off")) from None
    except (httpcore.ProtocolError, httpcore.UnsupportedProtocol) as error:
        raise Unclear(_why(error, "what came back is no HTTP")) from None


async def _whole(call: AbstractAsyncContextManager[httpcore.Response]) -> Reply:
    async with call as response:
        headers = {
            name.decode("latin-1").lower(): value.decode("latin-1")
            for name, value in response.headers
        }
        body = bytearray()
        async for chunk in response.aiter_stream():
            body += chunk
            if len(body) > MAX_ANSWER:
                raise Unclear(f"the answer has more than {MAX_ANSWER} bytes")
        return Reply(status=response.status, headers=headers, body=bytes(body))


def _why(error: Exception, what: str) -> str:
    return f"{what} ({error})" if str(error) else what
