"""An engine room and its process: whatever happens there is one job's trouble, never ours."""

import asyncio
import os
import re
import signal
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from rooms import alive, ignore, job, liar, no_note, recipe, run, until
from structlog.testing import capture_logs

from ferrotype.engine_rooms import logs, process
from ferrotype.engine_rooms.child import ALLOWED
from ferrotype.engine_rooms.process import ProcessRoom
from ferrotype.ports.engine import EngineRefusal
from ferrotype.ports.engine_room import EngineDied, Recipe

HELLO = 'say(type="hello", concurrency=1)\n'

Make = Callable[..., ProcessRoom]


@pytest.fixture
async def make(tmp_path: Path) -> AsyncIterator[Make]:
    """Make rooms that are closed at the test's end, each of them without an orphan."""
    rooms: list[ProcessRoom] = []

    def build(tells: str | None = None, ready_within: float = 30.0, **how: float) -> ProcessRoom:
        host = process.HOST if tells is None else liar(tmp_path / "liar", tells)
        folder = tmp_path / f"room-{len(rooms)}"
        room = ProcessRoom(recipe(**how), folder, host=host, ready_within=ready_within)  # type: ignore[arg-type]
        rooms.append(room)
        return room

    yield build
    for room in rooms:
        pid = room.pid
        await room.close()
        assert pid is None or not alive(pid)


async def test_jobs_are_run_one_after_the_other_in_one_process(make: Make, tmp_path: Path) -> None:
    room = make()
    first = await room.run(job(tmp_path, "a cat", task="a", n=2), ignore, no_note)
    pid = room.pid
    second = await room.run(job(tmp_path, "a dog", task="b"), ignore, no_note)
    outputs = (*first.outputs, *second.outputs)
    assert [Path(output.path or "").exists() for output in outputs] == [True] * 3
    assert room.pid == pid


@pytest.mark.parametrize(
    ("engine", "options", "why"),
    [
        ("nonesuch", {}, "There is no engine 'nonesuch'; there are "),
        ("echo", {"colour": "red"}, "The engine 'echo' cannot be made: TypeError"),
    ],
)
async def test_an_engine_that_cannot_be_made_says_why(
    engine: str, options: dict[str, str], why: str, tmp_path: Path
) -> None:
    wrong = Recipe(model="*", engine=engine, label="test pattern", options=options)
    with pytest.raises(EngineDied, match=re.escape(why)):
        await ProcessRoom(wrong, tmp_path).start()


@pytest.mark.parametrize("final", [True, False])
async def test_a_stop_tells_whether_the_task_comes_again(
    final: bool, make: Make, tmp_path: Path
) -> None:
    echoes = HELLO + (
        'task = hear()["job"]["task"]\nsay(type="progress", task=task, fraction=0.1)\n'
        'say(type="failed", task=task, message=f"final: {hear()[\'final\']}")\ntime.sleep(60)\n'
    )
    room, begun = make(echoes), asyncio.Event()
    running = asyncio.create_task(room.run(job(tmp_path, "a cat"), lambda _: begun.set(), no_note))
    await begun.wait()
    await room.stop("t", 5.0, final=final)
    with pytest.raises(EngineDied, match=f"final: {final}"):
        await running


async def test_progress_and_notes_arrive(make: Make, tmp_path: Path) -> None:
    said: list[float] = []
    notes: list[bytes] = []

    async def keep(memo: bytes) -> None:
        notes.append(memo)

    await make().run(job(tmp_path, "echo note=half delay=0.6 steps=3"), said.append, keep)
    assert notes == [b"half"]
    assert said == sorted(said)
    assert said[-1] == 1.0


async def test_a_note_that_was_not_kept_fails_the_engine_not_the_room(
    make: Make, tmp_path: Path
) -> None:
    async def refuse(_: bytes) -> None:
        raise OSError("no space left")

    with pytest.raises(EngineDied, match="no space left"):
        await make().run(job(tmp_path, "echo note=half"), ignore, refuse)


async def test_a_refusal_is_told_with_its_code(make: Make, tmp_path: Path) -> None:
    with pytest.raises(EngineRefusal) as refused:
        await make().run(job(tmp_path, "echo refuse=DataInspectionFailed"), ignore, no_note)
    assert refused.value.refusal == "DataInspectionFailed"


async def test_an_exception_leaves_the_process_alone(make: Make, tmp_path: Path) -> None:
    room = make()
    with pytest.raises(EngineDied, match="RuntimeError") as died:
        await room.run(job(tmp_path, "echo raise", task="a"), ignore, no_note)
    assert died.value.alone
    pid = room.pid
    await room.run(job(tmp_path, "a cat", task="b"), ignore, no_note)
    assert room.pid == pid


@asynccontextmanager
async def sloppy(folder: Path, does: str, unfit: str = "{}") -> AsyncIterator[ProcessRoom]:
    """Open a room of an engine that does what a careless stranger's may do."""
    script = folder / "sloppy.py"
    script.write_text(
        textwrap.dedent(f"""
        import asyncio
        from ferrotype import plugins
        from ferrotype.engine_host.__main__ import main
        from ferrotype.media import Output
        from ferrotype.ports.engine import EngineRefusal

        class Sloppy:
            concurrency = 2
            unfit = {unfit}
            async def run(self, job, bench):
                if job.prompt == "wait":
                    await asyncio.sleep(0.5)
                    return []
                {does}

        plugins.load_engine = lambda name: lambda **options: Sloppy()
        main()
        """)
    )
    room = ProcessRoom(recipe(), folder / "room", host=(sys.executable, str(script)))
    try:
        yield room
    finally:
        await room.close()


@pytest.mark.parametrize("answer", ["None", '["0.png"]', "job"])
async def test_an_engine_that_returns_no_outputs_is_told_so_at_once(
    answer: str, tmp_path: Path
) -> None:
    async with sloppy(tmp_path, f"return {answer}") as room:
        with pytest.raises(EngineDied, match="TypeError"):
            await asyncio.wait_for(room.run(job(tmp_path, "a cat"), ignore, no_note), 20)


@pytest.mark.parametrize(
    ("does", "why"),
    [
        ('bench.report(usage={"a": "x" * 5_000_000}); return []', "over the limit"),
        ('bench.report(usage={"a": object()}); return []', "holds what JSON cannot"),
        ('bench.report(shown={"a": "\\ud800"}); return []', "holds what JSON cannot"),
        ('bench.progress(float("nan")); return []', "would not be read"),
        ('await bench.note("text")', "TypeError"),
        ('raise EngineRefusal("C" * 300, "no")', "would not be read"),
        ('raise EngineRefusal("Code", object())', "cannot be told"),
        ('raise RuntimeError("\\ud800")', "ud800"),
        ("return [Output(error_code='C')] * 65", "would not be read"),
        ('return [Output(path="0.png", seconds=float("nan"))]', "would not be read"),
    ],
)
async def test_what_cannot_be_told_is_the_fault_of_its_job_alone(
    does: str, why: str, tmp_path: Path
) -> None:
    async with sloppy(tmp_path, does) as room:
        await room.start()
        waits = job(tmp_path, "wait", task="neighbour")
        neighbour = asyncio.create_task(room.run(waits, ignore, no_note))
        with pytest.raises(EngineDied, match=why) as died:
            await asyncio.wait_for(room.run(job(tmp_path, "a cat"), ignore, no_note), 20)
        assert died.value.alone
        assert (await neighbour).outputs == []


@pytest.mark.parametrize("unfit", ['{"m" * 200: "x"}', '{None: "x"}', '{"m": 5}', "[]"])
async def test_an_engine_that_cannot_say_how_it_is_is_unfit_for_all(
    unfit: str, tmp_path: Path
) -> None:
    async with sloppy(tmp_path, "return []", unfit) as room:
        await room.start()
        assert "cannot say how it is" in room.unfit["*"]


async def test_after_a_crash_the_next_job_gets_a_new_process(make: Make, tmp_path: Path) -> None:
    room = make()
    await room.start()
    first = room.pid
    with pytest.raises(EngineDied, match="exit code 70") as died:
        await room.run(job(tmp_path, "echo crash", task="a"), ignore, no_note)
    assert died.value.alone
    await room.run(job(tmp_path, "a cat", task="b"), ignore, no_note)
    assert room.pid not in (first, None)
    assert first is not None
    assert not alive(first)


async def test_kill_9_within_a_job_is_that_jobs_fault(make: Make, tmp_path: Path) -> None:
    room = make()
    await room.start()
    running = run(room, job(tmp_path, "echo delay=60"))
    await asyncio.sleep(0.1)
    assert room.pid is not None
    os.kill(room.pid, signal.SIGKILL)
    with pytest.raises(EngineDied, match="SIGKILL"):
        await asyncio.wait_for(running, 20)


async def test_a_crash_that_several_jobs_share_is_nobodys_fault(make: Make, tmp_path: Path) -> None:
    room = make(concurrency=2)
    await room.start()
    assert room.concurrency == 2
    other = run(room, job(tmp_path, "echo delay=60", task="a"))
    await asyncio.sleep(0.2)
    for ends in (run(room, job(tmp_path, "echo crash", task="b")), other):
        with pytest.raises(EngineDied) as died:
            await asyncio.wait_for(ends, 20)
        assert not died.value.alone


async def test_a_job_that_does_not_move_is_at_fault_and_its_neighbour_is_not(
    make: Make, tmp_path: Path
) -> None:
    room = make(concurrency=2, stall=1.0)
    await room.start()
    stalled = run(room, job(tmp_path, "echo stall", task="a"))
    moving = run(room, job(tmp_path, "echo delay=60 steps=600", task="b"))
    with pytest.raises(EngineDied, match="no progress for 1 s") as died:
        await asyncio.wait_for(stalled, 20)
    assert died.value.alone
    with pytest.raises(EngineDied) as died:
        await asyncio.wait_for(moving, 20)
    assert not died.value.alone


async def test_a_stopped_job_ends_and_its_process_stays(make: Make, tmp_path: Path) -> None:
    room = make()
    await room.start()
    pid = room.pid
    running = run(room, job(tmp_path, "echo delay=60"))
    await asyncio.sleep(0.2)
    await room.stop("t", 30)
    with pytest.raises(EngineDied, match="stopped as asked"):
        await asyncio.wait_for(running, 20)
    await room.run(job(tmp_path, "a cat", task="b"), ignore, no_note)
    assert room.pid == pid


async def test_a_job_that_does_not_hear_the_stop_is_killed(make: Make, tmp_path: Path) -> None:
    room = make()
    await room.start()
    pid = room.pid
    running = run(room, job(tmp_path, "echo deaf=60"))
    await asyncio.sleep(0.2)
    await room.stop("t", 0.2)
    with pytest.raises(EngineDied, match=r"did not stop within 0\.2 s"):
        await asyncio.wait_for(running, 20)
    assert pid is not None
    assert not alive(pid)


async def test_a_cancelled_run_leaves_no_job_behind(make: Make, tmp_path: Path) -> None:
    room = make()
    await room.start()
    pid = room.pid
    running = run(room, job(tmp_path, "echo delay=60"))
    await asyncio.sleep(0.2)
    running.cancel()
    await asyncio.wait({running}, timeout=20)
    assert running.cancelled()
    await room.run(job(tmp_path, "a cat"), ignore, no_note)  # the very same task may come again
    assert room.pid == pid


async def test_stop_and_close_of_an_idle_room_do_nothing(make: Make) -> None:
    room = make()
    await room.stop("nobody", 1.0)
    await room.close()
    assert room.pid is None


@pytest.mark.parametrize(
    ("tells", "why"),
    [
        ('line.sendall(b"HTTP/1.1 200 OK\\r\\n\\r\\n" * 99)', "over the limit"),
        ('line.sendall(b"\\xff\\xff\\xff\\xff")', "over the limit"),
        ('line.sendall(b"\\0\\0\\0\\x04{{}}")', "no proper frame"),
        ('line.sendall(b"\\0\\0\\1\\0half")\nline.close()', "within a frame"),
        ('say(type="setup", options={})', "no proper frame"),
        ('say(type="hello", concurrency=0)', "no proper frame"),
        (HELLO + HELLO, "hello twice"),
        ('say(type="done", task="t", outputs=[])', "job that it did not have"),
    ],
)
async def test_a_host_that_breaks_the_protocol_is_killed(make: Make, tells: str, why: str) -> None:
    room = make(tells=tells + "\ntime.sleep(60)")
    with capture_logs() as said:
        try:
            await room.start()  # it may break only after its hello
        except EngineDied as died:
            assert not died.alone
        await until(lambda: room.pid is None)
    assert [line for line in said if line["event"] == "ended" and why in line["why"]]


async def test_a_job_that_ends_twice_breaks_the_protocol(make: Make, tmp_path: Path) -> None:
    twice = 'hear()\nfor _ in "ab": say(type="done", task="t", outputs=[])\ntime.sleep(60)'
    room = make(tells=HELLO + twice)
    await room.run(job(tmp_path, "a cat"), ignore, no_note)
    await until(lambda: room.pid is None)


async def test_an_engine_that_ends_before_it_is_ready(make: Make) -> None:
    with pytest.raises(EngineDied, match="exit code 3") as died:
        await make(tells="sys.exit(3)").start()
    assert not died.value.alone


async def test_a_start_that_was_given_up_is_waited_for_by_the_next(
    make: Make, tmp_path: Path
) -> None:
    tells = """
    time.sleep(1.0)
    say(type="hello", concurrency=3)
    hear()
    say(type="done", task="t", outputs=[])
    time.sleep(60)
    """
    room = make(tells=tells)
    starting = asyncio.create_task(room.start())
    await until(lambda: room.pid is not None)
    pid = room.pid
    starting.cancel()
    await asyncio.wait({starting})
    await room.start()
    assert (room.pid, room.concurrency) == (pid, 3)
    await room.run(job(tmp_path, "a cat"), ignore, no_note)


async def test_an_engine_that_is_never_ready(make: Make) -> None:
    room = make(tells="time.sleep(60)", ready_within=0.3)
    with pytest.raises(EngineDied, match="not ready within"):
        await room.start()
    assert room.pid is None


async def test_a_host_without_a_heartbeat_is_dead(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "SILENCE", 0.5)
    room = make(tells=HELLO + "time.sleep(60)")
    with pytest.raises(EngineDied, match="no sign of life"):
        await asyncio.wait_for(room.run(job(tmp_path, "a cat"), ignore, no_note), 20)


async def test_a_flood_of_logs_is_cut_and_blocks_nobody(make: Make, tmp_path: Path) -> None:
    room = make()
    with capture_logs() as said:
        await room.run(job(tmp_path, "echo flood=2000", task="a"), ignore, no_note)
        await room.run(job(tmp_path, "a cat", task="b"), ignore, no_note)
    logged = sum(len(line["line"]) for line in said if line["event"] == "said")
    assert 0 < logged <= logs.CAP
    assert [line for line in said if line["event"] == "log cut"]


async def test_last_words_do_not_tell_the_prompt(make: Make, tmp_path: Path) -> None:
    tells = 'print("secret wish"); hear(); print("drawing a secret wish", flush=True); sys.exit(1)'
    room = make(tells=HELLO + tells)
    with capture_logs() as said, pytest.raises(EngineDied):
        await room.run(job(tmp_path, "secret wish"), ignore, no_note)
    ended = next(line for line in said if line["event"] == "ended")
    assert "drawing a [prompt]" in ended["said"]


async def test_the_child_sees_no_secret_and_no_file_of_ours(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DASHSCOPE_API_KEY", "AWS_SECRET_ACCESS_KEY", "HTTPS_PROXY", "PYTHONPATH"):
        monkeypatch.setenv(name, "sk-do-not-tell")
    secret = os.open(tmp_path / "api-key", os.O_RDWR | os.O_CREAT)
    os.set_inheritable(secret, True)
    room = make()
    try:
        await room.start()
        seen = Path(f"/proc/{room.pid}/environ").read_bytes()
        files = [str(link.readlink()) for link in Path(f"/proc/{room.pid}/fd").iterdir()]
    finally:
        os.close(secret)
    assert b"sk-do-not-tell" not in seen
    names = {entry.partition(b"=")[0].decode() for entry in seen.split(b"\0") if entry}
    assert names <= {*ALLOWED, "HOME", "TMPDIR", "PYTHONUNBUFFERED"}
    assert str(tmp_path / "api-key") not in files


def test_when_the_parent_is_killed_no_engine_stays(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(
        textwrap.dedent(f"""
        import asyncio, pathlib, sys
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        from rooms import ignore, job, no_note, recipe, run
        from ferrotype.engine_rooms.process import ProcessRoom

        async def main():
            folder = pathlib.Path({str(tmp_path)!r})
            room = ProcessRoom(recipe(), folder / "room")
            await room.start()
            working = run(room, job(folder, "echo busy=60"))
            await asyncio.sleep(0.2)
            print(room.pid, file=sys.stderr, flush=True)
            await working

        asyncio.run(main())
        """)
    )
    with subprocess.Popen(
        (sys.executable, script), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as parent:
        try:
            assert parent.stderr is not None
            child = int(parent.stderr.readline())
            assert alive(child)
        finally:
            parent.kill()
    asyncio.run(until(lambda: not alive(child)))
