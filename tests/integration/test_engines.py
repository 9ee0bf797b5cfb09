"""Our engines keep to what every engine must do."""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from ferrotype.conformance import EngineSuite, Trial
from ferrotype.ports.engine import Posted
from ferrotype.testing import Server
from omni import omni

SLOW, BAD = "wan2.2-t2i-plus", "wanx2.1-t2i-plus"  # models that the upstream is told to trouble
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


def forwarded(model: str = "wan2.2-t2i-flash", n: int = 1) -> Trial:
    """Return a job as a caller posted it."""
    body = {
        "model": model,
        "input": {"prompt": Trial().prompt},
        "parameters": {"size": "512*512", "n": n},
    }
    posted = Posted(route="text2image/image-synthesis", modes=("async",), body=body)
    return Trial(model=model, n=n, posted=posted)


class TestDashscope(EngineSuite):
    engine = "dashscope"
    jobs = (forwarded(n=2), forwarded())
    slow = forwarded(SLOW)
    refused = forwarded(BAD)
    same_bytes = False  # whose seed was not given
    network = True

    @pytest.fixture(autouse=True)
    def upstream(self, served: Server) -> Iterator[None]:
        type(self).options = {"key": "sk-1", "regions": [served.root], "poll": {"first": 0.1}}
        with (
            served.rehearse(model=SLOW, running=60),
            served.rehearse(model=BAD, fail={"code": "DataInspectionFailed"}),
        ):
            yield
