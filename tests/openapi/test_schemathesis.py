"""The description held against the service: thousands of made-up requests, in sequences too."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from ferrotype.testing import Server, server

HERE = Path(__file__).parent
SCHEMATHESIS = HERE / ".venv" / "bin" / "schemathesis"
CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,"
    "response_schema_conformance"
)

if not SCHEMATHESIS.exists():
    pytest.skip("tests/openapi/ready installs schemathesis", allow_module_level=True)


@pytest.fixture(scope="module")
def echo() -> Iterator[Server]:
    with server(engine="echo") as running:
        yield running


def run(echo: Server, folder: Path, *options: str) -> str:
    """Run schemathesis with a fixed seed; return what it prints when it finds nothing wrong."""
    done = subprocess.run(
        [
            SCHEMATHESIS, "run", f"{echo.root}/openapi.json",
            "--header", f"Authorization: Bearer {echo.key}", "--checks", CHECKS,
            "--seed", "1", "--no-color", "--suppress-health-check", "all", *options,
        ],
        cwd=folder, capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    return done.stdout


def test_no_request_breaks_the_service_or_its_description(echo: Server, tmp_path: Path) -> None:
    said = run(echo, tmp_path, "--phases", "coverage,fuzzing", "--max-examples", "10")
    found = re.search(r"(\d+) generated, (\d+) passed", said)
    assert found and found[1] == found[2] and int(found[1]) > 1000


def test_tasks_are_made_asked_for_and_canceled_in_any_order(echo: Server, tmp_path: Path) -> None:
    before = tasks(echo)
    tasks_alone = ("--include-path-regex", "^/api/v1/(services|tasks)")
    said = run(echo, tmp_path, "--phases", "stateful", "--max-examples", "20", *tasks_alone)
    found = re.search(r"API Links:\s+(\d+) covered", said)
    assert found and int(found[1]) >= 2
    assert tasks(echo) > before, "creates that led to queries and cancels"


def tasks(echo: Server) -> int:
    """How many tasks the account has."""
    headers = {"Authorization": f"Bearer {echo.key}"}
    total: int = httpx.get(f"{echo.url}/tasks", headers=headers).json()["total"]
    return total
