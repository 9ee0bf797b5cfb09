"""How many creates and polls one core answers, and how long the slowest waits."""

import json
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import httpx

from bench.rows import REPEATS, Row, Section
from bench.servers import (
    KEY,
    SERVER,
    Server,
    api,
    environ,
    free_port,
    make_home,
    process,
    python,
    wait_until_up,
    worker,
)
from bench.wrk import Load, load

SECONDS = 3.0
TASKS = 500  # that the polls ask for in turn
CREATE = "/api/v1/services/aigc/text2image/image-synthesis"
Pairs = Sequence[tuple[Load, Load]]  # ours, and the bare server's
HEADERS = {"Authorization": f"Bearer {KEY}"}
MODEL = "wan2.5-t2i-preview"
BODY = {"model": MODEL, "input": {"prompt": "echo"}, "parameters": {"n": 1}}


def measure(folder: Path) -> Section:
    """Measure creates and polls, each run just after the same of the bare server."""
    data = folder / "rates"
    make_home(data)
    with bare(folder) as plain, api(data, poll_hold="0s") as ours:

        def pairs(paths: Path | None = None) -> Pairs:
            return [
                (load(ours, SECONDS, paths), load(plain, SECONDS, paths)) for _ in range(REPEATS)
            ]

        with worker(data):
            ended = task_paths(ours.url, folder / "ended.txt")
            wait_for_end(ours.url, ended)
        polls_of_ended = pairs(ended)
        with worker(data):
            creates_beside_worker = pairs()
        creates = pairs()
        polls_of_waiting = pairs(task_paths(ours.url, folder / "waiting.txt"))
    return Section(
        "rates",
        [
            *_create_rows("create", creates),
            *_create_rows("create, an echo worker busy beside it", creates_beside_worker),
            *_rate_rows("poll of a PENDING task", 18_000, polls_of_waiting),
            *_rate_rows("poll of a SUCCEEDED task", 18_000, polls_of_ended),
        ],
    )


@contextmanager
def bare(folder: Path) -> Iterator[Server]:
    """Run the bare server on the server's core."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    argv = python("bench.bare", str(port))
    with process(argv, bare_environ(folder), folder / "bare.log", core=SERVER) as child:
        wait_until_up(f"{url}/readyz", child)
        yield Server(url, child)


def bare_environ(folder: Path) -> dict[str, str]:
    """Return an environment in which `bench` can be imported without the working folder."""
    return environ(folder) | {"PYTHONPATH": str(Path(__file__).parent.parent)}


def task_paths(url: str, path: Path) -> Path:
    """Create tasks and write the paths of their queries, in random order."""
    paths = []
    with httpx.Client(base_url=url, headers=HEADERS, trust_env=False) as client:
        for _ in range(TASKS):
            created = client.post(CREATE, json=BODY, headers={"X-DashScope-Async": "enable"})
            paths.append(f"/api/v1/tasks/{created.raise_for_status().json()['output']['task_id']}")
    random.shuffle(paths)
    path.write_text("\n".join(paths) + "\n")
    return path


def wait_for_end(url: str, paths: Path) -> None:
    """Return once each of the tasks has ended."""
    with httpx.Client(base_url=url, headers=HEADERS, trust_env=False) as client:
        for path in paths.read_text().split():
            for _ in range(10_000):
                output = json.loads(client.get(path).content)["output"]
                if output["task_status"] == "SUCCEEDED":
                    break
            else:
                raise TimeoutError(f"a task of the bench did not end: {output}")


def _create_rows(what: str, pairs: Pairs) -> list[Row]:
    return [
        *_rate_rows(what, 6_000, pairs),
        _row(f"{what}: p99", "ms", pairs, lambda run: run.p99_ms, most=20),
        _row(f"{what}: slowest", "ms", pairs, lambda run: run.max_ms, most=50),
    ]


def _rate_rows(what: str, least: float, pairs: Pairs) -> list[Row]:
    return [
        _row(what, "/s", pairs, lambda run: run.rate, least=least),
        _row(f"{what}: a second of processor time", "", pairs, lambda run: run.per_core),
    ]


def _row(what: str, unit: str, pairs: Pairs, by: Callable[[Load], float], **target: float) -> Row:
    ours = median(by(ours) for ours, _ in pairs)
    plain = median(by(plain) for _, plain in pairs)
    return Row(what=what, unit=unit, value=ours, beside=("bare server", plain), **target)
