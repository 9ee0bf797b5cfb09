"""Tells the operator's receivers of tasks that ended: at least once, however often it takes.

Every API process has a courier; the one that leads the outbox brings its letters. A letter goes
from the ledger only after its receiver said 2xx, so a kill at any moment loses none of them.
"""

import asyncio
import hmac
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

import structlog

from ferrotype import metrics
from ferrotype.ports.bell import Bell
from ferrotype.ports.clock import Clock
from ferrotype.ports.ledger import Letter, Outbox
from ferrotype.ports.messenger import Messenger, Undelivered

TOPIC = "events"
TURN = 0.5  # seconds after which a courier looks by itself, and hears that it should stop
SIDE_BY_SIDE = 16  # letters that one receiver is brought at once
LONGEST_PAUSE = 512.0  # seconds: the pauses are 1, 2, 4 ... and then this, as EventBridge's are
GIVEN_UP_AFTER = 86_400.0  # seconds
TIDY_EVERY = 60.0
GRACE = 2.0  # seconds that letters on their way have when we stop
SECRET_MARK = "whsec_"

_log = structlog.get_logger(__name__)


class Courier:
    """One process's courier. `receivers` maps each URL to who brings it its letters.

    `write` makes the body of a letter. `secret` ("whsec_" and base64) signs what is sent.
    """

    def __init__(
        self,
        outbox: Outbox,
        bell: Bell,
        clock: Clock,
        receivers: Mapping[str, Messenger],
        write: Callable[[Letter], bytes],
        secret: str | None = None,
    ) -> None:
        self._outbox = outbox
        self._bell = bell
        self._clock = clock
        self._receivers = receivers
        self._write = write
        self._key = b64decode(secret.removeprefix(SECRET_MARK)) if secret else b""
        self._failing: set[str] = set()  # receivers whose last letter came back

    async def run(self, stop: asyncio.Event) -> None:
        """Bring what is due until the event is set. Each receiver is served by a task of its own:
        who is slow or dead keeps nobody else waiting.
        """
        if not await self._lead(stop):
            return
        serving = {asyncio.create_task(self._tidy(stop))}
        serving |= {asyncio.create_task(self._serve(url, stop)) for url in self._receivers}
        try:
            await stop.wait()
            await asyncio.wait(serving, timeout=GRACE)
        finally:
            for task in serving:
                task.cancel()
            await asyncio.gather(*serving, return_exceptions=True)

    async def _lead(self, stop: asyncio.Event) -> bool:
        """Wait until we are the one courier; False when told to stop before."""
        while not stop.is_set():
            try:
                if await self._outbox.lead_letters():
                    return True
            except Exception:
                _log.exception("courier cannot lead", action="courier.lead")
            await _wait(stop, TURN)
        return False

    async def _tidy(self, stop: asyncio.Event) -> None:
        """Give up what is too old, or is for a receiver that is none any more."""
        while not stop.is_set():
            try:
                gone = await self._outbox.keep_letters(self._receivers, GIVEN_UP_AFTER)
                if gone:
                    metrics.EVENTS_GIVEN_UP.inc(gone)
                    _log.error("events given up", action="courier.tidy", events=gone)
            except Exception:
                _log.exception("courier cannot tidy", action="courier.tidy")
            await _wait(stop, TIDY_EVERY)

    async def _serve(self, url: str, stop: asyncio.Event) -> None:
        """Bring one receiver its letters, a few side by side, those first that wait longest."""
        while not stop.is_set():
            try:
                async with self._bell.listen({TOPIC}) as ear:
                    while not stop.is_set():
                        if not await self._round(url):
                            await ear.wait(TURN)
            except Exception:
                _log.exception("courier cannot hear", action="courier.serve")
                await _wait(stop, TURN)

    async def _round(self, url: str) -> bool:
        """Bring what is due now; True when all of it could be written down afterwards."""
        try:
            letters = await self._outbox.letters(url, SIDE_BY_SIDE)
            brought = (self._bring(letter, self._receivers[url]) for letter in letters)
            ends = await asyncio.gather(*brought, return_exceptions=True)
        except Exception:
            _log.exception("courier cannot read", action="courier.round")
            return False
        for end in ends:
            if isinstance(end, BaseException):
                _log.error("courier cannot write", action="courier.round", exc_info=end)
                return False
        return bool(letters)

    async def _bring(self, letter: Letter, messenger: Messenger) -> None:
        body = self._write(letter)
        try:
            status = await messenger.post(letter.url, body, self._headers(letter, body))
            why = "" if 200 <= status < 300 else f"it answered {status}"
        except Undelivered as error:
            why = str(error)
        if why:
            await self._outbox.postpone_letter(letter.n, pause(letter.tries))
        else:
            await self._outbox.drop_letter(letter.n)
        self._note(letter, why)

    def _note(self, letter: Letter, why: str) -> None:
        """Count a try, and log when a receiver begins or ceases to fail."""
        host = urlsplit(letter.url).netloc
        metrics.events(host, "failed" if why else "delivered").inc()
        if why and letter.url not in self._failing:
            self._failing.add(letter.url)
            told = {"host": host, "task": letter.task, "why": why}
            _log.warning("events come back", action="courier.bring", **told)
        elif not why and letter.url in self._failing:
            self._failing.discard(letter.url)
            _log.info("events are taken again", action="courier.bring", host=host)

    def _headers(self, letter: Letter, body: bytes) -> dict[str, str]:
        """Return the headers of one try: CloudEvents' structured mode, Standard Webhooks' names."""
        headers = {
            "Content-Type": "application/cloudevents+json; charset=utf-8",
            "Webhook-Id": letter.event,
        }
        if self._key:
            at = str(int(self._clock.now().timestamp()))
            headers["Webhook-Timestamp"] = at
            headers["Webhook-Signature"] = signature(self._key, letter.event, at, body)
        return headers


def pause(tries: int) -> float:
    """Return seconds to wait after so many earlier tries in vain."""
    return float(min(2 ** min(tries, 30), LONGEST_PAUSE))


def signature(key: bytes, event: str, at: str, body: bytes) -> str:
    """Sign a try as Standard Webhooks does: HMAC-SHA256 over id, time and body."""
    signed = b"%b.%b.%b" % (event.encode(), at.encode(), body)
    return "v1," + b64encode(hmac.digest(key, signed, "sha256")).decode()


async def _wait(stop: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
