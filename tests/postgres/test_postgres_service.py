"""Parts of a deployment whose processes know nothing of one another's settings."""

import functools
import http.server
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from bench.postgres import Server
from bench.servers import KEY, api, make_home, worker

pytest_plugins = ["postgres_fixtures"]

EDIT = "/api/v1/services/aigc/image2image/image-synthesis"
asked: list[str] = []


class Secretive(http.server.SimpleHTTPRequestHandler):
    """Something of a worker's own machine, which remembers who came."""

    def do_GET(self) -> None:
        asked.append(self.path)
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def secret() -> Iterator[str]:
    asked.clear()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Secretive)) as own:
        thread = threading.Thread(target=own.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{own.server_port}/secret.png"
        own.shutdown()
        thread.join()


def test_a_worker_by_itself_fetches_nothing_from_its_own_machine(
    server: Server, tmp_path: Path, secret: str
) -> None:
    url, data = server.database(), tmp_path / "data"
    make_home(data, database_url=url)
    asking = {"Authorization": f"Bearer {KEY}", "X-DashScope-Async": "enable"}
    with (
        api(data, database_url=url, poll_hold="1s") as ours,
        worker(data, database_url=url),
        httpx.Client(base_url=ours.url, headers=asking, trust_env=False) as client,
    ):
        body = {
            "model": "wanx2.1-imageedit",
            "input": {
                "function": "stylization_all",
                "prompt": "echo",
                "base_image_url": secret,
            },
        }
        created = client.post(EDIT, json=body).json()
        end = time.monotonic() + 20
        while True:
            output = client.get(f"/api/v1/tasks/{created['output']['task_id']}").json()["output"]
            if output["task_status"] not in ("PENDING", "RUNNING"):
                break
            assert time.monotonic() < end
    assert (output["task_status"], output["code"]) == ("FAILED", "BadRequest.InputDownloadFailed")
    assert not asked
