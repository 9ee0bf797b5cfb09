"""Files that a task takes in and gives out, and how we know what a file is."""

from pathlib import Path
from typing import BinaryIO

from msgspec import Struct

EXTENSIONS = {
    "image/png": "png",
    "image/jpeg": "jpg",
    "image/webp": "webp",
    "image/bmp": "bmp",
    "image/tiff": "tiff",
    "image/gif": "gif",
    "video/mp4": "mp4",
}


class File(Struct, frozen=True, kw_only=True):
    """An input, decoded and written anew by us. Sizes in pixels, `seconds` for film and sound."""

    path: str
    type: str
    width: int = 0
    height: int = 0
    seconds: float = 0.0


class Output(Struct, frozen=True, kw_only=True):
    """What an engine says of one output: a file in the work folder, or why there is none."""

    path: str | None = None
    error_code: str | None = None
    error_message: str | None = None
    type: str = ""
    width: int = 0
    height: int = 0
    seconds: float = 0.0


class Produced(Struct, frozen=True, kw_only=True):
    """One output as the ledger keeps it: where the media store has it, or why there is none."""

    key: str = ""
    type: str = ""
    bytes: int = 0
    sha256: str = ""
    width: int = 0
    height: int = 0
    seconds: float = 0.0
    code: str | None = None
    message: str | None = None


def sniff(head: bytes) -> str | None:
    """Name the media type that the first 32 bytes of a file show, or None."""
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if head.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if head.startswith((b"II*\x00", b"MM\x00*")):
        return "image/tiff"
    if head.startswith(b"BM"):
        return "image/bmp"
    if head[4:8] == b"ftyp":
        return "video/mp4"
    return None


def png_size(file: BinaryIO) -> tuple[int, int] | None:
    """Read width and height from a PNG's header, or None when it is no PNG."""
    head = file.read(24)
    if sniff(head) != "image/png" or head[12:16] != b"IHDR":
        return None
    return int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big")


def sniff_file(path: Path) -> str | None:
    """Name the media type that a file's first bytes show, or None."""
    with path.open("rb") as file:
        return sniff(file.read(32))
