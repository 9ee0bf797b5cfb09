"""`ferrotype serve` as a real process: what a user does with it, and what may befall it."""

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing
from io import BytesIO
from pathlib import Path
from typing import Any, Protocol

import httpx
import psutil
import pytest

from ferrotype.cli.local import LocalServer
from ferrotype.media import png_size
from ferrotype.testing import Server, server

CREATE = "/services/aigc/text2image/image-synthesis"
PATIENCE = 60.0  # seconds: far more than a busy machine needs


def ferrotype(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environ = {k: v for k, v in os.environ.items() if not k.startswith("FERROTYPE_")}
    return subprocess.run(
        [sys.executable, "-m", "ferrotype", *arguments],
        env=environ | {f"FERROTYPE_{name}": value for name, value in variables.items()},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


class Client:
    """A caller with plain HTTP."""

    def __init__(self, url: str, key: str, headers: Mapping[str, str] | None = None) -> None:
        self._url = url
        self._http = httpx.Client(
            headers={"Authorization": f"Bearer {key}", **(headers or {})},
            timeout=PATIENCE,
            trust_env=False,
        )

    def close(self) -> None:
        self._http.close()

    def create(self, prompt: str = "a red fox", size: str = "1024*1024") -> httpx.Response:
        body = {
            "model": "wan2.5-t2i-preview",
            "input": {"prompt": prompt},
            "parameters": {"size": size, "n": 1},
        }
        return self._http.post(
            self._url + CREATE, json=body, headers={"X-DashScope-Async": "enable"}
        )

    def task(self, prompt: str = "a red fox") -> str:
        answer = self.create(prompt)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["output"]["task_id"])

    def query(self, task: str) -> dict[str, Any]:
        output: dict[str, Any] = self._http.get(f"{self._url}/tasks/{task}").json()["output"]
        return output

    def end(self, task: str) -> tuple[dict[str, Any], list[str]]:
        """Poll a task to its end; return it, and every status that was seen, in order."""
        seen: list[str] = []
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            output = self.query(task)
            if output["task_status"] not in seen:
                seen.append(output["task_status"])
            if output["task_status"] not in ("PENDING", "RUNNING"):
                return output, seen
        raise AssertionError(f"{task} did not end: {seen}")

    def status(self) -> int:
        return self._http.get(f"{self._url}/tasks/x").status_code

    def get(self, url: str) -> httpx.Response:
        return self._http.get(url)


class Caller(Protocol):
    """Makes clients that are closed when the test ends."""

    def __call__(self, url: str, key: str, headers: Mapping[str, str] | None = None) -> Client: ...


@pytest.fixture
def caller() -> Iterator[Caller]:
    with ExitStack() as stack:

        def make(url: str, key: str, headers: Mapping[str, str] | None = None) -> Client:
            return stack.enter_context(closing(Client(url, key, headers)))

        yield make


@pytest.fixture
def local(tmp_path: Path) -> Iterator[LocalServer]:
    variables = {"FERROTYPE_ENGINE": "echo", "FERROTYPE_ANY_KEY": "1"}
    with LocalServer(tmp_path / "data", variables) as running:
        yield running


def family(local: LocalServer) -> list[psutil.Process]:
    assert local.pid is not None
    root = psutil.Process(local.pid)
    return [root, *root.children(recursive=True)]


def child(local: LocalServer, name: str) -> psutil.Process:
    [found] = [one for one in family(local)[1:] if f"cli.process {name}" in " ".join(one.cmdline())]
    return found


def test_create_poll_download(caller: Caller, served: Server) -> None:
    client = caller(served.url, served.key)
    output, _ = client.end(client.task("A flower shop with exquisite windows"))
    assert output["task_status"] == "SUCCEEDED"
    picture = client.get(output["results"][0]["url"])
    assert picture.headers["content-type"] == "image/png"
    assert png_size(BytesIO(picture.content)) == (1024, 1024)
    assert picture.headers["x-ferrotype-served-by"] == "illustration"


def test_latency_shows_every_status(caller: Caller, slow: Server) -> None:
    client = caller(slow.url, slow.key)
    assert client.end(client.task())[1] == ["PENDING", "RUNNING", "SUCCEEDED"]


def test_the_start_tells_all_that_a_client_needs(local: LocalServer) -> None:
    told = ferrotype("env", "--data-dir", str(local.data_dir)).stdout.splitlines()
    assert told == [
        f"export DASHSCOPE_API_KEY={local.key}",
        f"export DASHSCOPE_HTTP_BASE_URL={local.url}",
    ]
    assert (local.data_dir / "api-key").stat().st_mode & 0o777 == 0o600
    assert local.data_dir.stat().st_mode & 0o777 == 0o700


def test_a_second_serve_on_a_folder_is_refused(local: LocalServer) -> None:
    done = ferrotype("serve", "--port", "0", "--data-dir", str(local.data_dir), METRICS_PORT="0")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert f"(process {local.pid})" in done.stderr


def test_a_port_in_use_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        done = ferrotype("serve", "--port", port, "--data-dir", str(tmp_path / "data"))
    assert done.returncode == 2
    assert done.stderr == f"ferrotype: Port {port} is in use: choose another one by --port.\n"


def test_a_metrics_port_in_use_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        folder = str(tmp_path / "data")
        done = ferrotype("serve", "--port", "0", "--data-dir", folder, METRICS_PORT=port)
    assert done.returncode == 2
    assert f"Port {port} is in use: set FERROTYPE_METRICS_PORT" in done.stderr


def test_metrics_have_a_listener_of_their_own(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
    with server(tmp_path / "data", engine="echo", metrics_port=port) as running:
        client = Client(running.url, running.key)
        client.end(client.task())
        client.close()
        at = f"http://127.0.0.1:{port}/metrics"
        told = httpx.get(at, trust_env=False, timeout=PATIENCE).text.splitlines()
        count = "ferrotype_http_request_seconds_count"
        assert f'{count}{{process="api",route="create",status="200"}} 1.0' in told
        # the worker counts in a process of its own, and is heard all the same
        assert (
            'ferrotype_tasks_claimed_total{model="wan2.5-t2i-preview",process="worker"} 1.0' in told
        )
        assert "ferrotype_workers 1.0" in told
        assert "ferrotype_ledger_up 1.0" in told
        assert httpx.get(f"{running.root}/metrics", trust_env=False).status_code != 200


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--host", "0.0.0.0"), "FERROTYPE_PUBLIC_URL"),
        (
            ("--host", "0.0.0.0", "--public-url", "http://x.example", "--any-key"),
            "--yes-anyone",
        ),
        (("--engine", "nonesuch"), "needs a recipe"),
        (("--engine", "ech"), "Did you mean echo?"),
        (("--latency", "soon"), "--latency: 'soon' is not a duration"),
    ],
)
def test_what_is_unsafe_or_wrong_is_refused(
    tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    done = ferrotype("serve", *arguments, "--data-dir", str(tmp_path / "data"))
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert said in done.stderr
    assert not (tmp_path / "data").exists()


def test_a_ledger_that_is_not_for_us_ends_it_in_one_sentence(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as conn:
        conn.execute("PRAGMA user_version = 999")
    done = ferrotype("serve", "--port", "0", "--data-dir", str(tmp_path), METRICS_PORT="0")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "was written by a newer Ferrotype" in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly(tmp_path: Path, number: int) -> None:
    local = LocalServer(tmp_path / "data", {"FERROTYPE_ENGINE": "echo"})
    local.start()
    everybody = family(local)
    os.kill(everybody[0].pid, number)
    assert local.wait() == 0
    local.stop()
    _, alive = psutil.wait_procs(everybody, timeout=PATIENCE)
    assert alive == []
    assert list((tmp_path / "data" / "workers").iterdir()) == []


def test_ctrl_c_on_a_terminal_reaches_the_processes_once(local: LocalServer) -> None:
    for name in ("api", "worker"):
        pid = child(local, name).pid
        assert os.getpgid(pid) == pid  # not in the terminal's foreground group: `serve` tells it


def test_a_killed_api_only_delays_its_callers(caller: Caller, local: LocalServer) -> None:
    client = caller(local.url, "sk-anyone")
    task = client.task()
    child(local, "api").kill()
    fresh = caller(local.url, "sk-anyone")
    assert fresh.end(task)[0]["task_status"] == "SUCCEEDED"


def test_a_killed_worker_loses_no_task(caller: Caller, local: LocalServer) -> None:
    client = caller(local.url, "sk-anyone")
    task = client.task("echo delay=1")
    while client.query(task)["task_status"] == "PENDING":
        continue
    child(local, "worker").kill()
    output, _ = client.end(task)
    assert output["task_status"] == "SUCCEEDED"
    assert len(output["results"]) == 1


def test_a_killed_supervisor_leaves_nobody_behind(caller: Caller, local: LocalServer) -> None:
    caller(local.url, "sk-anyone").task("echo delay=30")
    everybody = family(local)
    assert len(everybody) >= 3
    everybody[0].kill()
    _, alive = psutil.wait_procs(everybody[1:], timeout=PATIENCE)
    assert alive == []


def test_a_revoked_key_opens_nothing_soon(caller: Caller, guarded: Server) -> None:
    folder = ("--data-dir", str(guarded.data_dir))
    made = ferrotype("keys", "create", "guest", "--account", "guests", *folder)
    client = caller(guarded.url, made.stdout.strip())
    assert client.status() == 200
    assert ferrotype("keys", "revoke", "guest", *folder).returncode == 0
    until = time.monotonic() + 10.0  # 5 s is promised; the machine may be busy
    while client.status() == 200:
        assert time.monotonic() < until
        time.sleep(0.1)
    assert client.status() == 401


def test_an_account_sees_its_own_tasks_only(caller: Caller, guarded: Server) -> None:
    folder = ("--data-dir", str(guarded.data_dir))
    stranger = ferrotype("keys", "create", "stranger", "--account", "others", *folder)
    task = caller(guarded.url, guarded.key).task()
    assert caller(guarded.url, stranger.stdout.strip()).query(task)["task_status"] == "UNKNOWN"


def test_a_key_of_ones_own_is_accepted(caller: Caller, guarded: Server) -> None:
    done = ferrotype(
        "keys", "create", "own", "--key", "sk-mine-0123", "--data-dir", str(guarded.data_dir)
    )
    assert done.stdout == "sk-mine-0123\n"
    assert caller(guarded.url, "sk-mine-0123").status() == 200
    assert caller(guarded.url, "sk-else-0123").status() == 401


def test_result_urls_begin_with_the_public_url(caller: Caller, tmp_path: Path) -> None:
    public = "https://pictures.example"
    with server(
        tmp_path / "data", engine="echo", public_url=public, host="0.0.0.0", yes_anyone=1
    ) as run:
        assert run.url == f"{public}/api/v1"
        client = caller(f"{run.root}/api/v1", run.key, {"Host": "pictures.example"})
        url = client.end(client.task())[0]["results"][0]["url"]
        assert url.startswith(f"{public}/files/")
        assert client.get(url.replace(public, run.root)).status_code == 200


def test_result_urls_begin_with_an_allowed_host(caller: Caller, tmp_path: Path) -> None:
    with server(tmp_path / "data", engine="echo", allowed_hosts="pictures") as run:
        client = caller(run.url, run.key, {"Host": "pictures:8080"})
        url = client.end(client.task())[0]["results"][0]["url"]
        assert url.startswith("http://pictures:8080/files/")
        stranger = caller(run.url, run.key, {"Host": "evil.example"}).create()
        assert stranger.status_code == 400
        assert stranger.json()["code"] == "InvalidParameter"
