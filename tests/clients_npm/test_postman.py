"""The Postman collection, run by newman against a served Ferrotype."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ferrotype.testing import Server

HERE = Path(__file__).parent
NEWMAN = HERE / "node_modules" / ".bin" / "newman"
REPOSITORY = HERE.parents[1]
POSTMAN = REPOSITORY / "postman"
COLLECTION = POSTMAN / "ferrotype.postman_collection.json"

if not NEWMAN.exists():
    pytest.skip("tests/clients_npm/ready installs newman", allow_module_level=True)


def run(server: Server, report: Path, *options: str) -> tuple[int, list[dict[str, Any]]]:
    """Run the whole collection; return newman's exit status and its executions."""
    done = subprocess.run(
        [
            NEWMAN, "run", COLLECTION, "--environment", POSTMAN / "local.postman_environment.json",
            "--env-var", f"baseUrl={server.root}", "--env-var", f"apiKey={server.key}",
            "--reporters", "json", "--reporter-json-export", report, *options,
        ],
        capture_output=True,
        timeout=90,
        check=False,
    )  # fmt: skip
    assert report.exists(), done.stderr.decode()
    executions: list[dict[str, Any]] = json.loads(report.read_text())["run"]["executions"]
    return done.returncode, executions


def told(executions: list[dict[str, Any]]) -> list[tuple[str, int, str | None]]:
    """Name, HTTP status and error code of each answer; a repeated poll counts once."""
    answers = []
    for one in executions:
        body = bytes(one["response"]["stream"]["data"])
        code = json.loads(body).get("code") if body.startswith(b"{") else None
        answers.append((one["item"]["name"], one["response"]["code"], code))
    return list(dict.fromkeys(answers))


def test_every_step_of_the_collection_passes(served: Server, tmp_path: Path) -> None:
    status, executions = run(served, tmp_path / "report.json")

    failed = [
        (one["item"]["name"], check["error"]["message"])
        for one in executions
        for check in one.get("assertions", [])
        if "error" in check
    ]
    assert (status, failed) == (0, [])
    assert told(executions) == [
        ("Create a task", 200, None),
        ("Poll until it has ended", 200, None),
        ("Download the picture", 200, None),
        ("List the tasks", 200, None),
        ("Cancel a task that has ended", 400, "UnsupportedOperation"),
        ("Ask for an unknown task", 200, None),
        ("No key", 401, "InvalidApiKey"),
        ("Unknown model", 400, "InvalidParameter"),
        ("Wrong path for the model", 400, "InvalidParameter"),
        ("Without X-DashScope-Async", 403, "AccessDenied"),
        ("Too many pictures", 400, "InvalidParameter"),
        ("A body that is not JSON", 400, "BadRequest.IllegalInput"),
    ]


def test_the_poll_repeats_itself_until_the_task_has_ended(slow: Server, tmp_path: Path) -> None:
    status, executions = run(slow, tmp_path / "report.json", "--folder", "Make a picture")

    names = [one["item"]["name"] for one in executions]
    assert status == 0
    assert names.count("Poll until it has ended") >= 2
    assert list(dict.fromkeys(names)) == [
        "Create a task",
        "Poll until it has ended",
        "Download the picture",
    ]


def test_the_documented_command_runs(served: Server, tmp_path: Path) -> None:
    page = (REPOSITORY / "docs" / "clients.md").read_text(encoding="utf-8")
    (block,) = [text for text in page.split("```sh\n") if text.startswith("newman ")]
    command = block.split("```")[0].strip()

    done = subprocess.run(
        ["bash", "-c", f"{command} --env-var baseUrl={served.root}"],
        cwd=REPOSITORY,
        env={
            "PATH": f"{NEWMAN.parent}:{os.environ['PATH']}",
            "HOME": str(tmp_path),
            "DASHSCOPE_API_KEY": served.key,
        },
        capture_output=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done.stdout.decode()


def test_a_failed_task_fails_the_run(served: Server, tmp_path: Path) -> None:
    served.fail_next("DataInspectionFailed")

    status, executions = run(served, tmp_path / "report.json")
    assert status == 1
    assert "Download the picture" not in [one["item"]["name"] for one in executions]


@pytest.mark.parametrize(
    ("name", "host"),
    [
        ("local", "http://127.0.0.1:8765"),
        ("singapore", "https://dashscope-intl.aliyuncs.com"),
        ("virginia", "https://dashscope-us.aliyuncs.com"),
        ("beijing", "https://dashscope.aliyuncs.com"),
    ],
)
def test_each_environment_names_its_host_and_no_key(name: str, host: str) -> None:
    file = POSTMAN / f"{name}.postman_environment.json"
    values = {one["key"]: one for one in json.loads(file.read_text())["values"]}

    assert values["baseUrl"]["value"] == host
    assert (values["apiKey"]["type"], values["apiKey"]["value"]) == ("secret", "")
