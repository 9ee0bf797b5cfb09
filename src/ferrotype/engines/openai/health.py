"""Whether the server can serve now: asked for in a thread of its own, again and again."""

import threading
import time

import httpx
import msgspec

from ferrotype.engines.openai.options import Options
from ferrotype.engines.openai.wire import UNREADABLE, Garbage, Models

CALM, WORRIED = 10.0, 2.0  # seconds between two looks at a server that is well, or is not
LONGEST = 10.0  # seconds that an answer may go on
MAX_ANSWER = 1024 * 1024  # bytes


class Health:
    """Watches a server. Any thread may ask; the first look is taken before this is made."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._why: str | None = None
        self._since = 0.0
        self._not_before = 0.0
        self._look_now = threading.Event()
        headers = {"Authorization": f"Bearer {options.key}"} if options.key else {}
        self._client = httpx.Client(headers=headers, timeout=options.connect, trust_env=False)
        self._look()
        threading.Thread(target=self._watch, name="health", daemon=True).start()

    @property
    def why(self) -> str | None:
        """Why the server cannot serve, or None: it can."""
        return self._why

    @property
    def down_for(self) -> float:
        """Seconds since it was last well."""
        return time.monotonic() - self._since if self._why else 0.0

    def fail(self, why: str, hold: float = 0.0) -> str:
        """Take it that the server cannot serve, for `hold` seconds at least. Returns why."""
        self._not_before = time.monotonic() + hold
        self._set(why)
        self._look_now.set()
        return why

    def suspect(self) -> None:
        """Have a look soon."""
        self._look_now.set()

    def _set(self, why: str | None) -> None:
        if self._why is None and why is not None:
            self._since = time.monotonic()
        self._why = why

    def _watch(self) -> None:
        while True:
            if self._look_now.wait(WORRIED if self._why else CALM):
                self._look_now.clear()
            self._look()

    def _look(self) -> None:
        why = self._ask()
        if why is not None or time.monotonic() >= self._not_before:
            self._set(why)

    def _ask(self) -> str | None:
        """Ask whether it is well, then what it serves. Returns what is wrong."""
        base = self._options.base
        try:
            health, _ = self._get("/health")
            if health >= 500:
                return f"The server at {base} is not ready: /health answers {health}."
            status, listing = self._get("/v1/models")
        except (httpx.HTTPError, Garbage) as error:
            return f"The server at {base} does not answer: {error!r}."
        if status in (401, 403):
            return f"The server at {base} refuses our key ({status}): set option key."
        if status >= 500:
            return f"The server at {base} is not ready: /v1/models answers {status}."
        return self._compare(listing) if status == 200 else None

    def _get(self, path: str) -> tuple[int, bytes]:
        """Return the status and body of an answer that ends. Raises `HTTPError` or `Garbage`."""
        until, body = time.monotonic() + LONGEST, bytearray()
        with self._client.stream("GET", self._options.base + path) as response:
            for part in response.iter_bytes():
                body += part
                if len(body) > MAX_ANSWER or time.monotonic() > until:
                    raise Garbage(f"the answer to {path} does not end")
            return response.status_code, bytes(body)

    def _compare(self, listing: bytes) -> str | None:
        wanted, base = self._options.model, self._options.base
        try:
            served = [model.id for model in msgspec.json.decode(listing, type=Models).data]
        except UNREADABLE:
            return f"At {base} is no such server: /v1/models answers no list of models."
        if wanted and wanted not in served:
            names = ", ".join(served)[:300] or "nothing"
            return f"The server at {base} serves {names}, not {wanted}: set option model."
        return None
