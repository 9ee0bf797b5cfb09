"""Cut-outs: what is drawn once, kept as pixels, and pasted as often as pictures show it."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from functools import cache

import numpy as np
from msgspec import Struct
from PIL import Image

from ferrotype.engines.illustrator.light import rgb

STRIP = 256  # rows laid at once: Pillow copies three times what it lays
Stops = tuple[tuple[float, str, float], ...]


class Pasted(Struct, frozen=True):
    """RGBA pixels and where their top left corner lies in the picture (it may lie outside)."""

    pixels: Image.Image
    x: int
    y: int

    def onto(self, canvas: Image.Image) -> None:
        """Lay the pixels over an RGBA canvas, as far as they fall on it."""
        left, top = max(0, -self.x), max(0, -self.y)
        right = min(self.pixels.width, canvas.width - self.x)
        bottom = min(self.pixels.height, canvas.height - self.y)
        if left < right:
            for y in range(top, bottom, STRIP):
                box = (left, y, right, min(bottom, y + STRIP))
                canvas.alpha_composite(self.pixels, (self.x + left, self.y + y), box)


class Drawer:
    """Keeps the cut-outs used last, up to `room` bytes. A mark says all that its pixels go by."""

    def __init__(self, room: int) -> None:
        self.room, self.used = room, 0
        self.kept: OrderedDict[Hashable, Image.Image] = OrderedDict()
        self.lock = threading.Lock()

    def take(self, mark: Hashable, draw: Callable[[], Image.Image]) -> Image.Image:
        """Return the cut-out of this mark; `draw` makes it where it is not kept."""
        with self.lock:
            if mark in self.kept:
                self.kept.move_to_end(mark)
                return self.kept[mark]
        made = draw()  # unlocked: it may take smaller cut-outs for itself
        with self.lock:
            if mark not in self.kept:
                self.kept[mark] = made
                self.used += size_of(made)
            while self.used > self.room:
                self.used -= size_of(self.kept.popitem(last=False)[1])
        return made


def size_of(pixels: Image.Image) -> int:
    """Return the bytes of an RGBA picture."""
    return pixels.width * pixels.height * 4


DRAWER = Drawer(room=48 << 20)


@cache
def falloff() -> Image.Image:
    """Return the shape of every soft light: full in the middle, gone at the edge."""
    x = np.linspace(-1, 1, 256)
    near = np.clip(1 - np.hypot(x[None, :], x[:, None]), 0, 1)
    return Image.fromarray((255 * near**2.2).astype(np.uint8))


def halo(
    rx: float, ry: float, colour: str, power: float, seen: tuple[int, int, int, int] | None = None
) -> Image.Image:
    """Return a soft light, `rx` and `ry` its reach in pixels; `power` its strength inside.

    `seen` is the part of it to return: left, top, right, bottom in its pixels.
    """
    whole = (max(2, round(2 * rx)), max(2, round(2 * ry)))
    part = seen or (0, 0, *whole)
    size = (part[2] - part[0], part[3] - part[1])
    kx, ky = 256 / whole[0], 256 / whole[1]
    box = (part[0] * kx, part[1] * ky, part[2] * kx, part[3] * ky)
    red, green, blue = rgb(colour)
    light = Image.new("RGBA", size, (int(red), int(green), int(blue), 0))
    alpha = falloff().resize(size, Image.Resampling.BILINEAR, box)
    light.putalpha(alpha.point([round(v * power) for v in range(256)]))
    return light


def gradient(w: int, h: int, steps: Stops) -> Image.Image:
    """Return an opaque downward gradient."""
    at = (np.arange(h) + 0.5) / h
    places, tones = [step[0] for step in steps], [rgb(step[1]) for step in steps]
    column = np.stack([np.interp(at, places, [tone[i] for tone in tones]) for i in range(3)], 1)
    sheet = Image.fromarray(column.round().astype(np.uint8)[:, None, :])
    return sheet.resize((w, h), Image.Resampling.NEAREST).convert("RGBA")
