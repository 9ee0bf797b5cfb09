"""Events from a real service to a real receiver, and what kill -9 does to them."""

import json
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import dashscope
import httpx
import psutil
import pytest
from dashscope import ImageSynthesis

from ferrotype.cli.local import LocalServer
from ferrotype.testing import server

MODEL = "wan2.2-t2i-flash"
ROUTE = "text2image/image-synthesis"
PATIENCE = 60.0


class Receiver:
    """A web hook. `hold` keeps it from answering."""

    def __init__(self, port: int = 0) -> None:
        self.events: list[dict[str, Any]] = []
        self.hold = threading.Event()
        self.hold.set()
        self._came = threading.Condition()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.take(json.loads(body))
                receiver.hold.wait(PATIENCE)
                self.send_response(204)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/hook"

    def take(self, event: dict[str, Any]) -> None:
        with self._came:
            self.events.append(event)
            self._came.notify_all()

    def until(self, events: int) -> None:
        with self._came:
            assert self._came.wait_for(lambda: len(self.events) >= events, PATIENCE)


@contextmanager
def receiving(port: int = 0) -> Iterator[Receiver]:
    receiver = Receiver(port)
    thread = threading.Thread(target=receiver.http.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield receiver
    finally:
        receiver.hold.set()
        receiver.http.shutdown()
        thread.join()
        receiver.http.server_close()


def telling(folder: Path, url: str) -> LocalServer:
    variables = {"ENGINE": "echo", "ANY_KEY": "1", "EVENT_URLS": url}
    return LocalServer(folder, {f"FERROTYPE_{name}": value for name, value in variables.items()})


def create(running: LocalServer) -> str:
    answer = httpx.post(
        f"{running.url}/services/aigc/{ROUTE}",
        headers={"Authorization": "Bearer sk-x", "X-DashScope-Async": "enable"},
        json={"model": MODEL, "input": {"prompt": "a red door"}},
        timeout=PATIENCE,
        trust_env=False,
    )
    task: str = answer.json()["output"]["task_id"]
    return task


def end(running: LocalServer, task: str) -> None:
    while True:
        answer = httpx.get(
            f"{running.url}/tasks/{task}",
            headers={"Authorization": "Bearer sk-x"},
            timeout=PATIENCE,
            trust_env=False,
        )
        if answer.json()["output"]["task_status"] == "SUCCEEDED":
            return


def family(running: LocalServer) -> list[psutil.Process]:
    assert running.pid is not None
    root = psutil.Process(running.pid)
    return [root, *root.children(recursive=True)]


def test_the_sdks_tasks_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with receiving() as receiver, server(engine="echo", event_urls=receiver.url) as running:
        monkeypatch.setattr(dashscope, "base_http_api_url", running.url)
        good = ImageSynthesis.call(MODEL, "a red door", api_key=running.key)
        running.fail_next("DataInspectionFailed", at="task")
        bad = ImageSynthesis.call(MODEL, "a red door", api_key=running.key)
        dashscope.close_shared_sync_session()
        receiver.until(2)
    told = {event["data"]["task_id"]: event for event in receiver.events}
    assert set(told) == {good.output.task_id, bad.output.task_id}
    event = told[good.output.task_id]
    assert event["specversion"] == "1.0"
    assert event["type"] == "dashscope:System:AsyncTaskFinish"
    assert event["data"]["task_status"] == "SUCCEEDED"
    assert event["data"]["contain_result"] is False
    assert event["data"]["end_time"] == good.output.end_time[:19]
    assert event["data"]["user_api_unique_key"] == (
        f"apikey:v1:aigc:text2image:image-synthesis:{MODEL}"
    )
    assert told[bad.output.task_id]["data"]["task_status"] == "FAILED"


def test_nothing_is_lost_when_everything_dies_while_nobody_listens(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = sock.getsockname()[1]
    url = f"http://127.0.0.1:{port}/hook"
    with telling(tmp_path / "data", url) as running:
        tasks = {create(running) for _ in range(3)}
        for task in tasks:
            end(running, task)
        everybody = family(running)
        for one in everybody:
            one.kill()
        psutil.wait_procs(everybody, timeout=PATIENCE)
    with receiving(port) as receiver, telling(tmp_path / "data", url):
        receiver.until(3)
    assert {event["data"]["task_id"] for event in receiver.events} == tasks


def test_an_answer_that_was_never_heard_makes_the_event_come_again(tmp_path: Path) -> None:
    with receiving() as receiver:
        receiver.hold.clear()
        with telling(tmp_path / "data", receiver.url) as running:
            task = create(running)
            receiver.until(1)
            [api] = [one for one in family(running) if "cli.process api" in _line(one)]
            os.kill(api.pid, 9)
            receiver.hold.set()
            receiver.until(2)
    first, second = receiver.events[:2]
    assert first == second
    assert first["data"]["task_id"] == task


def _line(process: psutil.Process) -> str:
    return " ".join(process.cmdline())
