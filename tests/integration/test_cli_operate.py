"""What an operator does: `tasks`, `pause` and `resume`, `accounts`, `caps`, `usage`."""

import asyncio
import csv
import io
import json
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from commands import Run, runner

from ferrotype.conformance.ledger_base import DONE, card, must_claim, new_task
from ferrotype.ports.full_ledger import FullLedger
from ferrotype.settings import load
from ferrotype.task import Move, Status, Who
from ferrotype.testing import Server, server
from ferrotype.wiring.ledger import open_ledger

MODEL = "wan2.2-t2i-flash"
Work = Callable[[FullLedger, str], Coroutine[Any, Any, Any]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FERROTYPE_DATA_DIR", str(tmp_path / "data"))
    run = runner(monkeypatch, capsys)
    run("keys", "create", "alice", "--account", "team")
    return run


def within(work: Work) -> Any:
    """Do something in the ledger, as the deployment's processes do."""

    async def whole() -> Any:
        async with open_ledger(load(), migrate=True) as ledger:
            return await work(ledger, await ledger.make_account("team"))

    return asyncio.run(whole())


async def one_waiting(ledger: FullLedger, account: str) -> str:
    return (await ledger.add(new_task(account, model=MODEL))).task_id


async def one_ended(ledger: FullLedger, account: str) -> str:
    await ledger.enrol(card("worker", MODEL))
    await one_waiting(ledger, account)
    return (await ledger.settle((await must_claim(ledger, "worker", MODEL)).lease, DONE)).id


async def one_running(ledger: FullLedger, account: str) -> str:
    await ledger.enrol(card("worker", MODEL))
    await one_waiting(ledger, account)
    return (await must_claim(ledger, "worker", MODEL)).task.id


def test_tasks_are_listed_and_shown(run: Run) -> None:
    ended, waiting = within(one_ended), within(one_waiting)
    rows = [line.split("\t") for line in run("tasks", "list").out.splitlines()]
    assert rows[0][:4] == ["task", "status", "model", "account"]
    assert [row[:4] for row in rows[1:]] == [
        [waiting, "PENDING", MODEL, "team"],
        [ended, "SUCCEEDED", MODEL, "team"],
    ]
    assert waiting not in run("tasks", "list", "--status", "succeeded").out
    assert ended not in run("tasks", "list", "--limit", 1).out
    assert run("tasks", "list", "--account", "nobody").code == 2
    assert run("tasks", "list", "--model", "other").out.count("\n") == 1
    (first, second) = json.loads(run("tasks", "list", "--json").out)
    assert (first["id"], second["status"]) == (waiting, "SUCCEEDED")
    shown = run("tasks", "show", ended).out
    assert "\tclaim\tworker\t" in shown
    assert "\tsucceed\tworker\t" in shown
    whole = json.loads(run("tasks", "show", ended, "--json").out)
    assert [event["move"] for event in whole["events"]] == ["claim", "succeed"]
    assert run("tasks", "list-stuck").out.count("\n") == 1


@pytest.mark.parametrize("what", ["show", "requeue", "fail", "delete"])
def test_an_unknown_task_is_told(run: Run, what: str) -> None:
    within(one_waiting)
    done = run("tasks", what, "no-such-task")
    assert (done.code, done.err) == (2, "ferrotype: There is no task no-such-task.\n")


@pytest.mark.parametrize(
    "said",
    [
        ("tasks", "delete", "\udcff"),
        ("tasks", "list", "--model", "\udcff"),
        ("tasks", "fail", "some-task", "--why", "\udcff"),
        ("pause", MODEL, "--why", "\udcff"),
    ],
)
def test_what_no_ledger_can_hold_is_told(run: Run, said: tuple[str, ...]) -> None:
    done = run(*said)
    assert (done.code, done.err) == (2, "ferrotype: An argument is not UTF-8.\n")


def test_an_operator_moves_a_task_and_its_history_says_so(run: Run) -> None:
    task = within(one_running)
    assert run("tasks", "delete", task).code == 2
    done = run("tasks", "requeue", task, "--why", "a stuck card")
    assert done.out == f"{task} is PENDING.\n"
    assert run("tasks", "requeue", task).err == f"ferrotype: The task {task} is not running.\n"
    assert run("tasks", "fail", task, "--why", "not today").out == f"{task} is FAILED.\n"
    assert run("tasks", "fail", task).err == f"ferrotype: The task {task} has ended.\n"

    async def read(ledger: FullLedger, account: str) -> Any:
        return await ledger.get(account, task), await ledger.history(task)

    ended, events = within(read)
    assert (ended.code, ended.message) == ("InternalError", "not today")
    told = [(event.move, event.who, event.why) for event in events][-2:]
    assert told == [
        (Move.REQUEUE, Who.OPERATOR, "a stuck card"),
        (Move.DROP, Who.OPERATOR, "not today"),
    ]
    assert run("tasks", "delete", task).out == f"{task} is gone.\n"
    assert within(read)[0] is None


def test_accounts_and_caps(run: Run) -> None:
    assert run("accounts", "set", "team", "--max-pending", 7, "--weight", 2.5).code == 0
    assert "\t0\t7\t2.5\n" in run("accounts", "list").out
    assert run("accounts", "set", "team", "--default").code == 0
    assert "\t0\t10000\t2.5\n" in run("accounts", "list").out
    assert run("accounts", "set", "nobody", "--weight", 1).code == 2
    assert run("accounts", "set", "team", "--weight", 0).code == 2
    assert run("accounts", "set", "team", "--default", "--max-pending", 1).code == 2
    assert run("accounts", "set", "team").code == 2
    assert run("caps", "set", 3, "--account", "team").code == 0
    assert run("caps", "set", 9, "--model", MODEL).code == 0
    assert run("caps", "list").out == f"account\tmodel\tat once\nany\t{MODEL}\t9\nteam\tany\t3\n"
    assert run("caps", "remove", "--account", "team").out == "team, any model: no cap.\n"
    assert run("caps", "remove", "--account", "team").code == 2
    assert "team" not in run("caps", "list").out
    assert run("caps", "set", 3, "--model", "nonesuch").code == 2
    assert run("caps", "set", 3, "--account", "nobody").code == 2


def test_what_was_used_is_exported(run: Run) -> None:
    within(one_ended)
    rows = list(csv.DictReader(io.StringIO(run("usage", "export", "--csv").out)))
    sums = {row["measure"]: row["amount"] for row in rows}
    assert {row["account"] for row in rows} == {"team"}
    assert (sums["tasks"], sums["image_count"]) == ("1", "1")
    assert json.loads(run("usage", "export", "--json").out)[0]["model"] == MODEL
    assert run("usage", "export", "--to", "2020-01-01", "--csv").out.count("\n") == 1
    assert run("usage", "export", "--from", "2020-01-02", "--to", "2020-01-01").code == 2
    assert run("usage", "export", "--from", "yesterday").code == 2
    assert run("usage", "prune", "--before", "2020-01-01").out == "0 sums are removed.\n"


def test_a_paused_model_waits_in_a_service_that_runs(run: Run, tmp_path: Path) -> None:
    def status(running: Server, task: str) -> Status:
        async def read(ledger: FullLedger, _: str) -> Any:
            return await ledger.find(task)

        return Status(within(read).status)

    with server(tmp_path / "data", engine="echo") as running:
        assert run("pause", MODEL, "--why", "a new driver").code == 0
        assert f"{MODEL}\ttext-to-image\tillustrator\tpaused: a new driver\t" in run("models").out
        assert f"{MODEL} is paused: a new driver" in run("doctor").out
        held = within(one_waiting)
        other = within(lambda ledger, account: _add(ledger, account, "wan2.2-t2i-plus"))

        async def ended(ledger: FullLedger, account: str) -> None:
            async with asyncio.timeout(20):
                while not (task := await ledger.get(account, other)) or not task.ended:
                    await asyncio.sleep(0.05)

        within(ended)
        assert status(running, held) is Status.PENDING
        assert run("resume", MODEL).out == f"{MODEL} goes on.\n"
        other = held
        within(ended)
        assert run("resume", MODEL).code == 2
        assert run("pause", "nonesuch").code == 2


async def _add(ledger: FullLedger, account: str, model: str) -> str:
    return (await ledger.add(new_task(account, model=model))).task_id
