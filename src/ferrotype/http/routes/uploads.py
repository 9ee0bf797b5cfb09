"""GET /api/v1/uploads: leave to upload. POST /upload: the file itself, told as OSS is told."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from xml.sax.saxutils import escape

import structlog
from starlette.requests import ClientDisconnect

from ferrotype.catalogue import Catalogue
from ferrotype.errors import (
    AllocationQuotaExceeded,
    Broken,
    Busy,
    Conflict,
    Denied,
    FerrotypeError,
    InvalidParameter,
    Refused,
)
from ferrotype.http import wire
from ferrotype.http.body import Limits
from ferrotype.http.exchange import Exchange
from ferrotype.http.faults import BodyTooLarge, BodyTooSlow
from ferrotype.http.form import BadForm, Form
from ferrotype.ports.input_store import Incoming
from ferrotype.uploads import CHANGED, MAX_BYTES, Uploads

PATH = "/upload"
LINGER = 15.0  # seconds
AROUND = 1 << 20  # bytes that a form may have beside its file
XML = b"application/xml"
ANSWERS: tuple[tuple[type[FerrotypeError], int, str], ...] = (
    (BadForm, 400, "MalformedPOSTRequest"),
    (BodyTooLarge, 400, "EntityTooLarge"),
    (BodyTooSlow, 400, "RequestTimeout"),
    (Denied, 403, "AccessDenied"),
    (Conflict, 409, "FileAlreadyExists"),
    (AllocationQuotaExceeded, 403, "QuotaExceeded"),
    (Busy, 503, "ServiceUnavailable"),
    (Refused, 400, "InvalidArgument"),
    (FerrotypeError, 500, "InternalError"),
)


class _Body:
    """The body of an upload, piece by piece, within the limits."""

    def __init__(self, exchange: Exchange, limits: Limits) -> None:
        self._exchange = exchange
        self._limits = limits
        self._whole = False

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yield the body as it comes, unless it comes too slowly."""
        loop, limits = asyncio.get_running_loop(), self._limits
        begun, size = loop.time(), 0
        while not self._whole:
            try:
                async with asyncio.timeout_at(begun + limits.seconds + size / limits.rate):
                    data = await self._next()
            except TimeoutError:
                raise BodyTooSlow() from None
            size += len(data)
            if size > MAX_BYTES + AROUND:
                raise _too_large()
            yield data

    async def pass_over(self) -> None:
        """Read what is left, for a while: many clients listen only when they have said all, and
        to close before that could destroy the answer.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(LINGER):
                while not self._whole:
                    await self._next()

    async def _next(self) -> bytes:
        message = await self._exchange.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect()
        self._whole = not message.get("more_body", False)
        data: bytes = message.get("body", b"")
        return data


class UploadRoutes:
    """Gives leave to upload, and takes uploads in, holding little of each."""

    def __init__(self, uploads: Uploads, catalogue: Catalogue, limits: Limits) -> None:
        self._uploads = uploads
        self._catalogue = catalogue
        self._limits = limits

    async def policy(self, exchange: Exchange) -> None:
        """Answer with all that a client needs to upload files for a model."""
        asked = exchange.query()
        if asked.get("action") != "getPolicy":
            raise InvalidParameter('action must be "getPolicy".')
        model = asked.get("model", "")
        if not model:
            raise InvalidParameter('Required parameter "model" missing from request.')
        self._catalogue.must_know(model)
        leave = await self._uploads.leave(exchange.caller.account, model)
        exchange.request_id = leave.id
        await exchange.reply(200, wire.policy(leave, f"{exchange.base}{PATH}"))

    async def take(self, exchange: Exchange) -> None:
        """Take a file in; every answer but the good one is OSS's XML."""
        body = _Body(exchange, self._limits)
        try:
            await self._take(exchange, body)
        except ClientDisconnect:
            raise
        except Exception as error:
            if not isinstance(error, FerrotypeError):
                structlog.get_logger().exception(
                    "an upload broke", action="upload", request_id=exchange.request_id
                )
                error = Broken()
            if not isinstance(error, BodyTooSlow):
                await body.pass_over()
            status, code = next(row[1:] for row in ANSWERS if isinstance(error, row[0]))
            code = "SignatureDoesNotMatch" if error.message == CHANGED else code
            await exchange.reply(status, _xml(exchange, code, error.message), (), XML)
        else:
            await exchange.reply(200, b"", (), XML)

    async def _take(self, exchange: Exchange, body: _Body) -> None:
        declared = exchange.headers.get(b"content-length", b"0")
        if not declared.isdigit():
            raise BadForm()
        if len(declared) > 15 or int(declared) > MAX_BYTES + AROUND:
            raise _too_large()
        form = Form(exchange.headers.get(b"content-type", b""))
        incoming: Incoming | None = None
        size = 0
        async with AsyncExitStack() as stack:
            async for data in body.pieces():
                pieces = form.feed(data)
                if form.has_file and incoming is None:
                    key = await self._uploads.admit(form.fields)
                    incoming = await stack.enter_async_context(self._uploads.receive(key))
                for piece in pieces:
                    size += len(piece)
                    if size > MAX_BYTES:
                        raise _too_large()
                    assert incoming
                    await incoming.write(piece)
            if not form.ended:
                raise BadForm("The form has no end.")
            if incoming is None:
                raise BadForm("POST requires exactly one file upload per request.")
            await incoming.keep()


def _too_large() -> BodyTooLarge:
    return BodyTooLarge("Your proposed upload exceeds the maximum allowed size.")


def _xml(exchange: Exchange, code: str, message: str) -> bytes:
    host = exchange.headers.get(b"host", b"").decode("latin-1")
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<Error>\n'
        f"  <Code>{code}</Code>\n  <Message>{escape(message)}</Message>\n"
        f"  <RequestId>{exchange.request_id}</RequestId>\n  <HostId>{escape(host)}</HostId>\n"
        "</Error>\n"
    ).encode()
