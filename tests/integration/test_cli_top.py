"""`ferrotype top`: one look at a ledger."""

import asyncio
import io
import json
from pathlib import Path

import pytest
from commands import Run, runner

from ferrotype.cli.top import _screen, look, span
from ferrotype.conformance.ledger_base import DONE, card, must_claim, new_task
from ferrotype.settings import load
from ferrotype.wiring.ledger import open_ledger

MODEL = "wan2.2-t2i-flash"


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FERROTYPE_DATA_DIR", str(tmp_path / "data"))
    return runner(monkeypatch, capsys)


async def busy() -> None:
    """One task ended, one runs, two wait, one model is paused."""
    async with open_ledger(load(), migrate=True) as ledger:
        account = await ledger.make_account("someone")
        await ledger.enrol(card("worker-1", MODEL, "other"))
        for _ in range(4):
            await ledger.add(new_task(account, model=MODEL))
        await ledger.settle((await must_claim(ledger, "worker-1", MODEL)).lease, DONE)
        await must_claim(ledger, "worker-1", MODEL)
        await ledger.pause("other", "new weights")


def test_one_look(run: Run) -> None:
    asyncio.run(busy())
    said = run("top", "--once").out
    assert said.startswith("2 ready, 0 held, 1 running; 1 workers. In the last minute: 4 created")
    assert "1 SUCCEEDED" in said
    assert f"{MODEL}\t2\t0\t1\t0s\t" in said
    assert "other\t0\t0\t0\t-\tpaused: new weights" in said
    assert "worker-1\there\t0\t-\t2\t1\t0s ago" in said
    assert run("top").out == said  # no terminal: one look


def test_one_look_for_machines(run: Run) -> None:
    asyncio.run(busy())
    seen = json.loads(run("top", "--json").out)
    assert seen["backlog"][0]["ready"] == 2
    assert seen["holding"] == {"worker-1": 1}
    assert seen["paused"] == {"other": "new weights"}
    assert seen["vitals"]["database_bytes"] > 0


def test_what_needs_an_operator_is_said(run: Run) -> None:
    async def work() -> None:
        async with open_ledger(load(), migrate=True) as ledger:
            await ledger.add(new_task(await ledger.make_account("someone"), model=MODEL))

    asyncio.run(work())
    assert "No worker runs." in run("top", "--once").out


def test_the_screen(run: Run) -> None:
    from rich.console import Console

    async def work() -> str:
        await busy()
        async with open_ledger(load()) as ledger:
            console = Console(width=110, record=True, file=io.StringIO())
            console.print(_screen(await look(ledger)))
            return console.export_text()

    lines = asyncio.run(work()).splitlines()
    assert "2 ready, 0 held, 1 running" in lines[0]
    assert [line.split()[0] for line in lines if line.strip()][1:] == [
        "model",
        "other",
        MODEL,
        "worker",
        "worker-1",
    ]


def test_spans() -> None:
    assert [span(s) for s in (0.2, 59, 60, 3_600, 200_000)] == ["0s", "59s", "1m", "1h", "2d"]
