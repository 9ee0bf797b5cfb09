"""The engine: asks a server of the operator's for pictures and films, and keeps what it made."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from ferrotype.engines.openai import films, pictures
from ferrotype.engines.openai.asking import Wanted, read
from ferrotype.engines.openai.health import Health
from ferrotype.engines.openai.options import Options
from ferrotype.engines.openai.reel import Reel
from ferrotype.engines.openai.server import Server, ServerFault
from ferrotype.media import Output
from ferrotype.ports.engine import Bench, Job

SILENT = 20.0  # seconds that a server may be unwell while it draws for us


class OpenAI:
    """Serves one model by a vLLM-Omni or SGLang Diffusion server. See `Options`."""

    def __init__(self, **options: Any) -> None:
        self._options = msgspec.convert(options, Options)
        for problem in self._options.problems():
            raise ValueError(problem)
        self.concurrency = self._options.concurrency
        self._health = Health(self._options)
        self._server = Server(self._options, self._health)

    @property
    def unfit(self) -> Mapping[str, str]:
        """Why the server cannot serve, for all models, or nothing."""
        why = self._health.why
        return {"*": why} if why else {}

    async def run(self, job: Job, bench: Bench) -> Sequence[Output]:
        """Have the server make the job's pictures, all at once, or its film; keep them."""
        wanted = read(job, self._options)
        if wanted.film:
            return [await self._film(job, wanted, bench)]
        return await self._draw_all(job, wanted, bench)

    async def _film(self, job: Job, wanted: Wanted, bench: Bench) -> Output:
        raw = await Reel(self._options, self._server, self._health, bench).make(job, wanted)
        wish = films.Wish(i=0, size=wanted.size, seconds=wanted.seconds)
        path, served = bench.workdir / "0.mp4", self._options.model
        return await asyncio.to_thread(films.keep, raw, path, job, wish, served, bench.stopping)

    async def _draw_all(self, job: Job, wanted: Wanted, bench: Bench) -> list[Output]:
        """Ask for each picture by itself: these servers take one seed a request."""
        drawn: list[int] = []
        drawing = [
            asyncio.create_task(self._draw(job, wanted, i, bench, drawn)) for i in range(job.n)
        ]
        watching = asyncio.create_task(self._watch(job.n, bench, drawn))
        together = asyncio.gather(*drawing)
        try:
            ends: set[asyncio.Future[Any]] = {together, watching}
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            if watching.done():
                watching.result()
            return await together
        finally:
            for task in (*drawing, watching):
                task.cancel()
            await asyncio.gather(*drawing, watching, return_exceptions=True)

    async def _draw(
        self, job: Job, wanted: Wanted, i: int, bench: Bench, drawn: list[int]
    ) -> Output:
        fields = wanted.fields | {"seed": job.seed + i}
        if wanted.files:
            made = await self._server.edit(fields, wanted.files)
        else:
            made = await self._server.draw(fields)
        path, served = bench.workdir / f"{i}.png", self._options.model
        output = await asyncio.to_thread(pictures.keep, made, path, job, i, wanted.size, served)
        drawn.append(i)
        bench.progress(len(drawn) / job.n, len(drawn), job.n)
        return output

    async def _watch(self, n: int, bench: Bench, drawn: list[int]) -> None:
        """Say that the job lives for as long as the server does, which gives no other sign."""
        while self._health.down_for < SILENT:
            if not self._health.why:
                bench.progress(len(drawn) / n, len(drawn), n)
            await asyncio.sleep(self._options.poll)
        raise ServerFault(f"the server fell silent over this: {self._health.why}")
