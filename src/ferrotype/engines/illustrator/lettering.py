"""Sets words in the pack's font, on pixels. Characters that the font lacks are left out."""

import io
import unicodedata
from functools import cache, lru_cache
from importlib.resources import files

from msgspec import Struct
from PIL import Image, ImageDraw, ImageFont

FONT = files("ferrotype.engines.illustrator") / "pack" / "kai.ttf"


class Line(Struct, frozen=True, kw_only=True):
    """One line of words, centred on (x, y), as large as fits `width` and `height` pixels."""

    text: str
    x: float
    y: float
    width: float
    height: float
    colour: str
    shadow: str | None = None
    bold: float = 0.0
    spacing: float = 0.0
    level: float = 0.0  # height of the face, to set several lines on even baselines


@cache
def face() -> bytes:
    """Return the font file's bytes, read once a process."""
    return FONT.read_bytes()


@lru_cache(maxsize=64)
def font(size: int) -> ImageFont.FreeTypeFont:
    """Return the pack's font at a size in pixels."""
    return ImageFont.truetype(io.BytesIO(face()), size, layout_engine=ImageFont.Layout.BASIC)


@cache
def has_glyph(character: str) -> bool:
    """Say whether the font can set this character."""
    if character == " ":
        return True
    if unicodedata.category(character)[0] in "CZM":
        return False
    shape = font(24).getmask
    return bytes(shape(character)) != bytes(shape("\U0010fffe"))


def settable(text: str) -> str:
    """Keep what the font can set, with runs of blanks made one."""
    plain = "".join(" " if c.isspace() else c for c in text)
    return " ".join("".join(c for c in plain if has_glyph(c)).split())


def width_of(text: str, size: int, spacing: float = 0.0) -> float:
    """Return the width of a line in pixels."""
    return font(size).getlength(text) + spacing * size * max(0, len(text) - 1)


def fit(text: str, width: float, height: float, spacing: float = 0.0) -> int:
    """Return the largest font size at which the text fits the box."""
    size = max(6, int(height))
    wide = width_of(text, size, spacing)
    return size if wide <= width else max(6, int(size * width / wide))


def letter(picture: Image.Image, line: Line) -> None:
    """Draw a line on the picture, centred by the ink of its capitals rather than by its box."""
    text = settable(line.text)
    if not text:
        return
    size = fit(text, line.width, line.height, line.spacing)
    type_, pen = font(size), ImageDraw.Draw(picture)
    top, bottom = (type_.getbbox(text)[i] for i in (1, 3))
    y = line.y - (line.level or top + bottom) / 2
    weight = round(size * line.bold)
    for dx, colour in ((max(1, size // 22), line.shadow), (0, line.colour)):
        if colour is None:
            continue
        x = line.x - width_of(text, size, line.spacing) / 2 + dx
        for character in text if line.spacing else (text,):
            pen.text((x, y + dx), character, colour, type_, stroke_width=weight)
            x += type_.getlength(character) + line.spacing * size


def stamp(picture: Image.Image, text: str) -> None:
    """Write a small mark in the lower right corner."""
    size = max(11, min(picture.size) // 44)
    wide, edge = width_of(text, size), size * 0.9
    x, y = picture.width - wide / 2 - edge, picture.height - edge - size / 2
    letter(
        picture,
        Line(text=text, x=x, y=y, width=wide + 2, height=size, colour="#ffffff", shadow="#1c1830"),
    )
