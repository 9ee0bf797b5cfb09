"""What an engine process prints: kept as log lines, up to a cap a job."""

import asyncio
from collections import deque

import structlog

CAP = 64 * 1024  # bytes a job; what comes after is read and thrown away
LINE = 2000  # characters a line
TAIL = 10  # lines shown when the process dies

_log = structlog.get_logger(__name__)


class ChildLog:
    """Reads a child's output for as long as it talks, so that it never blocks on a full pipe."""

    def __init__(self, pid: int) -> None:
        self.tail: deque[str] = deque(maxlen=TAIL)
        self.dropped = 0
        self._log = _log.bind(pid=pid)
        self._left = CAP

    def new_job(self) -> None:
        """Give the next job its own allowance."""
        if self.dropped:
            self._log.warning("log cut", action="engine.log", dropped=self.dropped)
        self._left, self.dropped = CAP, 0

    async def follow(self, stream: asyncio.StreamReader) -> None:
        """Log the stream's lines until its end."""
        rest = b""
        while chunk := await stream.read(64 * 1024):
            kept = chunk[: self._left]
            self._left -= len(kept)
            self.dropped += len(chunk) - len(kept)
            *lines, rest = (rest + kept).split(b"\n")
            for line in lines:
                self._keep(line)
            rest = rest[:LINE]
        if rest:
            self._keep(rest)

    def _keep(self, line: bytes) -> None:
        text = line[:LINE].decode(errors="replace").rstrip()
        if text:
            self.tail.append(text)
            self._log.debug("said", action="engine.log", line=text)
