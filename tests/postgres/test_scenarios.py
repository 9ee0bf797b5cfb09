"""A deployment under fire, in short: `make chaos` has the long form."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from bench.chaos import SCENARIOS, run
from bench.postgres import Server, serving


@pytest.fixture
def durable() -> Iterator[Server]:
    with serving(max_connections="400") as running:
        yield running


@pytest.mark.parametrize("scenario", SCENARIOS)
async def test_every_task_ends_once(
    scenario: str, durable: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = await run(scenario, 1_000, tmp_path, durable)
    with capsys.disabled():
        sys.stdout.write("\n" + "\n".join(report.lines()) + "\n")
    assert report.strikes
    assert report.held(), "\n".join(report.lines())
