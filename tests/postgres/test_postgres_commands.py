"""What an operator does on any machine that reaches the database."""

import asyncio
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from bench.postgres import Server
from bench.servers import environ, python
from places import opened

from ferrotype.conformance.ledger_base import card, must_claim, new_task

pytest_plugins = ["postgres_fixtures"]

MODEL = "wan2.2-t2i-flash"
Run = Callable[..., str]


@pytest.fixture
def url(server: Server) -> str:
    return server.database()


@pytest.fixture
def run(url: str, tmp_path: Path) -> Run:
    """Run a command in a process of its own; return what it said, exit code first."""

    def run(*said: str, at: str = url, code: int = 0) -> str:
        done = subprocess.run(
            python("ferrotype", *said),
            env=environ(tmp_path / "data", database_url=at),
            capture_output=True,
            text=True,
            timeout=30,
        )
        assert done.returncode == code, done
        return done.stdout + done.stderr

    return run


async def two_tasks(url: str) -> tuple[str, str]:
    """Have one task run and one wait; return both."""
    async with opened(url, migrate=False) as ledger:
        account = await ledger.make_account("team")
        await ledger.enrol(card("some-worker", MODEL))
        first = (await ledger.add(new_task(account, model=MODEL))).task_id
        second = (await ledger.add(new_task(account, model=MODEL))).task_id
        assert (await must_claim(ledger, "some-worker", MODEL)).task.id == first
        return first, second


def test_an_operator_sees_and_moves_what_a_deployment_does(run: Run, url: str) -> None:
    assert "There is no ledger in the database" in run("tasks", "list", code=1)
    assert "there is no ledger yet" in run("doctor")
    assert MODEL in run("models")
    assert run("keys", "create", "alice", "--account", "team").startswith("sk-")
    running, waiting = asyncio.run(two_tasks(url))
    assert "1 ready, 0 held, 1 running; 1 workers." in run("top", "--once")
    assert "1 tasks wait, 1 run" in run("doctor")
    assert run("tasks", "requeue", running, "--why", "a stuck card") == f"{running} is PENDING.\n"
    assert "operator\ta stuck card" in run("tasks", "show", running)
    assert run("tasks", "fail", waiting, "--why", "not here") == f"{waiting} is FAILED.\n"
    assert run("tasks", "delete", waiting) == f"{waiting} is gone.\n"
    assert "is paused" in run("pause", MODEL, "--why", "new weights")
    assert "paused: new weights" in run("top", "--once")
    assert "goes on" in run("resume", MODEL)
    assert "7 open tasks" in run("accounts", "set", "team", "--max-pending", "7")
    assert "3 at once" in run("caps", "set", "3", "--account", "team")
    assert f"\t{MODEL}\tFAILED\ttasks\t1" in run("usage", "export")
    assert "pg_dump" in run("backup", "somewhere", code=2)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda url: url.replace("ferrotype@", "stranger:hunter2@"), 'role "stranger"'),
        (lambda url: url.replace("/t", "/missing"), "does not exist"),
        (lambda url: url + "?bogus=1", "bogus"),
        (lambda url: "postgresql://me:hunter2@127.0.0.1:1/x", "does not answer"),
    ],
)
def test_a_database_that_is_not_there_is_one_sentence(
    run: Run, url: str, change: Callable[[str], str], said: str
) -> None:
    told = run("tasks", "list", at=change(url), code=1).splitlines()
    assert said in told[-1]
    assert told[-1].startswith("ferrotype: ")
    assert not any("hunter2" in line or "Traceback" in line for line in told)
    assert len(told) <= 2, os.linesep.join(told)
