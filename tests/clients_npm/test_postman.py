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
QUICK = ("--env-var", "poll_wait_ms=300")  # in place of the guide's 4 s

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
        timeout=180,
        check=False,
    )  # fmt: skip
    assert report.exists(), done.stderr.decode()
    executions: list[dict[str, Any]] = json.loads(report.read_text())["run"]["executions"]
    return done.returncode, executions


def told(executions: list[dict[str, Any]]) -> dict[str, tuple[int, str | None]]:
    """HTTP status and error code of each answer by its request's name; of polls the last one."""
    answers = {}
    for one in executions:
        body = bytes(one["response"]["stream"]["data"])
        answers[one["item"]["name"]] = (one["response"]["code"], code(body))
    return answers


def code(body: bytes) -> str | None:
    return json.loads(body).get("code") if body.startswith(b"{") else None


def examples(*folders: str) -> dict[str, tuple[int, str | None]]:
    """The same of the examples that the collection's requests carry, in order."""
    chosen = [
        folder
        for folder in json.loads(COLLECTION.read_text(encoding="utf-8"))["item"]
        if not folders or folder["name"] in folders
    ]
    return {
        item["name"]: (example["code"], code(example["body"].encode()))
        for folder in chosen
        for item in folder["item"]
        for example in item["response"]
    }


def failed(executions: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [
        (one["item"]["name"], check["error"]["message"])
        for one in executions
        for check in one.get("assertions", [])
        if "error" in check
    ]


def test_every_request_of_the_collection_passes(served: Server, tmp_path: Path) -> None:
    status, executions = run(served, tmp_path / "report.json", *QUICK)

    assert (status, failed(executions)) == (0, [])
    expected = examples() | {"A wrong key": (200, None)}  # this server takes any
    assert list(told(executions).items()) == list(expected.items())


def test_every_error_is_told_by_a_server_that_knows_its_keys(
    guarded: Server, tmp_path: Path
) -> None:
    folders = ("Make a picture", "Errors")
    options = [option for folder in folders for option in ("--folder", folder)]
    status, executions = run(guarded, tmp_path / "report.json", *QUICK, *options)

    assert (status, failed(executions)) == (0, [])
    assert told(executions) == examples(*folders)
    assert told(executions)["A wrong key"] == (401, "InvalidApiKey")


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
        ["bash", "-c", f"{command} --env-var baseUrl={served.root} --folder 'Make a picture'"],
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

    status, executions = run(served, tmp_path / "report.json", *QUICK)
    names = list(told(executions))
    assert status == 1
    assert names[:3] == ["Create a task", "Poll until it has ended", "List the tasks"]


def test_a_failed_film_is_told_and_the_others_are_made(served: Server, tmp_path: Path) -> None:
    folders = ("Make a picture", "Text to film", "First frame to film")
    served.rehearse(
        model="wanx2.1-t2v-turbo", times=1, fail={"code": "DataInspectionFailed", "at": "task"}
    )

    options = [option for folder in folders for option in ("--folder", folder)]
    status, executions = run(served, tmp_path / "report.json", *QUICK, *options)
    names = list(told(executions))
    assert status == 1
    assert [name for name, _ in failed(executions)] == ["Text to film: poll until it has ended"]
    assert "Text to film: look at the file" not in names
    assert names[-1] == "First frame to film: look at the file"


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
