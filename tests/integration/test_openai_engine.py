"""The engine `openai` in its own process, against a server as vLLM-Omni and SGLang document it."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack
from io import BytesIO
from pathlib import Path
from typing import Any

import av
import pytest
from msgspec.structs import replace
from PIL import Image
from rooms import ignore, job, no_note, until

from ferrotype.engine_rooms.process import ProcessRoom
from ferrotype.engines.openai.health import MAX_ANSWER, Health
from ferrotype.engines.openai.options import Options
from ferrotype.media import File, Output
from ferrotype.ports.engine import EngineRefusal, EngineUnfit, Job
from ferrotype.ports.engine_room import EngineDied, Recipe
from ferrotype.worker.outputs import inspect
from omni import MODEL, Omni, film, omni, picture, running

MAX = 1 << 30
Make = Callable[..., ProcessRoom]


@pytest.fixture
async def make(tmp_path: Path) -> AsyncIterator[Make]:
    """Make rooms of the engine, closed at the test's end."""
    async with AsyncExitStack() as rooms:

        def build(server: Omni, **options: Any) -> ProcessRoom:
            told = {"url": server.url, "flavour": server.flavour, "poll": 0.05, "fps": 8} | options
            recipe = Recipe(model="m", engine="openai", label="same weights", options=told)
            room = ProcessRoom(recipe, tmp_path / "room")
            rooms.push_async_callback(room.close)
            return room

        yield build


@pytest.fixture(params=["vllm-omni", "sglang"])
async def server(request: pytest.FixtureRequest) -> AsyncIterator[Omni]:
    """A server of either kind."""
    async with omni(request.param) as server:
        yield server


@pytest.fixture
async def vllm() -> AsyncIterator[Omni]:
    """A server."""
    async with omni() as server:
        yield server


def still(folder: Path, **more: Any) -> Job:
    """Return a job for a picture."""
    task, n = more.pop("task", "t"), more.pop("n", 1)
    plain = job(folder, "a red door", task=task, n=n, attempt=more.pop("attempt", 1))
    return replace(plain, size=(128, 64), seed=7, served_by="openai; same weights", **more)


def reel(folder: Path, **more: Any) -> Job:
    """Return a job for a film of two seconds."""
    return replace(still(folder, **more), kind="text-to-video", duration=2.0)


def given(folder: Path, name: str, size: tuple[int, int]) -> File:
    """Return an input file."""
    path = folder / f"{name}.png"
    Image.new("RGB", size, "blue").save(path)
    return File(path=str(path), type="image/png", width=size[0], height=size[1])


def looked_at(outputs: Sequence[Output], folder: Path, n: int = 1) -> list[Path]:
    """Hold outputs against what a worker takes."""
    return [piece.path for piece in inspect(outputs, folder, n, MAX) if piece.path]


async def test_each_picture_is_asked_for_with_its_own_seed(
    server: Omni, make: Make, tmp_path: Path
) -> None:
    said: list[float] = []
    room = make(server, model=MODEL, steps=9, guidance=4.5, extra={"true_cfg_scale": 4})
    asked = still(tmp_path, n=3, negative="blurry")
    made = await room.run(asked, said.append, no_note)
    paths = looked_at(made.outputs, Path(asked.workdir), 3)
    for i, path in enumerate(paths):
        with Image.open(path) as shown, Image.open(BytesIO(picture(7 + i, 1, 1))) as theirs:
            assert shown.getpixel((0, 0)) == theirs.getpixel((0, 0))
    assert sorted(fields["seed"] for _, fields in server.asked) == [7, 8, 9]
    where, fields = server.asked[0]
    assert where == "/v1/images/generations"
    assert fields | {"seed": 0} == {
        "prompt": "a red door",
        "negative_prompt": "blurry",
        "model": MODEL,
        "size": "128x64",
        "n": 1,
        "seed": 0,
        "num_inference_steps": 9,
        "guidance_scale": 4.5,
        "true_cfg_scale": 4,
        "response_format": "b64_json",
        "output_format": "png",
    }
    assert said == sorted(said)
    assert said[-1] == 1.0


async def test_a_picture_says_who_made_it(vllm: Omni, make: Make, tmp_path: Path) -> None:
    made = await make(vllm, model=MODEL).run(still(tmp_path), ignore, no_note)
    with Image.open(str(made.outputs[0].path)) as shown:
        shown.load()
        said = shown.info
    assert said["Engine"] == "openai; same weights"
    assert (said["Model asked"], said["Model there"], said["Seed"]) == ("m", MODEL, "7")
    assert said["DigitalSourceType"].endswith("/trainedAlgorithmicMedia")
    assert "Changed" not in said
    assert MODEL in said["XML:com.adobe.xmp"]


async def test_a_picture_has_the_size_that_was_asked_for(
    vllm: Omni, make: Make, tmp_path: Path
) -> None:
    vllm.snap = 64
    asked = replace(still(tmp_path), size=(200, 100))
    made = await make(vllm).run(asked, ignore, no_note)
    (path,) = looked_at(made.outputs, Path(asked.workdir))
    assert vllm.asked[0][1]["size"] == "208x112"
    with Image.open(path) as shown:
        shown.load()
        assert shown.size == (200, 100)
        assert shown.info["Changed"] == "brought from 192x64 to 200x100"


async def test_pictures_are_edited(server: Omni, make: Make, tmp_path: Path) -> None:
    files = [given(tmp_path, "a", (64, 64)), given(tmp_path, "b", (40, 80))]
    asked = replace(
        still(tmp_path),
        kind="image-edit",
        inputs={"images": files},
        fields={"size_follows": "images"},
        size=(100, 128),
    )
    made = await make(server).run(asked, ignore, no_note)
    looked_at(made.outputs, Path(asked.workdir))
    assert (made.outputs[0].width, made.outputs[0].height) == (80, 160)
    assert [path for path, _ in server.asked] == ["/v1/images/edits"]
    assert server.files == [Path(file.path).read_bytes() for file in files]
    assert server.asked[0][1]["seed"] == "7"


async def test_a_film_is_asked_for_and_kept(server: Omni, make: Make, tmp_path: Path) -> None:
    notes: list[Any] = []
    said: list[float] = []
    room = make(server, steps=4)

    async def keep(memo: bytes) -> None:
        notes.append(json.loads(memo))

    asked = reel(tmp_path, negative="blurry")
    made = await room.run(asked, said.append, keep)
    (path,) = looked_at(made.outputs, Path(asked.workdir))
    assert notes == [
        {"at": server.url, "film": None},
        {"at": server.url, "film": "video_gen_0"},
    ]
    assert said == sorted(said)
    assert {name: str(value) for name, value in server.asked[0][1].items()} == {
        "prompt": "a red door",
        "negative_prompt": "blurry",
        "size": "128x64",
        "seed": "7",
        "fps": "8",
        "num_frames": "17",
        "seconds": "2",
        "num_inference_steps": "4",
    }
    assert made.outputs[0].seconds == 2.0
    with av.open(str(path)) as shown:
        stream = shown.streams.video[0]
        assert (stream.width, stream.height) == (128, 64)
        assert stream.average_rate == 8
        assert sum(1 for _ in shown.decode(stream)) == 16
        assert "Engine: openai; same weights" in shown.metadata["comment"]
        assert "Changed: cut from 17 to 16 frames" in shown.metadata["comment"]


async def test_a_film_that_is_right_is_only_copied(vllm: Omni, make: Make, tmp_path: Path) -> None:
    vllm.sound = True
    asked = reel(tmp_path)
    made = await make(vllm, frames=1).run(asked, ignore, no_note)
    (path,) = looked_at(made.outputs, Path(asked.workdir))
    theirs = film((128, 64), 16, 8, sound=True)
    (tmp_path / "theirs.mp4").write_bytes(theirs)
    with av.open(str(path)) as ours, av.open(str(tmp_path / "theirs.mp4")) as given:
        assert [bytes(packet) for packet in ours.demux(video=0)] == [
            bytes(packet) for packet in given.demux(video=0)
        ]
        assert len(ours.streams.audio) == 1
        assert "Changed" not in ours.metadata["comment"]


async def test_a_film_is_brought_to_its_size_with_its_sound(
    vllm: Omni, make: Make, tmp_path: Path
) -> None:
    vllm.snap, vllm.sound = 64, True
    asked = replace(reel(tmp_path), size=(150, 90))
    made = await make(vllm).run(asked, ignore, no_note)
    (path,) = looked_at(made.outputs, Path(asked.workdir))
    with av.open(str(path)) as shown:
        stream = shown.streams.video[0]
        assert (stream.width, stream.height) == (150, 90)
        assert sum(1 for _ in shown.decode(stream)) == 16
        assert len(shown.streams.audio) == 1
        assert shown.duration is not None
        assert abs(shown.duration / av.time_base - 2.0) < 0.05


async def test_a_film_from_a_picture_takes_its_ratio(
    server: Omni, make: Make, tmp_path: Path
) -> None:
    first = given(tmp_path, "first", (64, 128))
    asked = replace(reel(tmp_path), kind="image-to-video", inputs={"img_url": [first]})
    made = await make(server).run(asked, ignore, no_note)
    looked_at(made.outputs, Path(asked.workdir))
    assert (made.outputs[0].width, made.outputs[0].height) == (64, 128)
    assert server.files == [Path(first.path).read_bytes()]


async def test_a_film_that_is_too_short_is_not_asked_for_again(
    vllm: Omni, make: Make, tmp_path: Path
) -> None:
    vllm.most_frames = 9
    with pytest.raises(EngineRefusal, match="9 frames in place of 16") as refused:
        await make(vllm).run(reel(tmp_path), ignore, no_note)
    assert refused.value.refusal == "InternalError.Algo"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"kind": "animate"}, "does not do animate"),
        ({"inputs": {"mask_image_url": ["x"]}, "kind": "image-edit"}, "takes no mask_image_url"),
        ({"kind": "image-edit"}, "A picture is needed"),
        ({"fields": {"watermark": True}}, "sets no watermark"),
    ],
)
async def test_what_no_such_server_does_is_refused(
    changes: dict[str, Any], why: str, vllm: Omni, make: Make, tmp_path: Path
) -> None:
    files = {role: [given(tmp_path, role, (8, 8))] for role in changes.pop("inputs", {})}
    asked = replace(still(tmp_path), inputs=files, **changes)
    with pytest.raises(EngineRefusal, match=why) as refused:
        await make(vllm).run(asked, ignore, no_note)
    assert refused.value.refusal == "InvalidParameter"
    assert vllm.asked == []


@pytest.mark.parametrize(
    ("what", "fault", "raised", "why"),
    [
        ("picture", "400", EngineRefusal, "Error 400 as asked"),
        ("picture", "422", EngineRefusal, "Error 422 as asked"),
        ("picture", "500", EngineDied, "answered 500: Error 500 as asked"),
        ("picture", "503", EngineUnfit, "cannot serve now .503.: Error 503"),
        ("picture", "429", EngineUnfit, "cannot serve now .429.: Error 429"),
        ("picture", "401", EngineUnfit, "refuses our key"),
        ("picture", "cut", EngineDied, "went away"),
        ("picture", "garbage", EngineDied, "holds no picture"),
        ("picture", "no picture", EngineDied, "cannot be read"),
    ],
)
async def test_trouble_over_a_picture_is_told_apart(
    what: str, fault: str, raised: type[Exception], why: str, vllm: Omni, make: Make, tmp_path: Path
) -> None:
    vllm.faults[what] = [fault]
    room = make(vllm)
    with pytest.raises(raised, match=why):
        await room.run(still(tmp_path, n=2), ignore, no_note)
    assert ("*" in room.unfit) is (raised is EngineUnfit)
    if raised is EngineDied:  # the engine's process goes on
        await room.run(still(tmp_path, task="u"), ignore, no_note)


@pytest.mark.parametrize(
    ("what", "fault", "raised", "why"),
    [
        ("create", "400", EngineRefusal, "Error 400 as asked"),
        ("create", "garbage", EngineDied, "did not say which film"),
        ("create", "cut", EngineDied, "went away"),
        ("film", "400", EngineRefusal, "Film error 400"),
        ("film", "500", EngineDied, "could not make the film: Film error 500"),
        ("content", "cut", EngineDied, "went away"),
        ("content", "garbage", EngineDied, "cannot be read"),
    ],
)
async def test_trouble_over_a_film_is_told_apart(
    what: str, fault: str, raised: type[Exception], why: str, server: Omni, make: Make,
    tmp_path: Path,
) -> None:  # fmt: skip
    server.faults[what] = [fault]
    with pytest.raises(raised, match=why):
        await make(server).run(reel(tmp_path), ignore, no_note)


@pytest.mark.parametrize("fault", ["cut", "500", "garbage"])
async def test_a_look_that_goes_wrong_is_taken_again(
    fault: str, vllm: Omni, make: Make, tmp_path: Path
) -> None:
    vllm.faults["look"] = [fault] * 2
    await make(vllm).run(reel(tmp_path), ignore, no_note)
    assert len(vllm.asked) == 1


async def test_the_next_attempt_takes_the_film_up(vllm: Omni, make: Make, tmp_path: Path) -> None:
    vllm.looks_needed, memos = MAX, []

    async def keep(memo: bytes) -> None:
        memos.append(memo)

    room = make(vllm)
    running = asyncio.create_task(room.run(reel(tmp_path), ignore, keep))
    await until(lambda: len(memos) == 2)
    await room.close()
    with pytest.raises(EngineDied):
        await running
    vllm.looks_needed = 1
    again = reel(tmp_path, attempt=2, memo=memos[-1])
    made = await room.run(again, ignore, keep)
    looked_at(made.outputs, Path(again.workdir))
    assert len(vllm.asked) == 1


async def test_a_restart_of_the_server_costs_a_fault_and_no_film(
    vllm: Omni, make: Make, tmp_path: Path
) -> None:
    vllm.looks_needed, memos = MAX, []

    async def keep(memo: bytes) -> None:
        memos.append(memo)

    room = make(vllm)
    running = asyncio.create_task(room.run(reel(tmp_path), ignore, keep))
    await until(lambda: len(memos) == 2)
    vllm.restart()
    with pytest.raises(EngineDied, match="has lost the film: Video not found"):
        await running
    assert memos[-1] == b""
    vllm.looks_needed = 1
    await room.run(reel(tmp_path, attempt=2, memo=memos[-1]), ignore, keep)
    assert len(vllm.asked) == 2
    vllm.restart()  # one that nobody saw
    await room.run(reel(tmp_path, attempt=3, memo=memos[-1]), ignore, keep)
    assert len(vllm.asked) == 3


@pytest.mark.parametrize("second", [True, False])
async def test_a_create_without_an_answer_is_repeated_where_that_is_allowed(
    second: bool, vllm: Omni, make: Make, tmp_path: Path
) -> None:
    vllm.faults["create"], memos = ["cut"], []

    async def keep(memo: bytes) -> None:
        memos.append(memo)

    room = make(vllm, second_submit=second)
    with pytest.raises(EngineDied):
        await room.run(reel(tmp_path), ignore, keep)
    again = reel(tmp_path, attempt=2, memo=memos[-1])
    if second:
        await room.run(again, ignore, keep)
    else:
        with pytest.raises(EngineRefusal, match="second_submit") as refused:
            await room.run(again, ignore, keep)
        assert refused.value.refusal == "InternalError.Algo"
    assert len(vllm.asked) == 1 + second


async def test_a_create_that_was_not_taken_leaves_no_doubt(
    vllm: Omni, make: Make, tmp_path: Path
) -> None:
    vllm.faults["create"], memos = ["503"], []

    async def keep(memo: bytes) -> None:
        memos.append(memo)

    room = make(vllm, second_submit=False)
    with pytest.raises(EngineUnfit):
        await room.run(reel(tmp_path), ignore, keep)
    await room.run(reel(tmp_path, attempt=2, memo=memos[-1]), ignore, keep)


async def test_a_server_that_is_down_makes_the_engine_unfit_until_it_is_up(
    make: Make, tmp_path: Path
) -> None:
    async with omni() as server:
        port = int(server.url.rpartition(":")[2])
        room = make(server)
        await room.start()
        assert room.unfit == {}
    with pytest.raises(EngineUnfit, match="cannot be reached"):
        await room.run(still(tmp_path), ignore, no_note)
    assert room.unfit.keys() == {"*"}
    async with running(server, port):
        await until(lambda: not room.unfit)
        await room.run(still(tmp_path), ignore, no_note)


async def test_a_server_that_still_loads_is_not_offered(vllm: Omni, make: Make) -> None:
    vllm.healthy = False
    room = make(vllm)
    await room.start()
    assert room.unfit == {"*": f"The server at {vllm.url} is not ready: /health answers 503."}
    vllm.healthy = True
    await until(lambda: not room.unfit)


async def test_another_model_or_key_than_ours_is_told(vllm: Omni, make: Make) -> None:
    vllm.key = "sk-theirs"
    room = make(vllm, key="sk-ours")
    await room.start()
    assert "refuses our key (401)" in room.unfit["*"]
    await room.close()
    room = make(vllm, key="sk-theirs", model="another")
    await room.start()
    assert f"serves {MODEL}, not another: set option model" in room.unfit["*"]


async def test_a_stop_is_heard_while_the_server_draws(
    vllm: Omni, make: Make, tmp_path: Path
) -> None:
    vllm.drawn.clear()
    room = make(vllm, concurrency=2)
    await room.start()
    assert room.concurrency == 2
    pid = room.pid
    running = asyncio.create_task(room.run(still(tmp_path), ignore, no_note))
    await until(lambda: len(vllm.asked) == 1)
    await room.stop("t", 30)
    with pytest.raises(EngineDied, match="stopped as asked"):
        await running
    vllm.drawn.set()
    await room.run(still(tmp_path, task="u"), ignore, no_note)
    assert room.pid == pid


@pytest.mark.parametrize("final", [True, False])
async def test_a_film_is_given_up_only_when_its_task_does_not_come_again(
    final: bool, server: Omni, make: Make, tmp_path: Path
) -> None:
    server.looks_needed = MAX
    room = make(server)
    running = asyncio.create_task(room.run(reel(tmp_path), ignore, no_note))
    await until(lambda: any(film["looks"] for film in server.films.values()))
    await room.stop("t", 30, final=final)
    with pytest.raises(EngineDied, match="stopped as asked"):
        await running
    assert len(server.films) == (0 if final else 1)


async def test_a_slow_server_that_is_well_is_waited_for(
    vllm: Omni, make: Make, tmp_path: Path
) -> None:
    vllm.drawn.clear()
    said: list[float] = []
    running = asyncio.create_task(make(vllm).run(still(tmp_path, n=2), said.append, no_note))
    await until(lambda: len(said) > 3)  # nothing is drawn yet, and it does not count as stalled
    assert set(said) == {0.0}
    vllm.drawn.set()
    await running
    assert said[-1] == 1.0


@pytest.mark.parametrize(
    ("told", "why"),
    [
        (b'{"data":[{"id":"\xff"}]}', "is no such server"),
        (b'{"data":[],"x":' + b"[" * 100_000, "is no such server"),
        (b"x" * (MAX_ANSWER + 1), "does not end"),
    ],
)
async def test_a_look_ends_whatever_the_server_says(told: bytes, why: str) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + told)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        options = Options(url=f"http://127.0.0.1:{port}")
        assert why in str((await asyncio.to_thread(Health, options)).why)


@pytest.mark.parametrize(
    "options",
    [
        {"url": "http://[::1"},
        {"url": "http://127.0.0.1:99999"},
        {"url": "http://127.0.0.1", "key": "sk-mine "},
    ],
)
def test_what_would_break_every_request_is_told_before(options: dict[str, Any]) -> None:
    assert len(list(Options(**options).problems())) == 1
