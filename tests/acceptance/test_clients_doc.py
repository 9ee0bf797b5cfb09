"""The commands and programs in docs/clients.md do what they say."""

import os
import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from ferrotype.testing import Server

REPOSITORY = Path(__file__).parents[2]
PAGE = (REPOSITORY / "docs" / "clients.md").read_text(encoding="utf-8")
PROGRAMS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
BLOCKS = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
COMMANDS = [block for block in BLOCKS if block.startswith("curl")]


def filled(text: str, server: Server) -> str:
    return text.replace("http://127.0.0.1:8765/api/v1", server.url).replace("sk-...", server.key)


def run(arguments: list[str], server: Server) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        arguments,
        env={
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            **server.environ,
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_page_has_what_is_run_here() -> None:
    assert len(PROGRAMS) == 4
    assert len(COMMANDS) == 2
    assert len(BLOCKS) == 4  # test_dashscope_command.py and tests/clients_npm run the others


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_prints_urls_that_open(program: str, served: Server) -> None:
    done = run([sys.executable, "-c", filled(program, served)], served)

    assert done.returncode == 0, done.stderr
    urls = re.findall(r"http://[^\s'\"]+", done.stdout)
    assert urls
    for url in urls:
        assert httpx.get(url).headers["content-type"] == "image/png"


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_succeeds(command: str, served: Server) -> None:
    made = httpx.post(
        f"{served.url}/services/aigc/text2image/image-synthesis",
        headers={"Authorization": f"Bearer {served.key}", "X-DashScope-Async": "enable"},
        json={"model": "wan2.2-t2i-flash", "input": {"prompt": "a cat"}, "parameters": {"n": 1}},
    )
    task = made.json()["output"]["task_id"]

    done = run(["bash", "-c", filled(command, served).replace("{task_id}", task)], served)
    assert done.returncode == 0, done.stderr
    assert '"code"' not in done.stdout
