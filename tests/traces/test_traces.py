"""One task's spans, from POST to GET, as a collector of OpenTelemetry receives them."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiohttp import web

from ferrotype.testing import server

EXTRA = Path(__file__).parent / ".otel"
CREATE = "/services/aigc/text2image/image-synthesis"
BODY = {"model": "wan2.2-t2i-flash", "input": {"prompt": "echo"}, "parameters": {"n": 1}}


class Collector:
    """Receives spans by OTLP over HTTP."""

    def __init__(self) -> None:
        self.url = ""
        self.spans: list[tuple[str, Any]] = []  # (service, span)

    async def take(self, request: web.Request) -> web.Response:
        """Take in one request."""
        sys.path.insert(0, str(EXTRA))
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
            ExportTraceServiceRequest,
        )

        said = ExportTraceServiceRequest.FromString(await request.read())
        for resource in said.resource_spans:
            names = {one.key: one.value.string_value for one in resource.resource.attributes}
            for scope in resource.scope_spans:
                self.spans += [(names["service.name"], span) for span in scope.spans]
        return web.Response()


@pytest.fixture
async def collector(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Collector]:
    """A collector to which the processes that a test starts send."""
    collector = Collector()
    app = web.Application()
    app.router.add_post("/v1/traces", collector.take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{runner.addresses[0][1]}")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "none")
    monkeypatch.setenv("PYTHONPATH", os.fspath(EXTRA))
    yield collector
    await runner.cleanup()


def live(folder: Path) -> str:
    """Create a task, poll it to its end, fetch its file; return its id."""
    with server(folder, engine="echo") as running:
        headers = {"Authorization": f"Bearer {running.key}", "X-DashScope-Async": "enable"}
        with httpx.Client(headers=headers, trust_env=False) as client:
            created = client.post(running.url + CREATE, json=BODY).json()
            task = str(created["output"]["task_id"])
            while True:
                output = client.get(f"{running.url}/tasks/{task}").json()["output"]
                if output["task_status"] == "SUCCEEDED":
                    break
            assert client.get(output["results"][0]["url"]).status_code == 200
    return task


async def test_a_task_is_one_trace_from_post_to_get(collector: Collector, tmp_path: Path) -> None:
    task = await asyncio.to_thread(live, tmp_path)
    ours = [(who, span) for who, span in collector.spans]
    assert {span.trace_id.hex() for _, span in ours} == {task.replace("-", "")}
    by_name = {span.name: (who, span) for who, span in ours}
    assert {name: who for name, (who, _) in by_name.items()} == {
        "create": "ferrotype-api",
        "wait": "ferrotype-worker",
        "attempt": "ferrotype-worker",
        "engine": "ferrotype-worker",
        "store": "ferrotype-worker",
        "settle": "ferrotype-worker",
        "query": "ferrotype-api",
        "file": "ferrotype-api",
    }
    first = by_name["create"][1]
    assert first.parent_span_id == b""
    for name in ("wait", "attempt", "query", "file"):
        assert by_name[name][1].parent_span_id == first.span_id
    for name in ("engine", "store", "settle"):
        assert by_name[name][1].parent_span_id == by_name["attempt"][1].span_id
    for _, span in ours:
        assert span.start_time_unix_nano <= span.end_time_unix_nano
    text = str(collector.spans)
    assert "echo" not in text.replace("echo; test pattern", "")  # no prompt in it


def test_without_a_receiver_nothing_is_traced(tmp_path: Path) -> None:
    assert "OTEL_EXPORTER_OTLP_ENDPOINT" not in os.environ
    with server(tmp_path, engine="echo") as running:
        assert "tracing" not in running.log
