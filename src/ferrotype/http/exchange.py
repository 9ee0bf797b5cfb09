"""One request on its way through the face, and the answer that it got."""

import gzip
import time
from collections.abc import Iterable, Sequence
from functools import lru_cache
from random import getrandbits

from starlette.types import Message, Receive, Scope, Send

from ferrotype.errors import IllegalInput
from ferrotype.http import wire
from ferrotype.ports.admin import Key
from ferrotype.traces import Span

Header = tuple[bytes, bytes]
JSON = b"application/json"
VARY = (b"vary", b"Accept-Encoding")
GATEWAY = (b"x-dashscope-call-gateway", b"true")
WHOLE = "ferrotype.whole"  # the ASGI extension by which our server takes an answer in one piece
WORTH_ZIPPING = 1400  # bytes: less fits into one packet anyway
SINGLE = (b"host", b"authorization", b"content-length")


def new_request_id() -> str:
    """Return a random UUID, spelled by hand: the library's takes ten times as long.

    Nothing is at stake should somebody guess one, so it need not come from the kernel.
    """
    digits = f"{getrandbits(128):032x}"
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"


class Exchange:
    """What is known about one request. Slots, since one is made for each of 20,000 a second.

    `started` and `arrived` are nanoseconds (steady, wall); `base` begins URLs; `caller` is known
    behind the door; `part` is what the route leaves open of the path; `committed` once a task was
    accepted: from then on nobody should retry. `task` is the one that it is about, once known, and
    `span` the name under which it is traced, if it is.
    """

    __slots__ = (
        "arrived",
        "base",
        "caller",
        "committed",
        "headers",
        "part",
        "path",
        "receive",
        "request_id",
        "route",
        "scope",
        "send",
        "sent",
        "span",
        "started",
        "status",
        "task",
    )

    caller: Key

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope = scope
        self.receive = receive
        self.send = send
        self.started = time.perf_counter_ns()
        self.arrived = time.time_ns()
        self.request_id = new_request_id()
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self.path: str = scope["path"]
        self.route = "none"
        self.part = ""
        self.span = ""
        self.task = ""
        self.base = ""
        self.committed = False
        self.status = 0
        self.sent = 0

    def check_headers(self) -> None:
        """Refuse a request whose meaning depends on which of two headers one believes."""
        if len(self.headers) != len(self.scope["headers"]):
            names = [name for name, _ in self.scope["headers"]]
            if any(names.count(name) > 1 for name in SINGLE):
                raise IllegalInput("A header that must be single is repeated.")

    def as_span(self) -> Span:
        """Return what is told of this request to those who trace its task."""
        return Span(
            name=self.span,
            start=self.arrived,
            end=self.arrived + time.perf_counter_ns() - self.started,
            facts={
                "http.request.method": self.scope["method"],
                "http.route": self.route,
                "http.response.status_code": self.status,
                "ferrotype.request_id": self.request_id,
            },
            error=str(self.status) if self.status >= 500 else "",
            parent=self.headers.get(b"traceparent", b"").decode("latin-1"),
            root=self.span == "create",
        )

    def query(self) -> dict[str, str]:
        """Return the query's fields."""
        return wire.read_query(self.scope["query_string"])

    async def reply(
        self, status: int, body: bytes, extra: Iterable[Header] = (), type: bytes = JSON
    ) -> None:
        """Answer with a body in one piece."""
        headers = [(b"content-type", type), VARY, *self.common_headers(), *extra]
        if len(body) > WORTH_ZIPPING and _takes_gzip(self.headers.get(b"accept-encoding", b"")):
            body = gzip.compress(body, 5, mtime=0)
            headers.append((b"content-encoding", b"gzip"))
        headers.append((b"content-length", b"%d" % len(body)))
        self.status = status
        self.sent = len(body)
        send_whole = self.scope.get("extensions", {}).get(WHOLE, self._send_whole)
        await send_whole(status, headers, body)

    async def _send_whole(self, status: int, headers: list[Header], body: bytes) -> None:
        await self.send({"type": "http.response.start", "status": status, "headers": headers})
        await self.send({"type": "http.response.body", "body": body})

    def common_headers(self) -> list[Header]:
        """Return what each answer carries: its request's id, and the gateway's times."""
        cost = (time.perf_counter_ns() - self.started) // 1_000_000
        arrived = self.arrived // 1_000_000
        return [
            (b"x-request-id", self.request_id.encode()),
            GATEWAY,
            (b"req-cost-time", b"%d" % cost),
            (b"req-arrive-time", b"%d" % arrived),
            (b"resp-start-time", b"%d" % (arrived + cost)),
        ]

    async def pass_on(self, message: Message) -> None:
        """Send what a streaming response says, noting it."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = [*message["headers"], *self.common_headers()]
        else:
            self.sent += len(message.get("body", b""))
        await self.send(message)


def _takes_gzip(accepted: bytes) -> bool:
    for part in accepted.lower().split(b","):
        coding, _, weight = part.replace(b" ", b"").partition(b";q=")
        if coding == b"gzip":
            return weight.strip(b"0.") != b"" or not weight
    return False


@lru_cache(256)
def served_by(text: str) -> tuple[Header, ...]:
    """Return the headers that say who serves a task: "engine; label"."""
    engine, _, label = text.partition("; ")
    return (
        (b"x-ferrotype-engine", engine.encode("latin-1", "replace")),
        (b"x-ferrotype-served-by", label.encode("latin-1", "replace")),
    )


def rehearsed(rules: Sequence[str]) -> tuple[Header, ...]:
    """Return the header that names the rules of a rehearsal that struck, if any did."""
    return ((b"x-ferrotype-rehearsal", ", ".join(rules).encode()),) if rules else ()
