"""The README's blocks are run here, one after the other, as a newcomer would run them."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

README = Path(__file__).parents[2] / "README.md"
BLOCKS = re.findall(r"```(?:sh|python)\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
MAKE, SERVE, CREATE, POLL, PYTHON, DEVELOPERS = BLOCKS
PATH = f"{Path(sys.executable).parent}:{os.environ['PATH']}"


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """The environment of somebody who has nothing yet, on a machine whose ports are taken."""
    return {
        "HOME": str(tmp_path),
        "PATH": PATH,
        "FERROTYPE_PORT": "0",
        "FERROTYPE_METRICS_PORT": "0",
    }


@contextmanager
def running(command: str, environment: dict[str, str]) -> Iterator[dict[str, str]]:
    """Run a line that serves; yield the variables that it tells its reader to export."""
    with subprocess.Popen(
        ["bash", "-c", f"exec {command}"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            said = dict[str, str]()
            while len(said) < 2:
                line = process.stdout.readline()
                assert line, f"{command!r} ended before it said how to call it"
                said.update(re.findall(r"^export (\w+)=(\S+)$", line))
            root = said["DASHSCOPE_HTTP_BASE_URL"].removesuffix("/api/v1")
            assert httpx.get(f"{root}/readyz", timeout=20).status_code == 200
            yield {**environment, **said}
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0


def bash(script: str, environment: dict[str, str]) -> str:
    done = subprocess.run(
        ["bash", "-ec", script], env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def polled(shell: dict[str, str], task: str) -> dict[str, Any]:
    output: dict[str, Any] = json.loads(bash(POLL, {**shell, "TASK_ID": task}))["output"]
    return output


def test_the_first_screen_works_from_serve_to_the_picture(home: dict[str, str]) -> None:
    with running(SERVE.strip(), home) as shell:
        created = bash(CREATE, shell)
        (task,) = re.findall(r'"task_id":\s*"([0-9a-f-]{36})"', created)
        end = time.monotonic() + 60
        while (output := polled(shell, task))["task_status"] in ("PENDING", "RUNNING"):
            assert time.monotonic() < end
        url = output["results"][0]["url"]
        picture = httpx.get(url)
        assert picture.headers["content-type"] == "image/png"
        assert picture.content[16:24] == (1024).to_bytes(4, "big") * 2

        printed = subprocess.run(
            [sys.executable, "-c", PYTHON], env=shell, capture_output=True, text=True, timeout=60
        )
        assert printed.returncode == 0, printed.stderr
        assert httpx.get(printed.stdout.strip()).status_code == 200


def test_every_line_for_client_developers_works(home: dict[str, str]) -> None:
    lines = [line.partition("#")[0].strip() for line in DEVELOPERS.strip().splitlines()]
    assert len(lines) == 3
    for line in lines:
        if line.startswith("ferrotype serve"):
            with running(line, home) as shell:
                assert shell["DASHSCOPE_HTTP_BASE_URL"].endswith("/api/v1")
        else:
            assert bash(line, home) == "sk-my-own-key\n"


def test_make_is_what_the_first_block_says() -> None:
    targets = re.findall(r"^make (\S+)", MAKE, re.MULTILINE)
    assert targets == ["demo", "test"]  # tests/newcomer runs the demo, in a clone
