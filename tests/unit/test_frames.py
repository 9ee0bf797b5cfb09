"""Frames: what a room and its engine host may say, and what breaks the protocol."""

import asyncio
import io

import pytest
from msgspec import json

from ferrotype.engine_rooms import frames
from ferrotype.media import Output


async def heard(*sent: bytes) -> frames.ToRoom | None:
    reader = asyncio.StreamReader()
    reader.feed_data(b"".join(sent))
    reader.feed_eof()
    return await frames.receive(reader)


def framed(body: bytes) -> bytes:
    return len(body).to_bytes(4, "big") + body


@pytest.mark.parametrize(
    "frame",
    [
        frames.Hello(4),
        frames.Progress("t", 0.5),
        frames.Note("t", 0, b"\0\xff"),
        frames.Done("t", [Output(path="/w/0.png", type="image/png", width=1, height=1)]),
        frames.Refused("t", "DataInspectionFailed", "No."),
        frames.Failed("t", "ValueError: no"),
        frames.Heartbeat(),
    ],
)
async def test_what_a_host_says_is_heard(frame: frames.ToRoom) -> None:
    assert await heard(frames.pack(frame)) == frame


@pytest.mark.parametrize(
    "frame", [frames.Setup({"concurrency": 2}), frames.Noted("t", 1, "no"), frames.Stop("t")]
)
def test_what_a_room_says_is_heard(frame: frames.ToHost) -> None:
    assert frames.receive_blocking(io.BytesIO(frames.pack(frame))) == frame


async def test_a_hang_up_between_frames_is_an_end() -> None:
    assert await heard() is None
    assert frames.receive_blocking(io.BytesIO()) is None


@pytest.mark.parametrize(
    "sent",
    [
        b"\0\0",
        b"\0\0\0\x10half",
        framed(b"GET / HTTP/1.1"),
        framed(b"{}"),
        framed(b'{"type":"unheard-of"}'),
        framed(b'{"type":"hello"}'),
        framed(b'{"type":"hello","concurrency":0}'),
        framed(b'{"type":"hello","concurrency":true}'),
        framed(b'{"type":"setup","options":{}}'),
        framed(json.encode({"type": "failed", "task": "t", "message": "x" * 4097})),
        framed(json.encode({"type": "done", "task": "t", "outputs": [{}] * 65})),
        framed(b"\xff\xfe"),
        (0xFFFFFFFF).to_bytes(4, "big"),
    ],
)
async def test_anything_else_breaks_the_protocol(sent: bytes) -> None:
    with pytest.raises(frames.BrokenFrame):
        await heard(sent)


async def test_a_length_over_the_limit_is_refused_before_it_is_read() -> None:
    reader = asyncio.StreamReader()
    reader.feed_data((frames.MAX_FRAME + 1).to_bytes(4, "big"))  # and nothing more ever comes
    with pytest.raises(frames.BrokenFrame, match="over the limit"):
        await asyncio.wait_for(frames.receive(reader), 5)


def test_a_frame_over_the_limit_is_never_sent() -> None:
    with pytest.raises(frames.BrokenFrame, match="over the limit"):
        frames.pack(frames.Setup({"weights": "x" * frames.MAX_FRAME}))
