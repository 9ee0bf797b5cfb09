"""One connection: uvicorn's, with the limits that it lacks."""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from ferrotype.errors import Refused
from ferrotype.http import wire
from ferrotype.http.exchange import new_request_id

HEAD_BYTES = 64 * 1024
HEAD_SECONDS = 15.0
LINGER_SECONDS = 15.0


class Connection(HttpToolsProtocol):
    """Closes on a client that sends too large a head, or one too slowly, or never ends its body.

    A head is a request's first line and headers. `HEAD_SECONDS` also bounds a connection that
    says nothing from its opening on; between requests it is uvicorn's keep-alive that does. A body
    that we did not want is read and thrown away for `LINGER_SECONDS` after the answer, since
    closing at once could destroy the answer on its way.
    """

    _patience: asyncio.TimerHandle | None = None
    _head_bytes = 0
    _in_head = True
    _in_body = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the head's time."""
        super().connection_made(transport)
        self._wait_at_most(HEAD_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop all clocks."""
        self._wait_at_most(None)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count the bytes of a head that has not come to its end."""
        if self.transport.is_closing():
            return
        super().data_received(data)
        if self._in_head and not self.transport.is_closing():
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_BYTES:
                self._refuse(431, "Request header fields too large.")
            elif self._patience is None:
                self._wait_at_most(HEAD_SECONDS)

    def on_message_begin(self) -> None:
        """Enter a head."""
        super().on_message_begin()
        self._in_head = True
        self._head_bytes = 0

    def on_headers_complete(self) -> None:
        """Leave the head; from here on the application looks after the body's pace."""
        self._in_head = False
        self._in_body = True
        if self._patience:
            self._wait_at_most(None)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Leave the body."""
        self._in_body = False
        if self._patience:
            self._wait_at_most(None)
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Give an unread body its last seconds."""
        super().on_response_complete()
        if self._in_body and not self.pipeline:
            self._wait_at_most(LINGER_SECONDS)

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP, in the vendor's form."""
        self._refuse(400, "The request is not valid HTTP.")

    def _refuse(self, status: int, message: str) -> None:
        request_id = new_request_id()
        body = wire.fault(request_id, Refused.code, message)
        head: list[bytes] = [
            STATUS_LINE[status],
            b"content-type: application/json\r\n",
            b"content-length: %d\r\n" % len(body),
            b"x-request-id: %b\r\n" % request_id.encode(),
            b"connection: close\r\n\r\n",
        ]
        if self.cycle is None or self.cycle.response_complete:
            self.transport.write(b"".join([*head, body]))
        self.transport.close()

    def _wait_at_most(self, seconds: float | None) -> None:
        if self._patience:
            self._patience.cancel()
        self._patience = self.loop.call_later(seconds, self._hang_up) if seconds else None

    def _hang_up(self, *_: Any) -> None:
        self._patience = None
        self.transport.close()
