"""One-pixel pictures, and trouble on demand: for tests, soaks and benches of the queue.

A prompt that begins with the word "echo" is read as directives, separated by spaces:

    echo delay=0.5 steps=10     wait half a second, and say progress ten times meanwhile
    echo busy=2                 keep the engine's thread from everything else for 2 s
    echo deaf=5                 work 5 s in a thread that hears no stop
    echo note=TEXT              keep TEXT for the next attempt, then go on
    echo refuse=CODE            refuse the whole task with CODE
    echo fail-item=I:CODE       the I-th output (from 0) has this error instead of a file
    echo usage=N                have the answer say {"image_count": N}, as an upstream may
    echo unfit=S                cannot serve the task's model for S seconds: the task goes back
    echo raise                  raise an exception in the engine
    echo crash                  end the process at once
    echo crash-until=N          end the process at once, in the first N attempts
    echo stall                  never end, and never move
    echo leak=M                 keep M megabytes for as long as the process lives
    echo flood=K                print K kilobytes to standard error
    echo output=KIND            instead of a picture give: link, hardlink, outside, text, folder,
                                missing, untyped, oversized (a header that says 2**31 pixels)

Any other prompt gives its pictures at once. The i-th picture's colour follows from `seed + i`.
"""

import asyncio
import os
import struct
import sys
import time
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct

from ferrotype.media import Output
from ferrotype.ports.engine import Bench, EngineRefusal, EngineUnfit, Job

MEGABYTE = 1024 * 1024


class Options(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a recipe may say. `concurrency`: jobs at once in one process."""

    concurrency: Annotated[int, Meta(ge=1, le=1000)] = 1

    def problems(self) -> Iterator[str]:
        """Say what is wrong: nothing can be."""
        return iter(())


class Echo:
    """The engine `echo`. Option `concurrency`: jobs at once in one process."""

    def __init__(self, concurrency: int = 1) -> None:
        self.concurrency = concurrency
        self._leaked: list[bytes] = []
        self._unfit_until: dict[str, float] = {}

    @property
    def unfit(self) -> dict[str, str]:
        """Models that prompts asked not to serve for a while."""
        now, until = time.monotonic(), dict(self._unfit_until)
        return {model: "a prompt asked for it" for model in until if until[model] > now}

    async def run(self, job: Job, bench: Bench) -> Sequence[Output]:
        """Do what the prompt directs, then return `job.n` pictures of one pixel."""
        wish = directives(job.prompt)
        if "crash" in wish or job.attempt <= int(wish.get("crash-until", 0)):
            os._exit(70)
        if "unfit" in wish and job.attempt == 1:
            self._unfit_until[job.model] = time.monotonic() + float(wish["unfit"])
            raise EngineUnfit("the prompt asked for it")
        if "usage" in wish:
            bench.report(usage={"image_count": int(wish["usage"])})
        if "raise" in wish:
            raise RuntimeError("the prompt asked for an exception")
        if "refuse" in wish:
            raise EngineRefusal(wish["refuse"], "The prompt asked for this refusal.")
        if "note" in wish:
            await bench.note(wish["note"].encode())
        self._burden(wish)
        await _spend(wish, bench)
        return [_output(i, job, bench.workdir, wish) for i in range(job.n)]

    def _burden(self, wish: dict[str, str]) -> None:
        self._leaked.append(b"\1" * (int(wish.get("leak", 0)) * MEGABYTE))
        for _ in range(int(wish.get("flood", 0))):
            sys.stderr.write("water " * 170 + "\n")
        time.sleep(float(wish.get("busy", 0)))


def directives(prompt: str) -> dict[str, str]:
    """Read a prompt's directives: name -> value, "" for a bare word."""
    first, *words = prompt.split() or [""]
    if first != "echo":
        return {}
    return {name: value for name, _, value in (word.partition("=") for word in words)}


def pixel(seed: int) -> bytes:
    """Return a PNG of one pixel in a colour that follows from the seed."""
    colour = zlib.crc32(seed.to_bytes(8, "big", signed=True)).to_bytes(4, "big")[:3]
    return b"".join(
        (
            b"\x89PNG\r\n\x1a\n",
            _chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)),
            _chunk(b"tEXt", b"Software\0Ferrotype echo (a test pattern)"),
            _chunk(b"IDAT", zlib.compress(b"\0" + colour)),
            _chunk(b"IEND", b""),
        )
    )


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


async def _spend(wish: dict[str, str], bench: Bench) -> None:
    if "stall" in wish:
        await asyncio.Event().wait()
    if "deaf" in wish:
        await asyncio.to_thread(time.sleep, float(wish["deaf"]))
    delay, steps = float(wish.get("delay", 0)), int(wish.get("steps", 4))
    if delay:
        for step in range(1, steps + 1):
            await asyncio.sleep(delay / steps)
            bench.progress(step / steps, step, steps)


def _output(i: int, job: Job, folder: Path, wish: dict[str, str]) -> Output:
    item, _, code = wish.get("fail-item", "").partition(":")
    if item == str(i):
        return Output(error_code=code, error_message="The prompt asked for this error.")
    path = folder / f"{i}.png"
    if kind := wish.get("output"):
        return _trouble(kind, path)
    path.write_bytes(pixel(job.seed + i))
    return Output(path=str(path), type="image/png", width=1, height=1)


def _trouble(kind: str, path: Path) -> Output:
    """Give an output that a worker must not take."""
    picture = pixel(0)
    if kind == "link":
        path.symlink_to("/etc/hostname")
    elif kind == "hardlink":
        path.with_suffix(".first").write_bytes(picture)
        path.hardlink_to(path.with_suffix(".first"))
    elif kind == "outside":
        path = path.parent.parent / "outside.png"
        path.write_bytes(picture)
    elif kind == "text":
        path.write_text("This is no picture.")
    elif kind == "folder":
        path.mkdir()
    elif kind == "untyped":
        path.write_bytes(picture)
        return Output(path=str(path), type="text/html", width=1, height=1)
    elif kind == "oversized":
        path.write_bytes(picture[:16] + struct.pack(">II", 2**31, 2**31) + picture[24:])
        return Output(path=str(path), type="image/png", width=2**31, height=2**31)
    return Output(path=str(path), type="image/png", width=1, height=1)
