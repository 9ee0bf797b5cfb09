"""The supervisor's real processes: started again, ended together, never orphaned."""

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pytest import CaptureFixture, MonkeyPatch

from ferrotype.cli import supervisor
from ferrotype.cli.supervisor import Child, supervise

PATIENCE = 30.0
CHILD = """
    import os, pathlib, signal, sys, time
    from ferrotype import lifeline
    lifeline.tie_if_asked()
    assert lifeline.PARENT not in os.environ
    book = pathlib.Path(sys.argv[1])
    def note(what):
        with book.open("a") as lines:
            lines.write(f"{what} {os.getpid()}\\n")
    heard = []
    def hear(number, frame):
        note("term")
        heard.append(number)
        if len(heard) == PATIENT:
            sys.exit(0)
    signal.signal(signal.SIGTERM, hear)
    note("start")
    while True: time.sleep(0.05)
"""


def child(name: str, folder: Path, *, script: str = CHILD, patient: int = 1) -> Child:
    path = folder / f"{name}.py"
    path.write_text(textwrap.dedent(script).replace("PATIENT", str(patient)))
    argv = (sys.executable, str(path), str(folder / f"{name}.book"))
    return Child(name=name, argv=argv, env={"PATH": os.environ["PATH"]})


def book(name: str, folder: Path) -> list[tuple[str, int]]:
    path = folder / f"{name}.book"
    lines = path.read_text().splitlines() if path.exists() else []
    return [(what, int(pid)) for what, _, pid in (line.partition(" ") for line in lines)]


def started(name: str, folder: Path) -> list[int]:
    return [pid for what, pid in book(name, folder) if what == "start"]


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def until(count: int, name: str, folder: Path, what: str = "start") -> list[int]:
    """Wait until a child has written so many notes of a kind; return their pids."""
    async with asyncio.timeout(PATIENCE):
        while len(found := [pid for kind, pid in book(name, folder) if kind == what]) < count:
            await asyncio.sleep(0.02)
    return found


async def test_a_killed_child_is_started_again_and_a_signal_ends_both(tmp_path: Path) -> None:
    keeping = asyncio.create_task(supervise([child("a", tmp_path), child("b", tmp_path)]))
    (first,) = await until(1, "a", tmp_path)
    (other,) = await until(1, "b", tmp_path)
    os.kill(first, signal.SIGKILL)
    _, second = await until(2, "a", tmp_path)
    os.kill(os.getpid(), signal.SIGTERM)
    assert await asyncio.wait_for(keeping, PATIENCE) == 0
    assert started("b", tmp_path) == [other]
    assert ("term", second) in book("a", tmp_path)
    assert not any(alive(pid) for pid in (first, second, other))


async def test_a_second_signal_is_passed_on_too(tmp_path: Path) -> None:
    keeping = asyncio.create_task(supervise([child("a", tmp_path, patient=2)]))
    await until(1, "a", tmp_path)
    os.kill(os.getpid(), signal.SIGINT)
    await until(1, "a", tmp_path, "term")
    assert not keeping.done()
    os.kill(os.getpid(), signal.SIGINT)
    assert await asyncio.wait_for(keeping, PATIENCE) == 0


async def test_a_child_that_does_not_end_is_killed(
    tmp_path: Path, monkeypatch: MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "PATIENCE", 0.2)
    keeping = asyncio.create_task(supervise([child("a", tmp_path, patient=99)]))
    (pid,) = await until(1, "a", tmp_path)
    for _ in range(2):
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.sleep(0.05)
    assert await asyncio.wait_for(keeping, PATIENCE) == 0
    assert not alive(pid)


async def test_five_deaths_end_everything_with_the_last_words(
    tmp_path: Path, monkeypatch: MonkeyPatch, capfd: CaptureFixture[str]
) -> None:
    monkeypatch.setattr(supervisor, "PAUSES", (0.0, 0.01, 0.01, 0.01))
    dying = child("a", tmp_path, script=CHILD.replace("while True", 'sys.exit("out of luck")  #'))
    code = await asyncio.wait_for(supervise([dying, child("b", tmp_path)]), PATIENCE)
    assert code == 1
    assert len(started("a", tmp_path)) == supervisor.DEATHS
    said = capfd.readouterr().err
    assert "a ended 5 times within 60 s" in said
    assert said.rstrip().endswith("out of luck")
    assert not any(alive(pid) for pid in started("b", tmp_path))


async def test_an_inherited_socket_serves_the_next_child_too(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    script = CHILD.replace('note("start")', f'os.write({writing}, b"x"); note("start")')
    plain = child("a", tmp_path, script=script)
    kept = Child(name="a", argv=plain.argv, env=plain.env, pass_fds=(writing,))
    keeping = asyncio.create_task(supervise([kept]))
    (first,) = await until(1, "a", tmp_path)
    os.kill(first, signal.SIGKILL)
    await until(2, "a", tmp_path)
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(keeping, PATIENCE)
    assert os.read(reading, 9) == b"xx"
    os.close(reading)
    os.close(writing)


@contextmanager
def supervising(folder: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """A supervisor in a process of its own, with one child."""
    script = folder / "supervisor.py"
    plain = child("a", folder, patient=99)
    script.write_text(
        "import asyncio\n"
        "from ferrotype.cli.supervisor import Child, supervise\n"
        f"child = Child(name='a', argv={plain.argv!r}, env={dict(plain.env)!r})\n"
        "asyncio.run(supervise([child]))\n"
    )
    with subprocess.Popen((sys.executable, script), stderr=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.kill()


async def test_kill_9_of_the_supervisor_leaves_no_orphan(tmp_path: Path) -> None:
    with supervising(tmp_path) as process:
        (pid,) = await until(1, "a", tmp_path)
        process.kill()
    async with asyncio.timeout(PATIENCE):
        while alive(pid):
            await asyncio.sleep(0.02)
