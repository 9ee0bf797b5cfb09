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
from ferrotype.engines.illustrator.light import mix, rgb
from ferrotype.engines.illustrator.words import table

SHINING = ("fire", "light-bulb", "red-paper-lantern")  # whatever the hour
WHOLE = ("duck", "goose", "swan", "chicken", "cow", "ewe", "ram")  # dyed from head to tail
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


def full(tone: str) -> str:
    """Return a colour of six digits."""
    return tone if len(tone) == 7 else "#" + "".join(c * 2 for c in tone[1:])


def chroma(tone: str) -> float:
    """Return how far a colour is from grey, from 0 to 1."""
    return (max(rgb(tone)) - min(rgb(tone))) / 255


def brightness(tone: str) -> float:
    """Return how bright a colour looks, from 0 to 1."""
    red, green, blue = rgb(tone)
    return (0.3 * red + 0.59 * green + 0.11 * blue) / 255


@cache
def body(name: str) -> tuple[float, float]:
    """Return the chroma and the brightness that most of a picture has."""
    tones = [full(tone) for tone in COLOUR.findall(pack()[name])]
    strong = sorted((chroma(tone) for tone in tones), reverse=True)
    least = 0.0 if name in WHOLE else strong[len(strong) // 3] * 0.6
    bright = [brightness(tone) for tone in tones if chroma(tone) >= least]
    return least, sum(bright) / len(bright)


def dyed(name: str, tone: str, dye: str) -> str:
    """Give a tone of a picture another colour; what is grey beside its body stays."""
    least, middle = body(name)
    light = brightness(dye) + (brightness(tone) - middle) * 0.8
    new = mix(dye, "#ffffff", max(0.0, light - brightness(dye)))
    new = mix(new, "#1c1830", max(0.0, brightness(dye) - light) * 1.1)
    return mix(tone, new, 0.9 if chroma(tone) >= least else 0.12)


def sprite(drawing: Drawing, name: str, dye: str | None = None) -> str:
    """Define a picture in the scene's light, dyed if a colour is given; return its symbol."""

    def lit(match: re.Match[str]) -> str:
        tone = full(match[0])
        if name in SHINING:
            return tone
        return drawing.ink(dyed(name, tone, dye) if dye else tone)

    mark = f"{name}{dye or ''}".replace("#", "")
    return drawing.symbol(COLOUR.sub(lit, pack()[name]).replace("@", f"{mark}-"))


@cache
def laid(name: str) -> str:
    """Return the transform that lays down what cannot stand, about the middle of its box."""
    turn, flat = table("props")["lie"].get(name, (0, 1))
    return (
        f"translate(16 16) scale(1 {flat}) rotate({turn}) translate(-16 -16)"
        if turn or flat < 1
        else ""
    )


@cache
def sole(name: str, lay: str = "") -> float:
    """Return where a picture's feet end, in its 32 by 32 box, beside which furniture may reach."""
    frame = 'xmlns="http://www.w3.org/2000/svg" width="384" height="384" viewBox="-32 -32 96 96"'
    svg = f'<svg {frame}><g transform="{lay}">{pack()[name]}</g></svg>'
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
    lie: bool = False,
) -> None:
    """Stand a picture with its feet at `foot`, its middle at x, `high` pixels high; or lay it."""
    lay = laid(name) if lie else ""
    symbol, scale = sprite(drawing, name, dye or tints().get(name)), high / 30
    sx = -scale if flip else scale
    left, top = x - 16 * sx, foot - sole(name, lay) * scale
    move = f"translate({left:.1f} {top:.1f}) scale({sx:.3f} {scale:.3f}) {lay}"
    drawing.put(f'<use href="#{symbol}" transform="{move}"/>')
