"""One film at the server, which knows it by an id, until it is downloaded or lost."""

import asyncio
import logging
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from ferrotype.engines.openai.asking import Wanted
from ferrotype.engines.openai.health import Health
from ferrotype.engines.openai.options import Options
from ferrotype.engines.openai.server import Lost, Server, ServerFault, Unreached
from ferrotype.engines.openai.wire import Film, Garbage, Trouble
from ferrotype.ports.engine import Bench, EngineRefusal, EngineUnfit, Job

PATIENCE = 5  # looks in a row that may go wrong while the server is well otherwise
FAREWELL = 1.5  # seconds that a job has to stop, nearly
MADE = 0.9  # of the progress; the rest is ours

_log = logging.getLogger(__name__)


class Memo(Struct, frozen=True):
    """What an attempt leaves to the next: where it asked, and the film's id once it had one."""

    at: str
    film: str | None = None


class Reel:
    """Sees a job's film through: asks for it once, takes up what an earlier attempt asked for.

    The server keeps its films in memory. When it was started anew meanwhile it has lost ours:
    then nothing runs for it any more, that counts as a fault, and the next attempt asks again.
    """

    def __init__(self, options: Options, server: Server, health: Health, bench: Bench) -> None:
        self._options = options
        self._server = server
        self._health = health
        self._bench = bench

    async def make(self, job: Job, wanted: Wanted) -> Path:
        """Return the film's file as the server made it."""
        film = await self._taken_up(job) or await self._begin(job, wanted)
        try:
            while not film.ended:
                self._bench.progress(MADE * min(1.0, max(0.0, film.progress / 100)))
                await asyncio.sleep(self._options.poll)
                film = await self._look(film.id)
            if film.status != "completed":
                raise _failure(film)
            raw = self._bench.workdir / "raw.mp4"
            await self._server.download(film.id, raw)
        except Lost as error:
            await self._bench.note(b"")
            raise ServerFault(f"the server has lost the film: {error}") from error
        except asyncio.CancelledError:
            if self._bench.final:
                await self._give_up(film)
            raise
        self._bench.progress(MADE)
        return raw

    async def _taken_up(self, job: Job) -> Film | None:
        """Return the film of an earlier attempt, unless there is none to be had any more."""
        memo = msgspec.json.decode(job.memo, type=Memo) if job.memo else None
        if memo is None or memo.at != self._options.base:
            return None
        if memo.film is None:
            if self._options.second_submit:
                return None
            raise EngineRefusal(
                "InternalError.Algo",
                "The server was asked for this film and gave no answer; whether it makes it is "
                "not known, and the recipe lets nothing be asked for twice (second_submit).",
            )
        try:
            film = await self._look(memo.film)
        except Lost:
            return None
        return film if film.status == "completed" or not film.ended else None

    async def _begin(self, job: Job, wanted: Wanted) -> Film:
        await self._note(None)
        first = wanted.files[0] if wanted.files else None
        try:
            film = await self._server.begin_film(wanted.fields | {"seed": job.seed}, first)
        except Unreached:
            await self._bench.note(b"")
            raise
        await self._note(film.id)
        return film

    async def _give_up(self, film: Film) -> None:
        """Free the server of a film that nobody wants any more, if it hears of it in time."""
        try:
            async with asyncio.timeout(FAREWELL):
                await self._server.remove(film.id)
        except (TimeoutError, Lost, EngineRefusal, EngineUnfit, ServerFault) as error:
            _log.warning("the film %s goes on at the server: %s", film.id, error)

    async def _note(self, film: str | None) -> None:
        await self._bench.note(msgspec.json.encode(Memo(self._options.base, film)))

    async def _look(self, film: str) -> Film:
        """Return how a film is, however long that takes: looking again costs nothing."""
        for left in reversed(range(PATIENCE)):
            try:
                return await self._server.look(film)
            except (ServerFault, Garbage):
                if self._health.why:
                    raise EngineUnfit(self._health.why) from None
                if not left:
                    raise
            await asyncio.sleep(self._options.poll)
        raise AssertionError("unreachable")


def _failure(film: Film) -> Exception:
    """Return what a film's failure comes to: the caller's fault, or the server's."""
    error = film.error or Trouble()
    said = error.message[:500] or f"it ended {film.status}"
    if _is_callers(error.code):
        return EngineRefusal("InvalidParameter", said)
    return ServerFault(f"the server could not make the film: {said}")


def _is_callers(code: Any) -> bool:
    return str(code).isdecimal() and 400 <= int(code) < 500 and int(code) not in (408, 409, 429)
