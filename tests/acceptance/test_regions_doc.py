"""The commands in docs/regions.md are run here, on free ports in place of the page's."""

import json
import os
import re
import signal
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest

import ferrotype.http

PAGE = (Path(__file__).parents[2] / "docs" / "regions.md").read_text("utf-8")
SERVE, KEYS, SHARE, AGAIN, NAMES = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
(PROGRAM,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
PATH = f"{Path(sys.executable).parent}:{os.environ['PATH']}"


PORT = re.compile(r"\b(?:87|94)\d\d\b")


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    return {"HOME": str(tmp_path), "PATH": PATH}


@contextmanager
def running(command: str, home: dict[str, str]) -> Iterator[str]:
    """Run a line that serves, on a free port and without metrics; yield the port."""
    with subprocess.Popen(
        ["bash", "-c", f"exec env {PORT.sub('0', command)}"],
        env=home,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            for line in process.stdout:
                if said := re.fullmatch(r"export DASHSCOPE_HTTP_BASE_URL=(\S+)\n", line):
                    break
            else:
                raise AssertionError(f"{command!r} ended before it said how to call it")
            url = httpx.URL(said[1])
            assert httpx.get(url.join("/readyz"), timeout=20).status_code == 200
            yield str(url.port)
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0


def run(arguments: list[str], home: dict[str, str]) -> str:
    done = subprocess.run(arguments, env=home, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def answers(text: str) -> list[dict[str, object]]:
    """Return the JSON documents that follow one another in a text."""
    decoder, found, at = json.JSONDecoder(), list[dict[str, object]](), 0
    while at < len(text):
        one, at = decoder.raw_decode(text, at)
        found.append(one)
    return found


def moved(text: str, ports: dict[str, str]) -> str:
    return PORT.sub(lambda port: ports[port[0]], text)


def test_three_regions_serve_side_by_side(home: dict[str, str]) -> None:
    lines = SERVE.strip().splitlines()
    wanted = PORT.findall(SERVE)
    assert len(set(wanted)) == len(wanted) == 2 * len(lines) == 6
    with ExitStack() as stack:
        ports = {
            line.partition("--port ")[2][:4]: stack.enter_context(running(line, home))
            for line in lines
        }
        ours, foreign = answers(run(["bash", "-ec", moved(KEYS, ports)], home))
        assert ours["total"] == 0
        assert foreign["code"] == "InvalidApiKey"
        assert foreign["message"] == "Invalid API-key provided."

        assert run(["bash", "-ec", SHARE], home) == "sk-my-own-key\n" * 3
        printed = run([sys.executable, "-c", moved(PROGRAM, ports)], home)
    names = ("ap-southeast-1", "us-east-1", "cn-beijing")
    assert printed == "".join(f"{name} SUCCEEDED\n" for name in names)


def test_a_region_answers_by_its_vendor_names_and_no_others(home: dict[str, str]) -> None:
    with running(AGAIN, {**home, "FERROTYPE_METRICS_PORT": "0"}) as port:
        run(["bash", "-ec", SHARE], home)
        said = answers(run(["bash", "-ec", moved(NAMES, {"8765": port})], home))
    classic, ours, foreign, virginia = said
    assert (classic["total"], ours["total"]) == (0, 0)
    assert foreign["code"] == "NOT AUTHORIZED"
    assert virginia["code"] == "InvalidParameter"
    assert "host" in str(virginia["message"])


def test_the_table_of_names_is_the_one_in_use() -> None:
    table = tomllib.loads((Path(ferrotype.http.__file__).parent / "regions.toml").read_text())
    shown = re.findall(r"^\| `([a-z0-9-]+)`[^|]*\| `(\S+)` \|$", PAGE, re.MULTILINE)
    assert dict(shown) == table["classic"]
    for name in (*table["every"], "{workspace}." + table["workspaces"]):
        assert name.format(region="REGION", workspace="WORKSPACE") in PAGE
