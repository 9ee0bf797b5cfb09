"""Breaks good files and URLs, with an eye for how they are built: lengths, names, checksums."""

import re
import struct
import zlib
from collections.abc import Callable, Sequence
from random import Random

NUMBERS = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF)
_NAME = re.compile(rb"[A-Za-z][A-Za-z0-9]{3}")
_URL_PIECES = (
    *("@", "\\", "//", "#", "?", "%00", "%2f", "%40", "\t", "\n", " ", ":", "::", "[", "]", ".."),
    *("0x7f.1", "0177.0.0.1", "2130706433", "127.1", "[::1]", "[::ffff:7f00:1]", "[fe80::1%25lo]"),
    *("localhost", "ⓛocalhost", "。", "http:", "file:", "data:", "\ud800", "xn--", "a" * 300),
)


def break_file(data: bytes, others: Sequence[bytes], dice: Random) -> bytes:
    """Return a file with one to eight faults, whose PNG checksums are right where it has any."""
    for _ in range(dice.choice((1, 1, 2, 3, 8))):
        data = dice.choice(_FILE_FAULTS)(data, dice) or b"\0"
        if dice.random() < 0.05:
            other = dice.choice(others)
            data = data[: _place(data, dice)] + other[_place(other, dice) :]
    return _checked(data) if dice.random() < 0.8 else data


def break_url(url: str, dice: Random) -> str:
    """Return a URL with one to four faults."""
    for _ in range(dice.randint(1, 4)):
        start = dice.randint(0, len(url))
        end = start + dice.choice((0, 0, 1, 3))
        piece = dice.choice(_URL_PIECES) if dice.random() < 0.7 else chr(dice.randrange(0x3000))
        url = url[:start] + piece + url[end:]
    return url


def _place(data: bytes, dice: Random) -> int:
    """Choose a place, among the first bytes as often as anywhere: there stand the headers."""
    return dice.randrange(min(len(data), dice.choice((32, 512, len(data)))))


def _byte(data: bytes, dice: Random) -> bytes:
    at = _place(data, dice)
    return data[:at] + bytes([dice.randrange(256)]) + data[at + 1 :]


def _number(data: bytes, dice: Random) -> bytes:
    at, width = _place(data, dice), dice.choice((1, 2, 4, 8))
    value = dice.choice(NUMBERS) % (1 << 8 * width)
    raw = value.to_bytes(width, dice.choice(("big", "little")))
    return data[:at] + raw + data[at + width :]


def _length(data: bytes, dice: Random) -> bytes:
    """Change the four bytes before or after something that looks like a chunk's name."""
    names = [match.start() for match in _NAME.finditer(data)]
    if not names:
        return _number(data, dice)
    at = dice.choice(names) + dice.choice((-4, 4))
    if at < 0:
        return data
    value = dice.choice((*NUMBERS, len(data), dice.randrange(256)))
    return data[:at] + struct.pack(">I", value) + data[at + 4 :]


def _name(data: bytes, dice: Random) -> bytes:
    """Put the name of one chunk over another."""
    names = [(match.start(), match[0]) for match in _NAME.finditer(data)]
    if not names:
        return data
    at, name = dice.choice(names)[0], dice.choice(names)[1]
    return data[:at] + name + data[at + 4 :]


def _cut(data: bytes, dice: Random) -> bytes:
    return data[: _place(data, dice)]


def _drop(data: bytes, dice: Random) -> bytes:
    at = _place(data, dice)
    return data[:at] + data[at + dice.randint(1, 64) :]


def _repeat(data: bytes, dice: Random) -> bytes:
    at = _place(data, dice)
    return data[:at] + data[at : at + dice.randint(1, 256)] * dice.choice((2, 3, 50)) + data[at:]


def _noise(data: bytes, dice: Random) -> bytes:
    at, length = _place(data, dice), dice.randint(1, 64)
    return data[:at] + dice.randbytes(length) + data[at + length :]


_FILE_FAULTS: tuple[Callable[[bytes, Random], bytes], ...] = (
    *(_byte, _number, _number, _length, _length, _name, _cut, _drop, _repeat, _noise),
)


def _checked(data: bytes) -> bytes:
    """Put right the checksums of a PNG's chunks, so that what is in them is looked at."""
    if not data.startswith(b"\x89PNG\r\n\x1a\n"):
        return data
    out, at = bytearray(data[:8]), 8
    while at + 12 <= len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        body = data[at + 4 : at + 8 + length]
        out += data[at : at + 4] + body + struct.pack(">I", zlib.crc32(body))
        at += 12 + length
    return bytes(out) + data[at:]
