"""The command `dashscope` of the official Python package, used as docs/clients.md shows it."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from ferrotype.testing import Server

DASHSCOPE = Path(sys.executable).with_name("dashscope")
PAGE = (Path(__file__).parents[2] / "docs" / "clients.md").read_text(encoding="utf-8")
(BLOCK,) = re.findall(r"```sh\n(dashscope .*?)```", PAGE, re.DOTALL)
NOWHERE = "00000000-0000-4000-8000-000000000000"

Done = subprocess.CompletedProcess[str]


def run(server: Server, *arguments: str, key: str | None = None) -> Done:
    """Run the command with nothing but its two documented variables."""
    return subprocess.run(
        [DASHSCOPE, *arguments],
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(server.data_dir),
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


def documented(verb: str, task: str = "") -> list[str]:
    """The arguments of the page's one example of a verb."""
    (line,) = [line for line in BLOCK.splitlines() if line.startswith(f"dashscope {verb} ")]
    return shlex.split(line.replace("{task_id}", task), comments=True)[1:]


def printed(done: Done) -> list[Any]:
    """The JSON documents on stdout of a command that must have succeeded."""
    assert done.returncode == 0, done
    decoder, text, found = json.JSONDecoder(), done.stdout.strip(), []
    while text:
        document, end = decoder.raw_decode(text)
        found.append(document)
        text = text[end:].strip()
    return found


def new_task(server: Server) -> str:
    answer = httpx.post(
        f"{server.url}/services/aigc/text2image/image-synthesis",
        headers={"Authorization": f"Bearer {server.key}", "X-DashScope-Async": "enable"},
        json={"model": "wan2.2-t2i-flash", "input": {"prompt": "a cat"}, "parameters": {"n": 1}},
    )
    task: str = answer.json()["output"]["task_id"]
    return task


def test_create_prints_output_and_usage(served: Server) -> None:
    output, usage = printed(run(served, *documented("image-synthesis create")))

    assert output["task_status"] == "SUCCEEDED"
    assert output["results"][0]["url"].startswith("http://127.0.0.1:")
    assert usage == {"image_count": 1}


def test_wait_then_fetch_then_list_show_the_same_task(served: Server) -> None:
    task = new_task(served)

    (waited,) = printed(run(served, *documented("image-synthesis wait", task)))
    (fetched,) = printed(run(served, *documented("image-synthesis fetch", task)))
    (page,) = printed(run(served, *documented("image-synthesis list")))
    assert fetched == waited
    assert (waited["task_id"], waited["task_status"]) == (task, "SUCCEEDED")
    assert (page["data"][0]["task_id"], page["data"][0]["status"]) == (task, "SUCCEEDED")


def test_cancel_says_that_it_cancelled_then_exits_3(held: Server) -> None:
    task = new_task(held)

    done = run(held, *documented("image-synthesis cancel", task))
    assert done.returncode == 0, done
    assert f"Cancel image synthesis task: {task} success" in done.stdout
    again = run(held, *documented("image-synthesis cancel", task))
    assert again.returncode == 3, again
    assert "UnsupportedOperation" in again.stderr


def test_an_unknown_task_is_printed_as_unknown(served: Server) -> None:
    (output,) = printed(run(served, *documented("image-synthesis fetch", NOWHERE)))

    assert output == {"task_id": NOWHERE, "task_status": "UNKNOWN", "results": []}


def test_a_refused_create_says_why(served: Server) -> None:
    done = run(served, "image-synthesis", "create", "-m", "no-such-model", "-p", "a cat")

    assert done.returncode == 1, done
    assert "Image synthesis request failed" in done.stderr
    assert "Model not exist." in done.stderr


def test_a_failed_task_is_a_business_error(served: Server) -> None:
    served.fail_next("InvalidParameter")

    done = run(served, *documented("image-synthesis wait", new_task(served)))
    assert done.returncode == 3, done
    assert "Business Error" in done.stderr
    assert "code: InvalidParameter" in done.stderr


def test_create_prints_a_failed_task_and_exits_0(served: Server) -> None:
    served.fail_next("DataInspectionFailed")

    (output,) = printed(run(served, *documented("image-synthesis create")))
    assert (output["task_status"], output["code"]) == ("FAILED", "DataInspectionFailed")


@pytest.mark.parametrize("verb", ["image-synthesis list", "models list"])
def test_a_wrong_key_exits_2(verb: str, guarded: Server) -> None:
    done = run(guarded, *verb.split(), key="sk-wrong")

    assert done.returncode == 2, done
    assert "InvalidApiKey" in done.stderr


def test_models_are_listed_and_told_one_by_one(served: Server) -> None:
    (page,) = printed(run(served, *documented("models list")))
    (model,) = printed(run(served, *documented("models get")))

    assert (len(page["models"]), page["total"]) == (20, 85)
    assert model["model"] == "wan2.5-t2i-preview"
    assert set(model) == set(page["models"][0])
    assert run(served, "models", "get", "no-such-model").returncode == 1
