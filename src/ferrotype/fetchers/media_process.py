"""The parent's side of the media process: start one, ask it once, make sure that it is gone."""

import asyncio
import os
import signal
import stat
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec
import structlog

from ferrotype import errors
from ferrotype.errors import Broken, InputDownloadFailed, InvalidFileFormat, InvalidImageFormat
from ferrotype.fetchers.media_words import Answer, NetworkGuard, Request
from ferrotype.lifeline import PARENT
from ferrotype.media import File, sniff
from ferrotype.ports.fetcher import FileRule

log = structlog.get_logger()

REFUSALS = {
    kind.code: kind
    for kind in (
        errors.InvalidImageFormat,
        errors.InvalidImageResolution,
        errors.InvalidFileFormat,
        errors.InvalidFileDuration,
        errors.InvalidFileResolution,
        errors.InvalidFileAspectRatio,
        errors.InvalidFileFPS,
    )
}
_WRITTEN = {"image": "image/png", "audio": "audio/wav", "video": "video/mp4"}
_ENDINGS = {"image": ".png", "audio": ".wav", "video": ".mp4"}
_MAX_ANSWER = 64 << 10


@dataclass(frozen=True, slots=True)
class MediaLimits:
    """How much one file may cost, in bytes and seconds, and how many are opened at once."""

    seconds: float = 20.0
    film_seconds: float = 120.0
    memory: int = 1 << 30
    file: int = 256 << 20
    at_once: int = 2


class MediaProcess:
    """Runs one exec'ed child for each file: no network, no secrets, limits on everything."""

    def __init__(self, limits: MediaLimits | None = None) -> None:
        self._limits = limits or MediaLimits()
        self._room = asyncio.Semaphore(self._limits.at_once)

    async def convert(self, source: Path, target: Path, rule: FileRule) -> File:
        """Decode a file from outside and write it anew as PNG, WAV or MP4.

        `target` has no ending; the answer's path has. Raises `InvalidImageFormat` and its like,
        `InputDownloadFailed` where this machine cannot guard a media process, or `Broken`.
        """
        try:
            type = await asyncio.to_thread(_begins_like, source) or ""
        except OSError as error:
            raise Broken from error
        if type not in rule.types:
            raise _wrong_format(rule, "it is not of a format that the model takes")
        kind = type.partition("/")[0]
        target = target.with_name(target.name + _ENDINGS[kind])
        try:
            async with self._room:
                answer = await self._ask(source, target, rule, type)
            if answer.guard is None:
                log.error("inputs refused: no network guard", action="media")
                raise InputDownloadFailed(
                    "Failed to download the input file: this server cannot open files safely."
                )
            if answer.code is not None:
                raise REFUSALS.get(answer.code, Broken)(answer.message)
        except BaseException:
            target.unlink(missing_ok=True)
            raise
        return File(
            path=str(target),
            type=_WRITTEN[kind],
            bytes=target.stat().st_size,
            width=answer.width,
            height=answer.height,
            seconds=answer.seconds,
        )

    async def ability(self) -> tuple[NetworkGuard | None, tuple[str, ...]]:
        """Return what keeps media processes of this machine off the network, or None; and the
        names of the formats and decoders that they read.
        """
        answer = await self._ask(Path(), Path(), None, "")
        return answer.guard, answer.reads

    async def _ask(self, source: Path, target: Path, rule: FileRule | None, type: str) -> Answer:
        limits = self._limits
        seconds = limits.film_seconds if type.startswith("video/") else limits.seconds
        request = Request(
            source=str(source),
            target=str(target),
            rule=rule,
            type=type,
            memory=limits.memory,
            cpu=int(seconds) + 1,
            file=limits.file,
        )
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-I",  # neither the current folder nor PYTHON* variables choose what is imported
            "-m",
            "ferrotype.media_host",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={"LANG": "C.UTF-8", PARENT: str(os.getpid())},
            cwd="/",
            start_new_session=True,
        )
        try:
            async with asyncio.timeout(seconds):
                answer, complaint = await _converse(process, msgspec.json.encode(request))
        except TimeoutError:
            raise _wrong_format(rule, "it cannot be decoded in time") from None
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                await process.wait()
        return _understood(rule, process.returncode, answer, complaint)


async def _converse(process: asyncio.subprocess.Process, request: bytes) -> tuple[bytes, bytes]:
    """Hand the request over and wait for the child's end; return its stdout and its stderr."""
    assert process.stdin and process.stdout and process.stderr
    process.stdin.write(request)
    process.stdin.close()
    answer, complaint = await asyncio.gather(_drain(process.stdout), _drain(process.stderr))
    await process.wait()
    return answer, complaint


async def _drain(pipe: asyncio.StreamReader) -> bytes:
    """Read a pipe to its end, and keep no more of it than an answer may have."""
    kept = b""
    while chunk := await pipe.read(_MAX_ANSWER):
        kept += chunk[: _MAX_ANSWER - len(kept)]
    return kept


def _begins_like(source: Path) -> str | None:
    """Name the type that a plain file's first bytes show."""
    fd = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(fd, "rb") as file:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise OSError("not a plain file")
        return sniff(file.read(32))


def _wrong_format(rule: FileRule | None, why: str) -> errors.Refused:
    """Refuse a file in the words for pictures where only pictures may be."""
    if rule is not None and all(type.startswith("image/") for type in rule.types):
        return InvalidImageFormat(f"The format of the input image is invalid: {why}.")
    return InvalidFileFormat(f"The format of the input file is invalid: {why}.")


def _understood(
    rule: FileRule | None, status: int | None, answer: bytes, complaint: bytes
) -> Answer:
    if status is not None and status < 0:
        log.warning("media process killed", action="media", signal=-status)
        raise _wrong_format(rule, "it cannot be decoded within the limits")
    if status == 0:
        with suppress(msgspec.MsgspecError):  # who has broken it may make it say anything
            return msgspec.json.decode(answer, type=Answer)
    tail = complaint[-2000:].decode("utf-8", "replace")
    log.error("media process broke", action="media", status=status, stderr=tail)
    raise Broken
