"""Files that a task takes in and gives out, and how we know what a file is."""

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

# Pictures in a film's clothes: HEIC and AVIF.
_STILLS = frozenset({b"avif", b"heic", b"heix", b"heim", b"heis", b"mif1"})
# Start of frame, in all its codings (DHT, JPG and DAC lie between them).
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


class File(Struct, frozen=True, kw_only=True):
    """An input, decoded and written anew by us. Sizes in pixels, `seconds` for film and sound."""

    path: str
    type: str
    bytes: int = 0
    width: int = 0
    height: int = 0
    seconds: float = 0.0


class Output(Struct, frozen=True, kw_only=True):
    """What an engine says of one output: a file in the work folder, or why there is none.

    `caption`: the words that come before it, where words and pictures go by turns.
    """

    path: str | None = None
    caption: str = ""
    error_code: str | None = None
    error_message: str | None = None
    type: str = ""
    width: int = 0
    height: int = 0
    seconds: float = 0.0


class Produced(Struct, frozen=True, kw_only=True):
    """One output as the ledger keeps it: where the media store has it, or why there is none."""

    key: str = ""
    caption: str = ""
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
    if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
        return "audio/wav"
    if head[4:8] == b"ftyp" and head[8:12] not in _STILLS:
        return "video/quicktime" if head[8:12] == b"qt  " else "video/mp4"
    if head[4:8] in (b"moov", b"mdat", b"wide"):
        return "video/quicktime"
    if head.startswith(b"ID3") or (
        len(head) > 1 and head[0] == 0xFF and head[1] & 0xE6 == 0xE2 and head[1] & 0x18 != 0x08
    ):
        return "audio/mpeg"
    return None


def png_size(file: BinaryIO) -> tuple[int, int] | None:
    """Read width and height from a PNG's header, or None when it is no PNG."""
    head = file.read(24)
    if len(head) < 24 or sniff(head) != "image/png" or head[12:16] != b"IHDR":
        return None
    return int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big")


def image_size(file: BinaryIO) -> tuple[int, int] | None:
    """Read width and height from the header of a PNG, JPEG or WebP, or None for anything else."""
    head = file.read(30)
    match sniff(head):
        case "image/png":
            file.seek(0)
            return png_size(file)
        case "image/webp":
            return _webp_size(head)
        case "image/jpeg":
            file.seek(2)
            return _jpeg_size(file)
    return None


def _webp_size(head: bytes) -> tuple[int, int] | None:
    """Read a WebP's first chunk: extended, lossless (14 bits each), or lossy (a key frame)."""
    if len(head) < 30:
        return None
    if head[12:16] == b"VP8X":
        return 1 + int.from_bytes(head[24:27], "little"), 1 + int.from_bytes(head[27:30], "little")
    if head[12:16] == b"VP8L" and head[20] == 0x2F:
        bits = int.from_bytes(head[21:25], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if head[12:16] == b"VP8 " and head[23:26] == b"\x9d\x01\x2a":
        width, height = int.from_bytes(head[26:28], "little"), int.from_bytes(head[28:30], "little")
        return width & 0x3FFF, height & 0x3FFF
    return None


def _jpeg_size(file: BinaryIO) -> tuple[int, int] | None:
    """Walk a JPEG's segments, up to a thousand, to the one that holds the size."""
    for _ in range(1000):
        segment = file.read(4)
        if len(segment) < 4 or segment[0] != 0xFF:
            return None
        length = int.from_bytes(segment[2:4], "big")
        if segment[1] in _JPEG_FRAMES:
            body = file.read(5)
            if len(body) < 5:
                return None
            return int.from_bytes(body[3:5], "big"), int.from_bytes(body[1:3], "big")
        if length < 2 or segment[1] == 0xDA:
            return None
        file.seek(length - 2, 1)
    return None
