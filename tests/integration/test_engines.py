"""Our engines keep to what every engine must do."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from ferrotype.conformance import EngineSuite, Trial
from omni import omni

FILM = Trial(kind="text-to-video", size=(320, 240), duration=1.0)


class TestEcho(EngineSuite):
    engine = "echo"
    options = {"concurrency": 4}
    jobs = (Trial(n=3), Trial(prompt="echo delay=0.3 steps=3"))
    slow = Trial(prompt="echo delay=60 steps=300")
    refused = Trial(prompt="echo refuse=DataInspectionFailed")
    exact_size = False


class TestIllustrator(EngineSuite):
    engine = "illustrator"
    options = {"quick": True, "concurrency": 2}
    jobs = (
        Trial(n=2),
        Trial(kind="image-edit", prompt="make it watercolour", inputs={"images": ["image"]}),
        FILM,
        Trial(kind="image-to-video", inputs={"img_url": ["image"]}, duration=1.0, size=(320, 320)),
    )
    slow = Trial(size=(2048, 2048), n=6)
    refused = Trial(size=(8, 8))


class TestOpenAI(EngineSuite):
    engine = "openai"
    jobs = (Trial(n=2), FILM, Trial(kind="image-edit", inputs={"images": ["image"]}))
    refused = Trial(kind="animate")
    network = True

    @asynccontextmanager
    async def open_engine(self, folder: Path) -> AsyncIterator[Mapping[str, Any]]:
        async with omni() as server:
            yield {"url": server.url, "poll": 0.05, "concurrency": 3}


class TestOpenAIFilms(EngineSuite):
    engine = "openai"
    jobs = (Trial(n=2),)
    slow = FILM
    network = True

    @asynccontextmanager
    async def open_engine(self, folder: Path) -> AsyncIterator[Mapping[str, Any]]:
        async with omni("sglang") as server:
            server.looks_needed = 1 << 30
            yield {"url": server.url, "flavour": "sglang", "poll": 0.05}
