"""What an engine says it made, looked at before anybody else may see it."""

import hashlib
import os
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
from msgspec import Struct

from ferrotype.media import EXTENSIONS, Output, png_size, sniff

MAX_SIDE = 32_768  # pixels
MAX_CAPTION = 4_000  # characters
MAX_TOLD = 64 * 1024  # bytes
MAX_DEPTH = 16
_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class BadOutput(Exception):
    """An engine broke its promise about an output."""


class Piece(Struct, frozen=True, kw_only=True):
    """One output that may be shown: a file of ours, or why there is none."""

    output: Output
    path: Path | None = None
    bytes: int = 0
    sha256: str = ""


def inspect(
    outputs: Sequence[Output], folder: Path, count: int, max_bytes: int
) -> tuple[Piece, ...]:
    """Check `count` outputs that lie in a job's folder, `max_bytes` in all. Blocks on the disk.

    Raises `BadOutput` for anything but whole, plain files that are what they are said to be.
    """
    if len(outputs) != count:
        raise BadOutput(f"{len(outputs)} outputs were made, {count} were asked for")
    pieces = []
    for output in outputs:
        piece = _inspect(output, folder.resolve(), max_bytes)
        max_bytes -= piece.bytes
        pieces.append(piece)
    return tuple(pieces)


def weigh(told: Mapping[str, Any] | None) -> None:
    """Look at what an answer is to tell: every poll would bring it. Raises `BadOutput`."""
    if told is None:
        return
    if _is_deeper(told, MAX_DEPTH):
        raise BadOutput(f"what the engine tells is nested more than {MAX_DEPTH} deep")
    if (size := len(msgspec.json.encode(told))) > MAX_TOLD:
        raise BadOutput(f"what the engine tells has {size} bytes, more than {MAX_TOLD}")


def _is_deeper(value: Any, left: int) -> bool:
    if isinstance(value, Mapping):
        value = list(value.values())
    return isinstance(value, list) and (
        left == 0 or any(_is_deeper(item, left - 1) for item in value)
    )


def _inspect(output: Output, folder: Path, max_bytes: int) -> Piece:
    if output.path is None:
        if not output.error_code:
            raise BadOutput("an output has neither a file nor an error")
        return Piece(output=output)
    path = folder / output.path
    try:
        if os.path.realpath(path) != str(path) or not path.is_relative_to(folder):
            raise BadOutput("an output is not in its job's folder, or reached over a link")
        with os.fdopen(os.open(path, _OPEN), "rb") as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
                raise BadOutput("an output is not a plain file with one name")
            if not 0 < found.st_size <= max_bytes:
                raise BadOutput(f"an output has {found.st_size} bytes, {max_bytes} are left")
            _look_inside(output, file)
            file.seek(0)
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, ValueError) as error:
        raise BadOutput(f"an output cannot be read: {error}") from error
    return Piece(output=output, path=path, bytes=found.st_size, sha256=digest)


def _look_inside(output: Output, file: BinaryIO) -> None:
    kind = sniff(file.read(32))
    if kind not in EXTENSIONS or kind != output.type:
        raise BadOutput(f"an output said to be {output.type!r} begins like {kind or 'nothing'}")
    if not (0 < output.width <= MAX_SIDE and 0 < output.height <= MAX_SIDE):
        raise BadOutput(f"an output is said to have {output.width} x {output.height} pixels")
    if len(output.caption) > MAX_CAPTION:
        raise BadOutput(f"an output's caption has {len(output.caption)} characters")
    file.seek(0)
    if kind == "image/png" and png_size(file) != (output.width, output.height):
        raise BadOutput("an output's header does not have the size that it is said to have")
