"""The art pack: small pictures of animals and things, shown in the scene's light."""

import io
import json
import lzma
import re
from functools import cache
from importlib.resources import files

import resvg_py
from PIL import Image

from ferrotype.engines.illustrator.drawing import Drawing
from ferrotype.engines.illustrator.light import mix
from ferrotype.engines.illustrator.words import table

COLOUR = re.compile(r"#[0-9A-Fa-f]{6}\b|#[0-9A-Fa-f]{3}\b")


@cache
def pack() -> dict[str, str]:
    """Return the pack and our own shapes: SVG bodies in a 32 by 32 box, by name."""
    raw = (files("ferrotype.engines.illustrator") / "pack" / "art.json.xz").read_bytes()
    art: dict[str, str] = json.loads(lzma.decompress(raw)) | table("shapes")
    return art | {name: art[picture] for name, picture in table("props")["art"].items()}


def has(name: str) -> bool:
    """Say whether the pack shows this."""
    return name in pack()


@cache
def tints() -> dict[str, str]:
    """Return the dyes of what shares its picture with another thing."""
    tints: dict[str, str] = table("props")["tint"]
    return tints


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


@cache
def sole(name: str) -> float:
    """Return where a picture's feet end, in its 32 by 32 box, beside which furniture may reach."""
    frame = 'xmlns="http://www.w3.org/2000/svg" width="384" height="384" viewBox="-32 -32 96 96"'
    svg = f"<svg {frame}>{plain(name)}</svg>"
    png = resvg_py.svg_to_bytes(svg_string=svg, skip_system_fonts=True)
    with Image.open(io.BytesIO(png), formats=("PNG",)) as shown:
        box = shown.getchannel("A").point([255 * (v > 127) for v in range(256)]).getbbox()
    return box[3] / 4 - 32 if box else 32.0


def ware(
    drawing: Drawing, name: str, x: float, foot: float, high: float, dye: str | None = None
) -> None:
    """Paste a picture from the pack with its feet at `foot`, on a small shadow."""
    high = round(high, 1)

    def paint(small: Drawing) -> None:
        small.put(small.shade(0, 0, high * 0.45, high * 0.07, small.ink.shadow * 1.5))
        place(small, name, 0, 0, high, dye)

    box = (-0.7 * high, -1.1 * high, 0.7 * high, 0.2 * high)
    drawing.paste(("ware", name, high, dye), box, paint, (x, foot))


def place(
    drawing: Drawing,
    name: str,
    x: float,
    foot: float,
    high: float,
    dye: str | None = None,
    flip: bool = False,
) -> None:
    """Stand a picture with its feet at `foot`, its middle at x, `high` pixels high."""
    symbol, scale = sprite(drawing, name, dye or tints().get(name)), high / 30
    sx = -scale if flip else scale
    move = (
        f"translate({x - 16 * sx:.1f} {foot - sole(name) * scale:.1f}) scale({sx:.3f} {scale:.3f})"
    )
    drawing.put(f'<use href="#{symbol}" transform="{move}"/>')
