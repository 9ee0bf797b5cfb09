"""One upstream as we know it: whether it takes tasks now, how fast, and when to look again."""

import asyncio
import random
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic

import structlog

from ferrotype.engines.dashscope.line import Line, NotSent, Unclear
from ferrotype.engines.dashscope.options import Options, Place
from ferrotype.engines.dashscope.pace import Pace
from ferrotype.engines.dashscope.told import Meaning, error_of
from ferrotype.gate.download import Downloader, Limits
from ferrotype.gate.guard import Guard

NOBODY = "00000000-0000-0000-0000-000000000000"  # a task that is asked for to see who answers
FIRST_CREATES = 0.2  # seconds between two; less from one to the next
UNDERWAY = 8  # creates at once that wait for their ids: were we killed now, these are in doubt
LONGEST_PROBE = 60.0  # seconds between two looks at a region that is out of reach
LONGEST_REST = 900.0  # seconds that a region which refuses our account is left alone

_log = structlog.get_logger(__name__)


class Region:
    """An upstream. `trouble` says why it takes no tasks now, "" when it does.

    `reachable` is set while it is worth while to ask it about tasks that it has.
    """

    def __init__(self, place: Place, options: Options, tls: ssl.SSLContext) -> None:
        self.place = place
        guard = Guard(allow_loopback=place.local, allow=(*_named(place), *options.allow_hosts))
        timeouts = options.timeouts
        self.line = Line(place, guard, timeouts, tls)
        self.downloads = Downloader(
            guard, Limits(connect=timeouts.connect, idle=60.0, total=timeouts.download), tls
        )
        self.creates = Pace(FIRST_CREATES)
        self.underway = asyncio.Semaphore(UNDERWAY)
        rate = 1 / options.poll.per_second
        self.polls = Pace(rate, rate)
        self.trouble = ""
        self.throttled_until = float("-inf")
        self.reachable = asyncio.Event()
        self.reachable.set()
        self._timeouts = timeouts
        self._rests = 0  # in a row, without a task that was taken
        self._proven = False
        self._trial = asyncio.Lock()
        self._looking: asyncio.Task[None] | None = None

    async def close(self) -> None:
        """End all calls of it."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait({self._looking})
        await self.line.close()

    @asynccontextmanager
    async def trial(self) -> AsyncIterator[None]:
        """Let one task go ahead alone until one has been taken: a closed door is tried once."""
        if self._proven:
            yield
            return
        async with self._trial:
            if not self._proven:
                yield
                return
        yield

    def took(self) -> None:
        """Know that it has taken a task."""
        self._proven, self._rests = True, 0
        self.creates.faster()

    def slower(self, wait: float | None) -> None:
        """Leave it alone for a while: it has too much to do. `wait` seconds, if it said so."""
        self.throttled_until = monotonic() + self.creates.slower(wait)

    def out_of_reach(self, why: str) -> None:
        """Send nothing until it answers again."""
        self.reachable.clear()
        self._rest(why, self._timeouts.probe, LONGEST_PROBE)

    def closed(self, why: str) -> None:
        """Send no tasks for a while: it refuses our account. What it has may be asked for."""
        pause = min(LONGEST_REST, self._timeouts.rest * 2**self._rests)
        self._rests += 1
        self._rest(why, pause, LONGEST_REST)

    def doubtful(self, why: str) -> None:
        """Send no tasks for a moment: nobody knows what became of the last one."""
        pause = min(LONGEST_REST, self._timeouts.probe * 2**self._rests)
        self._rests += 1
        self._rest(why, pause, LONGEST_REST)

    def _rest(self, why: str, pause: float, longest: float) -> None:
        self._proven = False
        if not self.trouble:
            _log.warning("rests", action="upstream.rest", region=self.place.name, why=why)
        self.trouble = why
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look(pause, longest))

    async def _look(self, pause: float, longest: float) -> None:
        """Look again, ever later, until it answers and knows our key."""
        while True:
            await asyncio.sleep(pause * random.uniform(0.9, 1.1))
            pause = min(2 * pause, longest)
            if not (why := await self._ails()):
                break
            self.trouble = why
        self.trouble = ""
        self.reachable.set()
        _log.info("answers again", action="upstream.fit", region=self.place.name)

    async def _ails(self) -> str:
        try:
            reply = await self.line.query(NOBODY)
        except (NotSent, Unclear) as error:
            return str(error)
        if (told := error_of(reply)) is not None:
            return "" if told.meaning in (Meaning.PACE, Meaning.REQUEST) else str(told)
        return "" if reply.output else f"it answers {reply.status}, and not as an upstream does"


def _named(place: Place) -> list[str]:
    """Let the host that the operator named be anywhere, on the port of its base URL too."""
    netloc = place.base.partition("://")[2].partition("/")[0]
    return [netloc.lower()] if not place.local else []
