"""What a rehearsal does to the official package's calls, against a real server."""

import json
import subprocess
import sys
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

import dashscope
import httpx
import pytest

from ferrotype.testing import Server, server

MODEL = "wan2.2-t2i-flash"


@pytest.fixture(scope="module")
def stage() -> Iterator[Server]:
    with server() as running:
        yield running


@pytest.fixture(autouse=True)
def pointed(stage: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dashscope, "base_http_api_url", stage.url)


def call(stage: Server, **more: Any) -> Any:
    asked = {"model": MODEL, "prompt": "a red kite", "n": 2, "size": "512*512", **more}
    return dashscope.ImageSynthesis.call(api_key=stage.key, **asked)


def test_a_partial_failure_is_read_by_the_package(stage: Server) -> None:
    with stage.rehearse(partial={"indexes": [0], "code": "DataInspectionFailed"}):
        answer = call(stage)
    first, second = answer.output.results
    assert (first.code, first.url) == ("DataInspectionFailed", "")
    assert httpx.get(second.url).status_code == 200
    assert answer.usage.image_count == 1
    assert answer.output.task_metrics["FAILED"] == 1


def test_all_pictures_failing_is_a_task_that_failed(stage: Server) -> None:
    with stage.rehearse(partial={"indexes": [0, 1], "code": "InternalError.Timeout"}):
        answer = call(stage)
    assert (answer.output.task_status, answer.output.code) == ("FAILED", "InternalError.Timeout")


def test_throttling_reaches_the_caller_and_passes(stage: Server) -> None:
    stage.rehearse(times=2, fail={"code": "Throttling.RateQuota", "at": "create"})
    create = dashscope.ImageSynthesis.async_call
    answers = [create(MODEL, "a kite", api_key=stage.key).status_code for _ in range(3)]
    assert answers == [HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.OK]


def test_a_url_that_has_ended_and_a_task_that_is_gone(stage: Server) -> None:
    made = call(stage)
    with stage.rehearse(expired="urls"):
        (url, _) = [one.url for one in again(stage, made).output.results]
        assert httpx.get(url).status_code == 403
    with stage.rehearse(expired="tasks"):
        assert again(stage, made).output.task_status == "UNKNOWN"
    assert httpx.get(again(stage, made).output.results[0].url).status_code == 200


def again(stage: Server, made: Any) -> Any:
    return dashscope.ImageSynthesis.fetch(made, api_key=stage.key)


def test_examples_run_without_their_files(stage: Server) -> None:
    asked: dict[str, Any] = {
        "model": "wan2.6-i2v-flash",
        "img_url": "https://files.invalid/a.png",
        "audio_url": "https://files.invalid/a.mp3",
        "resolution": "720P",
        "duration": 2,
    }
    with stage.rehearse(placeholders=True):
        answer = dashscope.VideoSynthesis.call(api_key=stage.key, **asked)
    assert answer.output.task_status == "SUCCEEDED", answer
    assert httpx.get(answer.output.video_url).content[4:8] == b"ftyp"
    without = dashscope.VideoSynthesis.call(api_key=stage.key, **asked)
    assert without.output.task_status == "FAILED"


def test_a_bad_rule_is_told(stage: Server) -> None:
    with pytest.raises(ValueError, match="latency"):
        stage.rehearse(latency=3)


def test_rules_survive_and_the_pages_command_makes_an_admin(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "ferrotype", "keys", "create", "tester", "--admin"]
    with server(tmp_path) as first:
        done = subprocess.run(
            [*command, "--data-dir", str(tmp_path)], capture_output=True, text=True, check=True
        )
        admin = {"Authorization": f"Bearer {done.stdout.strip()}"}
        url = f"{first.root}/ext/v1/rehearsal"
        rule = {"model": MODEL, "fail": {"code": "Arrearage", "at": "create"}}
        assert httpx.post(url, content=json.dumps(rule), headers=admin).status_code == 200
    with server(tmp_path) as second:
        (kept,) = httpx.get(f"{second.root}/ext/v1/rehearsal", headers=admin).json()["rules"]
        assert kept["fail"]["code"] == "Arrearage"
        body = {"model": MODEL, "input": {"prompt": "a kite"}}
        path = f"{second.url}/services/aigc/text2image/image-synthesis"
        headers = {"Authorization": f"Bearer {second.key}", "X-DashScope-Async": "enable"}
        refused = httpx.post(path, json=body, headers=headers)
        assert (refused.status_code, refused.json()["code"]) == (400, "Arrearage")
        assert refused.json()["message"]


def test_where_others_can_call_there_is_no_rehearsal(tmp_path: Path) -> None:
    with server(tmp_path, rehearsal=0) as closed, pytest.raises(ValueError, match="Not found"):
        closed.rehearse(pending=1)
