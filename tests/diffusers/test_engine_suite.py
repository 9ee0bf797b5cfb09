"""The suite that every engine passes, with tiny weights."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from ferrotype.conformance import EngineSuite, Trial

pytest_plugins = ["pipeline_fixtures"]


class TestDiffusers(EngineSuite):
    engine = "diffusers"
    jobs = (
        Trial(n=2, size=(100, 70)),
        Trial(kind="image-edit", inputs={"images": ["image"]}, size=(64, 64)),
        Trial(model="films", kind="text-to-video", size=(64, 48), duration=0.5),
    )
    slow = Trial(fields={"steps": 200}, size=(256, 256))
    refused = Trial(fields={"style": "<watercolor>"})
    same_bytes = False  # a file says how long its steps took; tests of pixels are our own

    @pytest.fixture(autouse=True)
    def tiny(self, models: Path) -> None:
        self.models = models

    @asynccontextmanager
    async def open_engine(self, folder: Path) -> AsyncIterator[Mapping[str, Any]]:
        recipes = {
            "some-model": {"weights": str(self.models / "flux"), "steps": 3},
            "films": {"weights": str(self.models / "wan"), "steps": 2, "fps": 8},
        }
        yield {"device": "cpu", "weights": str(folder), "recipes": recipes}
