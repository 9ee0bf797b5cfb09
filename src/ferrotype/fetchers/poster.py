"""POSTs to one receiver through the guard: few connections, bounded time, no redirect."""

import asyncio
import ssl
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import httpcore
import httpx

import ferrotype
from ferrotype.errors import InvalidURL
from ferrotype.gate.guard import Banned, Guard, GuardedBackend
from ferrotype.gate.urls import Location, parse
from ferrotype.ports.messenger import Undelivered


@dataclass(frozen=True, slots=True)
class Limits:
    """How far a POST may go. Times in seconds; `total` covers all, the answer's headers included.

    Of an answer's body `heard` bytes within `listen` seconds are read, and thrown away: then its
    connection can serve once more. All others are closed.
    """

    connect: float = 5.0
    total: float = 10.0
    heard: int = 65_536
    listen: float = 1.0
    connections: int = 16
    kept: float = 15.0


class Poster:
    """The port `Messenger`, for one receiver. No cookies, credentials or proxies.

    `async with Poster(guard) as messenger:`
    """

    def __init__(
        self, guard: Guard, limits: Limits | None = None, tls: ssl.SSLContext | None = None
    ) -> None:
        self._guard = guard
        self._limits = limits or Limits()
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=tls or httpx.create_ssl_context(),
            max_connections=self._limits.connections,
            keepalive_expiry=self._limits.kept,
            network_backend=GuardedBackend(guard),
        )

    async def __aenter__(self) -> Self:
        await self._pool.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._pool.__aexit__(kind, error, trace)

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        """Return the status that the server answered. Raises `Undelivered` when it did not."""
        try:
            async with asyncio.timeout(self._limits.total):
                location = parse(url)
                self._guard.check(location)
                return await self._post(location, body, headers)
        except (Banned, InvalidURL) as error:
            raise Undelivered(str(error)) from None
        except TimeoutError:
            raise Undelivered("it took too long") from None
        except (
            httpcore.NetworkError,
            httpcore.ProtocolError,
            httpcore.TimeoutException,
            httpcore.UnsupportedProtocol,
        ) as error:
            raise Undelivered(repr(error)) from None

    async def _post(self, at: Location, body: bytes, headers: Mapping[str, str]) -> int:
        url = httpcore.URL(
            scheme=at.scheme.encode(),
            host=at.host.encode(),
            port=at.port,
            target=at.target.encode(),
        )
        own = [
            ("Host", at.netloc),
            ("User-Agent", f"Ferrotype/{ferrotype.__version__}"),
            ("Content-Length", str(len(body))),
        ]
        waits = {"connect": self._limits.connect, "pool": self._limits.total}
        async with self._pool.stream(
            "POST",
            url,
            headers=[*own, *headers.items()],
            content=body,
            extensions={"timeout": waits},
        ) as response:
            await self._listen(response)
            return response.status

    async def _listen(self, response: httpcore.Response) -> None:
        """Read a short answer to its end. Its status has been heard: no failure here counts."""
        heard = 0
        with suppress(TimeoutError, httpcore.NetworkError, httpcore.ProtocolError):
            async with asyncio.timeout(self._limits.listen):
                async for chunk in response.aiter_stream():
                    heard += len(chunk)
                    if heard > self._limits.heard:
                        return
