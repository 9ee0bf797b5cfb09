"""What a room and its engine host say to each other: four bytes of length, then JSON."""

import asyncio
from typing import Annotated, Any, BinaryIO

import msgspec
from msgspec import Meta, Struct

from ferrotype.media import Output
from ferrotype.ports.engine import Job

MAX_FRAME = 4 * 1024 * 1024  # bytes; a longer one breaks the protocol
MAX_MEMO = 64 * 1024  # bytes that a job may note
LONGEST = 2000  # characters of a sentence that travels
HEARTBEAT = 1.0  # seconds between two signs of life

Code = Annotated[str, Meta(max_length=128)]
Message = Annotated[str, Meta(max_length=4096)]
Outputs = Annotated[list[Output], Meta(max_length=64)]
Unfit = Annotated[dict[Code, Message], Meta(max_length=1000)]


class BrokenFrame(Exception):
    """Somebody sent what is no frame."""


class Setup(Struct, frozen=True, tag="setup"):
    """Room to host, first: the options to make the engine with."""

    options: dict[str, Any]


class Begin(Struct, frozen=True, tag="job"):
    """Room to host: do this."""

    job: Job


class Noted(Struct, frozen=True, tag="noted"):
    """Room to host: note `number` is durable, or why it never will be."""

    task: str
    number: int
    error: str | None = None


class Stop(Struct, frozen=True, tag="stop"):
    """Room to host: end this task soon, in any way. `final`: it does not come again."""

    task: str
    final: bool = False


class Hello(Struct, frozen=True, tag="hello"):
    """Host to room, first: the engine is made, and takes so many jobs at once."""

    concurrency: Annotated[int, Meta(ge=1, le=10_000)]


class Unmade(Struct, frozen=True, tag="unmade"):
    """Host to room, instead of `Hello`: the engine cannot be made, and why."""

    why: Message


class Progress(Struct, frozen=True, tag="progress"):
    """Host to room: how far a job is, 0 to 1."""

    task: str
    fraction: float


class Note(Struct, frozen=True, tag="note"):
    """Host to room: keep this for the task's next attempt, then say `Noted`."""

    task: str
    number: int
    memo: Annotated[bytes, Meta(max_length=MAX_MEMO)]


class Done(Struct, frozen=True, tag="done"):
    """Host to room: a job ended with these outputs, and what its answer is to tell."""

    task: str
    outputs: Outputs
    usage: dict[str, Any] | None = None
    shown: dict[str, Any] | None = None


class Refused(Struct, frozen=True, tag="refused"):
    """Host to room: the engine will not make this."""

    task: str
    code: Code
    message: Message


class Returned(Struct, frozen=True, tag="returned"):
    """Host to room: the engine cannot do this for now, and why."""

    task: str
    why: Message


class Failed(Struct, frozen=True, tag="failed"):
    """Host to room: the engine broke down over this job, or stopped it as asked."""

    task: str
    message: Message


class Heartbeat(Struct, frozen=True, tag="heartbeat"):
    """Host to room: the process lives, and why it cannot serve some models now."""

    unfit: Unfit = {}


ToHost = Setup | Begin | Noted | Stop
ToRoom = Hello | Unmade | Progress | Note | Done | Refused | Returned | Failed | Heartbeat

_to_host: msgspec.json.Decoder[ToHost] = msgspec.json.Decoder(ToHost)
_to_room: msgspec.json.Decoder[ToRoom] = msgspec.json.Decoder(ToRoom)
_encoder = msgspec.json.Encoder()


def pack(frame: ToHost | ToRoom) -> bytes:
    """Return a frame as it travels. Raises `BrokenFrame` when it is too long, or holds no data."""
    try:
        body = _encoder.encode(frame)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        why = f"a {type(frame).__name__} holds what JSON cannot: {type(error).__name__}"
        raise BrokenFrame(why) from error
    if len(body) > MAX_FRAME:
        raise BrokenFrame(f"a frame of {len(body)} bytes is over the limit of {MAX_FRAME}")
    return len(body).to_bytes(4, "big") + body


def pack_checked(frame: ToRoom) -> bytes:
    """Return a frame with what a stranger's engine said in it, as it travels.

    Raises `BrokenFrame` for what the room would not read: it would end the whole process.
    """
    packed = pack(frame)
    try:
        _to_room.decode(packed[4:])
    except (msgspec.DecodeError, RecursionError) as error:
        raise BrokenFrame(f"a {type(frame).__name__} would not be read: {error}") from error
    return packed


async def receive(reader: asyncio.StreamReader) -> ToRoom | None:
    """Read the room's next frame; None when the host hung up between two frames."""
    try:
        head = await reader.readexactly(4)
        body = await reader.readexactly(_length(head))
        return _to_room.decode(body)
    except asyncio.IncompleteReadError as error:
        if error.expected == 4 and not error.partial:
            return None
        raise BrokenFrame("the engine host hung up within a frame") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BrokenFrame(f"the engine host sent no proper frame: {error}") from error


def receive_blocking(line: BinaryIO) -> ToHost | None:
    """Read the host's next frame; None when the room hung up."""
    head = line.read(4)
    if len(head) < 4:
        return None
    body = line.read(length := _length(head))
    if len(body) < length:
        return None
    return _to_host.decode(body)


def _length(head: bytes) -> int:
    length = int.from_bytes(head, "big")
    if length > MAX_FRAME:
        raise BrokenFrame(f"a frame of {length} bytes is over the limit of {MAX_FRAME}")
    return length
