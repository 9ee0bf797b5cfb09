"""`ferrotype.testing`, used as client developers use it."""

import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import psutil
import pytest

from ferrotype.testing import Server, server

CREATE = "/services/aigc/text2image/image-synthesis"
BODY = {
    "model": "wan2.5-t2i-preview",
    "input": {"prompt": "a red fox"},
    "parameters": {"size": "1024*1024", "n": 1},
}


@pytest.fixture(scope="module")
def shared() -> Iterator[Server]:
    with server(engine="echo") as running:
        yield running


def post(to: Server) -> httpx.Response:
    headers = {"Authorization": "Bearer sk-any-key-at-all", "X-DashScope-Async": "enable"}
    return httpx.post(to.url + CREATE, json=BODY, headers=headers, trust_env=False, timeout=30)


def ended(to: Server, task: str) -> dict[str, Any]:
    headers = {"Authorization": "Bearer sk-any-key-at-all"}
    for _ in range(60):  # each is held for a second
        answer = httpx.get(f"{to.url}/tasks/{task}", headers=headers, trust_env=False, timeout=30)
        output: dict[str, Any] = answer.json()["output"]
        if output["task_status"] not in ("PENDING", "RUNNING"):
            return output
    raise AssertionError(output)


@pytest.mark.ferrotype(engine="echo", region="cn-beijing")
def test_the_fixture_is_a_server_of_its_own(ferrotype_server: Server) -> None:
    task = post(ferrotype_server).json()["output"]["task_id"]
    assert ended(ferrotype_server, task)["task_status"] == "SUCCEEDED"
    assert ferrotype_server.environ == {
        "DASHSCOPE_API_KEY": ferrotype_server.key,
        "DASHSCOPE_HTTP_BASE_URL": ferrotype_server.url,
    }
    end = time.monotonic() + 10
    while '"action":"request"' not in ferrotype_server.log:  # lines are written four times a second
        assert time.monotonic() < end, ferrotype_server.log
        time.sleep(0.05)


def test_the_next_create_can_be_refused_once(shared: Server) -> None:
    shared.fail_next("DataInspectionFailed", at="create")
    refused = post(shared)
    assert (refused.status_code, refused.json()["code"]) == (400, "DataInspectionFailed")
    assert post(shared).status_code == 200


def test_the_next_task_can_fail_once(shared: Server) -> None:
    shared.fail_next("DataInspectionFailed")
    task, next_task = (post(shared).json()["output"]["task_id"] for _ in range(2))
    assert ended(shared, task)["code"] == "DataInspectionFailed"
    assert ended(shared, next_task)["task_status"] == "SUCCEEDED"


async def test_it_can_be_told_within_an_event_loop(shared: Server) -> None:
    shared.fail_next("Throttling.RateQuota", at="create")
    assert post(shared).status_code == 429


def test_the_clock_moves_past_a_results_end(shared: Server) -> None:
    task = post(shared).json()["output"]["task_id"]
    url = ended(shared, task)["results"][0]["url"]
    assert httpx.get(url, trust_env=False).status_code == 200
    shared.clock.advance(24 * 3600 + 1)
    assert ended(shared, task)["task_status"] == "UNKNOWN"
    assert httpx.get(url, trust_env=False).status_code == 403


def test_the_clock_can_be_set(shared: Server) -> None:
    moment = datetime.now(UTC) + timedelta(days=3)
    shared.clock.set(moment)
    output = ended(shared, post(shared).json()["output"]["task_id"])
    beijing = moment + timedelta(hours=8)
    assert output["submit_time"].startswith(f"{beijing:%Y-%m-%d}")


def test_a_wrong_setting_is_told_with_the_servers_own_words() -> None:
    with pytest.raises(Exception, match="There is no setting"), server(engin="echo"):
        pass


def test_it_goes_with_a_test_run_that_is_killed() -> None:
    script = (
        "import time\n"
        "from ferrotype.testing import server\n"
        "with server(engine='echo') as running:\n"
        "    print(running._local.pid, flush=True)\n"
        "    time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as run:
        assert run.stdout is not None
        service = psutil.Process(int(run.stdout.readline()))
        family = [service, *service.children(recursive=True)]
        run.kill()
    _, alive = psutil.wait_procs(family, timeout=30)
    assert alive == []
