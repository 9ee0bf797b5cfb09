"""What /metrics shows: our counters, the ledger's gauges, a worker's counters."""

import re
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import httpx
import pytest
from house import ASYNC, MODEL, ORDER, T2I, House, house
from prometheus_client.parser import text_string_to_metric_families

from ferrotype import metrics
from ferrotype.http.metrics_app import Colleague, build_metrics
from ferrotype.http.queue_gauges import QueueGauges
from ferrotype.ports.watch import Backlog
from ferrotype.wiring.shared import SystemClock


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path) as found:
        yield found


class Hand:
    """A clock that stands still unless it is moved."""

    def __init__(self) -> None:
        self.at = 0.0
        self.now = SystemClock().now

    def steady(self) -> float:
        return self.at


Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


async def scrape(queue: QueueGauges | None = None, colleague: Colleague | None = None) -> Samples:
    transport = httpx.ASGITransport(app=build_metrics("api", queue, colleague))
    async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
        text = (await client.get("/metrics")).text
    found: Samples = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            key = (sample.name, tuple(sorted(sample.labels.items())))
            assert key not in found, f"{key} is told twice"
            found[key] = sample.value
    return found


def of(samples: Samples, name: str, **labels: str) -> float:
    return samples.get((name, tuple(sorted(labels.items()))), 0.0)


async def test_requests_creates_bytes_and_errors_are_counted(home: House) -> None:
    before = await scrape()
    async with home.client() as client:
        assert (await client.post(T2I, json=ORDER, headers=ASYNC)).status_code == 200
        task = (await client.post(T2I, json=ORDER, headers=ASYNC)).json()["output"]["task_id"]
        answer = await client.get(f"/api/v1/tasks/{task}")
        refused = (await client.post(T2I, json={"model": MODEL}, headers=ASYNC)).json()["code"]
    async with home.client("sk-wrong") as client:
        assert (await client.get(f"/api/v1/tasks/{task}")).status_code == 401
    after = await scrape()

    def more(name: str, **labels: str) -> float:
        labels["process"] = "api"
        return of(after, name, **labels) - of(before, name, **labels)

    seconds = "ferrotype_http_request_seconds_count"
    assert more(seconds, route="create", status="200") == 2
    assert more(seconds, route="create", status="400") == 1
    assert more(seconds, route="query", status="200") == 1
    assert more("ferrotype_http_sent_bytes_total", route="query") == len(answer.content)
    assert more("ferrotype_tasks_created_total", model=MODEL) == 2
    assert more("ferrotype_http_errors_total", code=refused) == 1
    assert more("ferrotype_http_errors_total", code="InvalidApiKey") == 1


async def test_the_queue_is_told_by_model_and_standing(home: House) -> None:
    await home.ledger.set_cap(None, MODEL, 2)
    async with home.client() as client:
        for _ in range(4):
            await client.post(T2I, json=ORDER, headers=ASYNC)
    await home.claim()
    await home.ledger.set_clock_offset(50)
    told = await scrape(QueueGauges(home.ledger, SystemClock()))
    tasks = "ferrotype_queue_tasks"
    standing = {state: of(told, tasks, model=MODEL, state=state) for state in ("ready", "held")}
    assert standing == {"ready": 1, "held": 2}
    assert of(told, tasks, model=MODEL, state="running") == 1
    assert 50 <= of(told, "ferrotype_queue_oldest_seconds", model=MODEL) < 110
    assert of(told, "ferrotype_queue_workers", model=MODEL) == 1
    assert of(told, "ferrotype_workers") == 1
    assert of(told, "ferrotype_ledger_up") == 1
    assert of(told, "ferrotype_ledger_database_bytes") > 0


async def test_nothing_told_names_a_task_a_key_or_a_prompt(home: House) -> None:
    order = {**ORDER, "input": {"prompt": "an unmistakable kite"}}
    async with home.client() as client:
        answer = await client.post(T2I, json=order, headers=ASYNC)
        await client.get(f"/api/v1/tasks/{answer.json()['output']['task_id']}")
        await client.get("/api/v1/tasks/sk-hidden/unmistakable?unmistakable=1")
        await client.post(T2I, json={**order, "model": "unmistakable"}, headers=ASYNC)
    told = str(await scrape(QueueGauges(home.ledger, SystemClock())))
    assert "unmistakable" not in told
    assert "sk-" not in told
    assert home.key not in told
    assert not re.search(r"[0-9a-f]{8}-[0-9a-f]{4}-7", told)


class Ledger:
    """A ledger that counts who looks, and may be broken."""

    def __init__(self) -> None:
        self.looks = 0
        self.broken = False

    async def backlog(self) -> Sequence[Backlog]:
        self.looks += 1
        if self.broken:
            raise OSError("gone")
        return [Backlog(model="a", ready=self.looks)]

    async def workers(self) -> Sequence[object]:
        return []

    async def vitals(self) -> dict[str, float]:
        return {}


async def test_the_ledger_is_looked_at_now_and_then_and_never_guessed() -> None:
    ledger, clock = Ledger(), Hand()
    queue = QueueGauges(ledger, clock)  # type: ignore[arg-type]
    for _ in range(3):
        assert of(await scrape(queue), "ferrotype_queue_tasks", model="a", state="ready") == 1
    assert ledger.looks == 1
    clock.at += 6
    assert of(await scrape(queue), "ferrotype_queue_tasks", model="a", state="ready") == 2
    clock.at, ledger.broken = clock.at + 6, True
    told = await scrape(queue)
    assert ("ferrotype_ledger_up", ()) in told
    assert of(told, "ferrotype_ledger_up") == 0
    assert not any(name.startswith("ferrotype_queue") for name, _ in told)


OTHER = """\
# HELP ferrotype_tasks_claimed_total Tasks claimed.
# TYPE ferrotype_tasks_claimed_total counter
ferrotype_tasks_claimed_total{model="a",process="worker"} 7.0
# HELP process_open_fds Number.
# TYPE process_open_fds gauge
process_open_fds{process="worker"} 12.0
"""


@contextmanager
def colleague(text: bytes, status: int = 200) -> Iterator[int]:
    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Answer) as serving:
        thread = threading.Thread(target=serving.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield serving.server_address[1]
        finally:
            serving.shutdown()
            thread.join()


async def test_what_the_worker_beside_us_counted_is_shown_as_its_own() -> None:
    metrics.claims("a").inc()
    with colleague(OTHER.encode()) as port:
        beside = Colleague(port)
        told = await scrape(colleague=beside)
    claimed = "ferrotype_tasks_claimed_total"
    assert of(told, claimed, model="a", process="worker") == 7
    assert of(told, claimed, model="a", process="api") == 1
    assert of(told, "process_open_fds", process="worker") == 12
    assert of(told, "process_open_fds", process="api") > 0
    told = await scrape(colleague=beside)  # it died meanwhile
    assert (claimed, (("model", "a"), ("process", "worker"))) not in told
    assert of(told, claimed, model="a", process="api") == 1


@pytest.mark.parametrize("text", [b"\xff\xfe", b"no metrics {{{ at all\n", b""])
async def test_a_colleague_that_talks_nonsense_spoils_nothing(text: bytes) -> None:
    with colleague(text) as port:
        told = await scrape(colleague=Colleague(port))
    assert any(name == "ferrotype_build_info" for name, _ in told)
