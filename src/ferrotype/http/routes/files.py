"""GET|HEAD /files/{key}: result files, to whoever holds a signed link."""

import re
import time
from email.utils import format_datetime

from starlette.responses import FileResponse

from ferrotype.errors import Denied, Missing
from ferrotype.http.exchange import Exchange, Header, served_by
from ferrotype.links import EXPIRED, Links
from ferrotype.ports.media_store import MediaStore, Stored
from ferrotype.service import Service

_KEY = re.compile(r"\d{8}/([0-9a-f-]{36})/\d{1,9}/(\d{1,4})\.([a-z0-9]{2,5})")
_SPEC = r"(?:\d{1,15}-\d{0,15}|-\d{1,15})"
_RANGES = re.compile(rf"bytes={_SPEC}(?:, ?{_SPEC}){{0,4}}")


class Files:
    """Serves files as what they are: fixed type, never sniffed, never run as a page."""

    def __init__(self, service: Service, links: Links, store: MediaStore) -> None:
        self._service = service
        self._links = links
        self._store = store

    async def read(self, exchange: Exchange) -> None:
        """Stream a file, or redirect to where the store has it."""
        key = exchange.part
        end = await self._links.verify(key, exchange.query())
        shape = _KEY.fullmatch(key)
        if shape is None:
            raise Missing()
        exchange.task, exchange.span = shape[1], "file"
        server = await self._service.served_by(shape[1])
        if server is None:
            raise Denied(EXPIRED)
        stored = await self._store.find(key)
        if stored is None:
            raise Missing()
        seconds = max(0, end - int(time.time()))
        headers = [
            *served_by(server),
            (b"cache-control", b"private, max-age=%d, immutable" % seconds),
            (b"x-content-type-options", b"nosniff"),
            (b"content-security-policy", b"default-src 'none'; sandbox"),
        ]
        if stored.url:
            location = (b"location", stored.url.encode("latin-1"))
            await exchange.reply(302, b"", [(b"cache-control", b"no-store"), location])
        elif _has(exchange.headers.get(b"if-none-match", b""), stored.etag):
            await _not_modified(exchange, stored, headers)
        else:
            await _stream(exchange, stored, f"{shape[1]}-{shape[2]}.{shape[3]}", headers)


def _has(given: bytes, etag: str) -> bool:
    tags = [one.strip().removeprefix(b"W/") for one in given.split(b",")]
    return b"*" in tags or etag.encode() in tags


async def _not_modified(exchange: Exchange, stored: Stored, headers: list[Header]) -> None:
    headers.append((b"etag", stored.etag.encode()))
    message = {"type": "http.response.start", "status": 304, "headers": headers}
    await exchange.pass_on(message)
    await exchange.pass_on({"type": "http.response.body", "body": b""})


async def _stream(exchange: Exchange, stored: Stored, name: str, headers: list[Header]) -> None:
    response = FileResponse(
        stored.path or "",
        media_type=stored.type,
        filename=name,
        content_disposition_type="inline",
        headers={
            "etag": stored.etag,
            "last-modified": format_datetime(stored.modified_at, usegmt=True),
        },
    )
    response.raw_headers.extend(headers)
    if stored.md5:
        response.headers["content-md5"] = stored.md5

    scope = dict(exchange.scope, headers=_sane(exchange.scope["headers"], stored.bytes))
    try:
        await response(scope, exchange.receive, exchange.pass_on)
    except (OSError, RuntimeError):
        if exchange.status:
            raise
        raise Missing() from None


def _sane(headers: list[Header], size: int) -> list[Header]:
    """Leave out a Range header that is malformed, as RFC 9110 asks: the whole file is sent then."""
    return [one for one in headers if one[0] != b"range" or _is_range(one[1], size)]


def _is_range(value: bytes, size: int) -> bool:
    text = value.decode("latin-1").lower().strip()
    if not _RANGES.fullmatch(text):
        return False
    for spec in text.removeprefix("bytes=").split(","):
        first, _, last = spec.strip().partition("-")
        if first and last and int(last) < int(first):
            return False
    return size > 0
