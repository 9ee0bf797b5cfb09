"""The command `dashscope` that the official Python package installs."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from ferrotype.testing import Server

DASHSCOPE = Path(sys.executable).with_name("dashscope")
MODEL = "wan2.2-t2i-flash"
NOWHERE = "00000000-0000-4000-8000-000000000000"

Done = subprocess.CompletedProcess[str]
Run = Callable[..., Done]


def run_against(server: Server, home: Path, *arguments: str, key: str | None = None) -> Done:
    """Run the command with nothing but its two documented variables."""
    return subprocess.run(
        [DASHSCOPE, *arguments],
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "COLUMNS": "1000",
            **server.environ,
            **({"DASHSCOPE_API_KEY": key} if key else {}),
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def run(served: Server, tmp_path: Path) -> Run:
    return lambda *arguments: run_against(served, tmp_path, *arguments)


def printed(done: Done) -> list[Any]:
    """The JSON documents on stdout of a command that must have succeeded."""
    assert done.returncode == 0, done
    decoder, text, found = json.JSONDecoder(), done.stdout.strip(), []
    while text:
        document, end = decoder.raw_decode(text)
        found.append(document)
        text = text[end:].strip()
    return found


def create(run: Run, *more: str) -> Mapping[str, Any]:
    output, _ = printed(
        run("image-synthesis", "create", "-m", MODEL, "-p", "a cat", "-n", "1", *more)
    )
    assert isinstance(output, dict)
    return output


def test_create_prints_output_and_usage(run: Run) -> None:
    output, usage = printed(
        run(
            "image-synthesis", "create", "--model", "wan2.5-t2i-preview",
            "--prompt", "A flower shop with exquisite windows", "--negative-prompt", "text",
            "--size", "1024*1024", "--n", "1",
        )
    )  # fmt: skip

    assert output["task_status"] == "SUCCEEDED"
    assert output["results"][0]["url"].startswith("http://127.0.0.1:")
    assert usage == {"image_count": 1}


def test_fetch_and_wait_print_the_same_task(run: Run) -> None:
    made = create(run)

    for verb in ("fetch", "wait"):
        (output,) = printed(run("image-synthesis", verb, made["task_id"]))
        assert output == made


def test_list_prints_the_page_asked_for(run: Run) -> None:
    made = create(run)

    (page,) = printed(
        run("image-synthesis", "list", "--model-name", MODEL, "--status", "SUCCEEDED", "-s", "1")
    )
    assert (page["page_no"], page["page_size"]) == (1, 1)
    assert [row["task_id"] for row in page["data"]] == [made["task_id"]]


def test_cancel_says_that_it_cancelled(slow: Server, tmp_path: Path) -> None:
    task = new_task(slow)

    done = run_against(slow, tmp_path, "image-synthesis", "cancel", task)
    assert done.returncode == 0, done
    assert f"Cancel image synthesis task: {task} success" in done.stdout


def new_task(server: Server) -> str:
    import httpx

    answer = httpx.post(
        f"{server.url}/services/aigc/text2image/image-synthesis",
        headers={"Authorization": f"Bearer {server.key}", "X-DashScope-Async": "enable"},
        json={"model": MODEL, "input": {"prompt": "a cat"}, "parameters": {"n": 1}},
    )
    task: str = answer.json()["output"]["task_id"]
    return task


def test_cancel_of_a_finished_task_exits_3(run: Run) -> None:
    done = run("image-synthesis", "cancel", create(run)["task_id"])

    assert done.returncode == 3, done
    assert "UnsupportedOperation" in done.stderr


def test_an_unknown_task_is_printed_as_unknown(run: Run) -> None:
    (output,) = printed(run("image-synthesis", "fetch", NOWHERE))

    assert output == {"task_id": NOWHERE, "task_status": "UNKNOWN", "results": []}


def test_a_refused_create_says_why(run: Run) -> None:
    done = run("image-synthesis", "create", "-m", "no-such-model", "-p", "a cat")

    assert done.returncode == 1, done
    assert "Image synthesis request failed" in done.stderr
    assert "Model not exist." in done.stderr


def test_a_failed_task_is_a_business_error(run: Run, served: Server) -> None:
    served.fail_next("InvalidParameter")
    task = create_failing(run)

    done = run("image-synthesis", "fetch", task)
    assert done.returncode == 3, done
    assert "Business Error" in done.stderr
    assert "code: InvalidParameter" in done.stderr


def create_failing(run: Run) -> str:
    (output,) = printed(run("image-synthesis", "create", "-m", MODEL, "-p", "a cat"))
    assert output["task_status"] == "FAILED"
    task: str = output["task_id"]
    return task


def test_a_wrong_key_exits_2(guarded: Server, tmp_path: Path) -> None:
    for arguments in (
        ("image-synthesis", "fetch", NOWHERE),
        ("image-synthesis", "list"),
        ("models", "list"),
    ):
        done = run_against(guarded, tmp_path, *arguments, key="sk-wrong")
        assert done.returncode == 2, done
        assert "InvalidApiKey" in done.stderr


def test_models_list_and_get(run: Run) -> None:
    (page,) = printed(run("models", "list", "--page", "1", "--page-size", "100"))
    (model,) = printed(run("models", "get", MODEL))

    assert model in page["models"]
    assert model["model"] == MODEL
    assert run("models", "get", "no-such-model").returncode == 1
