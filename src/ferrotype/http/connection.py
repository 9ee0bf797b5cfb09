"""One connection: uvicorn's, with the limits that it lacks, and a short way out for answers."""

import asyncio
import math
import resource
from functools import partial
from typing import Any

import structlog
from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from ferrotype.errors import Refused
from ferrotype.http import wire
from ferrotype.http.exchange import WHOLE, Header, new_request_id

HEAD_BYTES = 64 * 1024
HEAD_SECONDS = 15.0
LINGER_SECONDS = 15.0
READ_SECONDS = 30.0
CLOSE = (b"connection", b"close")
log = structlog.get_logger()


class Connection(HttpToolsProtocol):
    """Closes on a client that sends too large a head, or one too slowly, or never ends its body.

    A head is a request's first line and headers. `HEAD_SECONDS` also bounds the silence of a
    connection after its opening; between requests it is uvicorn's keep-alive time that does. A body
    that we did not want is read and thrown away for `LINGER_SECONDS` after the answer, since
    closing at once could destroy the answer on its way. A client that asks but does not take what
    it is told has `READ_SECONDS` to go on.

    All of them are one clock with one alarm. What moves its end leaves the alarm where it is, as
    long as that rings before: it looks again then. So no request sets an alarm or stops one.
    """

    _end = math.inf
    _alarm: asyncio.TimerHandle | None = None
    _alarm_at = math.inf
    _head_bytes = 0
    _in_head = True
    _in_body = False
    _declining = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the clock; but hang up at once when only the process's own files still have room.

        Connections may have three of four descriptors; the rest is for results and the ledger.
        """
        super().connection_made(transport)
        if len(self.connections) > resource.getrlimit(resource.RLIMIT_NOFILE)[0] * 3 // 4:
            transport.abort()
            return
        self._wait_at_most(HEAD_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock."""
        if self._alarm:
            self._alarm.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count the bytes of a head that has not come to its end."""
        if self.transport.is_closing():
            return
        try:
            self._feed(data)
        except HttpParserError:
            self._refuse(400, "The request is not valid HTTP.")
        if self._in_head and not self.transport.is_closing():
            if self._head_bytes == 0:
                self._wait_at_most(HEAD_SECONDS)
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_BYTES:
                self._refuse(431, "Request header fields too large.")

    def _feed(self, data: bytes) -> None:
        """Parse, passing over every wish for another protocol, as a server may (RFC 9110, 7.8).

        The parser stops for good at such a head. Another one takes its place, told in as few
        words how long the body is that follows.
        """
        while data:
            try:
                return self.parser.feed_data(data)
            except HttpParserUpgrade as wish:
                data = data[wish.args[0] :]
            self.parser = HttpRequestParser(self)
            sizes = (b"content-length", b"transfer-encoding")
            lines = [b"%b: %b\r\n" % header for header in self.headers if header[0] in sizes]
            self._declining = True
            self.parser.feed_data(b"".join([b"POST / HTTP/1.1\r\n", *lines, b"\r\n"]))
            self._declining = False
        return None

    def on_message_begin(self) -> None:
        """Enter a head."""
        if self._declining:
            return
        super().on_message_begin()
        self._in_head = True
        self._head_bytes = 0

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header, but none of those that come after a body: they are as many as one likes,
        and nobody looked at them who looked at the head.
        """
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Leave the head; from here on the application looks after the body's pace."""
        if self._declining:
            return
        self._in_head = False
        if not self.flow.write_paused:
            self._end = math.inf
        super().on_headers_complete()
        self._in_body = True
        extensions: dict[str, Any] = {WHOLE: partial(self._send_whole, self.cycle)}
        self.scope["extensions"] = extensions

    def on_message_complete(self) -> None:
        """Leave the body."""
        if self.parser.should_upgrade():
            return
        self._in_body = False
        if self.cycle.response_complete:
            self._wait_at_most(self.timeout_keep_alive)
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Go on with the next request, or wait for it; give an unread body its last seconds.

        Takes the place of uvicorn's method, which sets an alarm after each answer.
        """
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        elif self._in_body:
            self._wait_at_most(LINGER_SECONDS)
        elif not self._in_head:
            self._wait_at_most(self.timeout_keep_alive)

    def pause_writing(self) -> None:
        """Give a client that does not read its last seconds."""
        super().pause_writing()
        self._wait_at_most(READ_SECONDS)

    def resume_writing(self) -> None:
        """Go on as before."""
        super().resume_writing()
        if self.cycle and not self.cycle.response_complete:
            self._end = math.inf

    def _refuse(self, status: int, message: str) -> None:
        request_id = new_request_id()
        body = wire.fault(request_id, Refused.code, message)
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(body)),
            (b"x-request-id", request_id.encode()),
            CLOSE,
        ]
        if self.cycle is None or self.cycle.response_complete or self._is_unanswered():
            self.transport.write(_head(status, headers) + body)
        self.transport.close()

    def _is_unanswered(self) -> bool:
        """Tell whether an answer now would be the one to the request that is being read; the
        application learns that its client is gone.
        """
        if self.cycle.response_started or self.pipeline or not self._in_body:
            return False
        self.cycle.disconnected = True
        self.cycle.message_event.set()
        return True

    async def _send_whole(
        self, cycle: RequestResponseCycle, status: int, headers: list[Header], body: bytes
    ) -> None:
        """Write an answer in one piece. Its headers are our own: they need no parsing."""
        if self.flow.write_paused and not cycle.disconnected:
            await self.flow.drain()
        if cycle.disconnected:
            return
        if CLOSE in headers:
            cycle.keep_alive = False
        elif not cycle.keep_alive:
            headers.append(CLOSE)
        head = _head(status, headers)
        self.transport.write(head if cycle.scope["method"] == "HEAD" else head + body)
        del cycle.scope["extensions"]  # it leads back to the cycle: nothing is left to collect
        cycle.response_started = cycle.response_complete = True
        cycle.message_event.set()
        if not cycle.keep_alive:
            self.transport.close()
        cycle.on_response()

    def _wait_at_most(self, seconds: float) -> None:
        """Hang up in so many seconds, unless the end is moved before that.

        While a client does not read, whatever else it sends moves it no further away.
        """
        end = self.loop.time() + seconds
        self._end = min(self._end, end) if self.flow.write_paused else end
        if self._end < self._alarm_at:
            self._set_alarm()

    def _set_alarm(self) -> None:
        if self._alarm:
            self._alarm.cancel()
        self._alarm_at = self._end
        self._alarm = self.loop.call_at(self._end, self._look)

    def _look(self) -> None:
        self._alarm, self._alarm_at = None, math.inf
        if self.loop.time() >= self._end:
            self._hang_up()
        elif self._end < math.inf:
            self._set_alarm()

    def _hang_up(self) -> None:
        """Close; without the words that the client did not take in all this time."""
        if unread := self.transport.get_write_buffer_size():
            log.info("a client does not read", action="connection", unread=unread)
            self.transport.abort()
        else:
            self.transport.close()


def _head(status: int, headers: list[Header]) -> bytes:
    """Write status line and headers. Raises `RuntimeError` for a line break within one of them."""
    lines = [b"%b: %b\r\n" % header for header in headers]
    head = b"".join([STATUS_LINE[status], *lines, b"\r\n"])
    if head.count(b"\n") != len(headers) + 2 or head.count(b"\r") != len(headers) + 2:
        raise RuntimeError("A header of ours contains a line break.")
    return head
