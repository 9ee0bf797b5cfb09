"""Downloads a caller's URL to an open file, in constant memory and bounded time."""

import asyncio
import ssl
from dataclasses import dataclass
from typing import BinaryIO

import httpcore
import httpx
import structlog

import ferrotype
from ferrotype.errors import InputDownloadFailed
from ferrotype.gate.guard import Banned, Guard, GuardedBackend
from ferrotype.gate.urls import Location, follow, parse

log = structlog.get_logger()

_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class TooLarge(InputDownloadFailed):
    """The file has more bytes than the rule allows."""

    def __init__(self, max_bytes: int) -> None:
        super().__init__(f"Failed to download the input file: it is larger than {max_bytes} bytes.")


@dataclass(frozen=True, slots=True)
class Limits:
    """How far a download may go. Times in seconds; `total` covers all redirects and the body."""

    redirects: int = 3
    connect: float = 5.0
    idle: float = 10.0
    total: float = 60.0


class Downloader:
    """One GET at a time on connections of its own: no cookies, credentials, proxies or reuse."""

    def __init__(
        self, guard: Guard, limits: Limits | None = None, tls: ssl.SSLContext | None = None
    ) -> None:
        self._guard = guard
        self._limits = limits or Limits()
        self._tls = tls or httpx.create_ssl_context()

    async def download(self, url: str, file: BinaryIO, max_bytes: int) -> None:
        """Write what the URL holds to the file. Raises `InvalidURL` or `InputDownloadFailed`."""
        location = parse(url)
        try:
            async with asyncio.timeout(self._limits.total), self._pool() as pool:
                for _ in range(self._limits.redirects + 1):
                    self._guard.check(location)
                    onward = await self._get(pool, location, file, max_bytes)
                    if onward is None:
                        return
                    location = onward
                raise _failed("too many redirects")
        except Banned as banned:
            log.warning("input refused", action="download", host=location.host, why=str(banned))
            # One answer for closed, unknown and silent hosts: nobody maps our network with it.
            raise _failed("the host cannot be reached, or is not allowed") from None
        except TimeoutError:
            raise _failed("it took too long") from None
        except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
            log.info("input not reached", action="download", host=location.host, why=repr(error))
            raise _failed("the host cannot be reached, or is not allowed") from None
        except (httpcore.TimeoutException, httpcore.NetworkError) as error:
            log.info("input broke off", action="download", host=location.host, why=repr(error))
            raise _failed("the connection broke off") from None
        except (httpcore.ProtocolError, httpcore.UnsupportedProtocol) as error:
            log.info("input broke off", action="download", host=location.host, why=repr(error))
            raise _failed("the server does not speak HTTP, or broke off") from None

    def _pool(self) -> httpcore.AsyncConnectionPool:
        return httpcore.AsyncConnectionPool(
            ssl_context=self._tls,
            max_connections=1,
            max_keepalive_connections=0,
            network_backend=GuardedBackend(self._guard),
        )

    async def _get(
        self, pool: httpcore.AsyncConnectionPool, at: Location, file: BinaryIO, max_bytes: int
    ) -> Location | None:
        """Ask once: fill the file and return None, or return where a redirect leads."""
        limits = self._limits
        waits = {
            "connect": limits.connect,
            "read": limits.idle,
            "write": limits.idle,
            "pool": limits.connect,
        }
        async with pool.stream(
            "GET",
            httpcore.URL(
                scheme=at.scheme.encode(),
                host=at.host.encode(),
                port=at.port,
                target=at.target.encode(),
            ),
            headers={
                "Host": at.netloc,
                "User-Agent": f"Ferrotype/{ferrotype.__version__}",
                "Accept": "*/*",
                "Accept-Encoding": "identity",
                "Connection": "close",
            },
            extensions={"timeout": waits},
        ) as response:
            headers = {name.lower(): value for name, value in response.headers}
            if response.status in _REDIRECTS:
                return _onward(at, headers.get(b"location", b""))
            if response.status != 200:
                raise _failed(f"the server answered {response.status}")
            await _receive(response, headers, file, max_bytes)
            return None


async def _receive(
    response: httpcore.Response, headers: dict[bytes, bytes], file: BinaryIO, max_bytes: int
) -> None:
    if headers.get(b"content-encoding", b"identity").lower() != b"identity":
        raise _failed("the server encoded it although asked not to")
    if int(headers.get(b"content-length", b"0")) > max_bytes:
        raise TooLarge(max_bytes)
    received = 0
    async for chunk in response.aiter_stream():
        received += len(chunk)
        if received > max_bytes:
            raise TooLarge(max_bytes)
        await asyncio.to_thread(file.write, chunk)
    if not received:
        raise _failed("it is empty")


def _onward(at: Location, reference: bytes) -> Location:
    location = follow(at, reference.decode("latin-1"))
    if at.scheme == "https" and location.scheme == "http":
        raise _failed("it redirects from https to http")
    return location


def _failed(why: str) -> InputDownloadFailed:
    return InputDownloadFailed(f"Failed to download the input file: {why}.")
