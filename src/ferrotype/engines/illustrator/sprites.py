"""The art pack: small pictures of animals and things, shown in the scene's light."""

import json
import lzma
import re
from functools import cache
from importlib.resources import files

from ferrotype.engines.illustrator.drawing import Drawing
from ferrotype.engines.illustrator.light import mix

COLOUR = re.compile(r"#[0-9A-Fa-f]{6}\b|#[0-9A-Fa-f]{3}\b")


@cache
def pack() -> dict[str, str]:
    """Return the pack: SVG bodies in a 32 by 32 box, by name."""
    raw = (files("ferrotype.engines.illustrator") / "pack" / "art.json.xz").read_bytes()
    art: dict[str, str] = json.loads(lzma.decompress(raw))
    return art


@cache
def plain(name: str) -> str:
    """Return a picture without its blur filters, which cost more than they show."""
    body = re.sub(r' filter="[^"]*"', "", pack()[name])
    return re.sub(r"<filter.*?</filter>", "", body)


def sprite(drawing: Drawing, name: str, dye: str | None = None, depth: float = 0.55) -> str:
    """Define a picture in the scene's light, dyed if a colour is given; return its symbol."""

    def lit(match: re.Match[str]) -> str:
        tone = match[0]
        if len(tone) == 4:
            tone = "#" + "".join(c * 2 for c in tone[1:])
        return drawing.ink(mix(tone, dye, depth) if dye else tone)

    mark = f"{name}{dye or ''}".replace("#", "")
    return drawing.symbol(COLOUR.sub(lit, plain(name)).replace("@", f"{mark}-"))


def place(
    drawing: Drawing, symbol: str, x: float, foot: float, high: float, flip: bool = False
) -> None:
    """Stand a picture with its lower edge at `foot`, its middle at x, `high` pixels high."""
    scale = high / 30
    sx = -scale if flip else scale
    move = f"translate({x - 16 * sx:.1f} {foot - 31 * scale:.1f}) scale({sx:.3f} {scale:.3f})"
    drawing.put(f'<use href="#{symbol}" transform="{move}"/>')
