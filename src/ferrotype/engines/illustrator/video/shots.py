"""Shots: each draws any moment of a film onto a canvas. Times run from 0 to 1."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter, ImageOps

from ferrotype.engines.illustrator import styles
from ferrotype.engines.illustrator.edits.instruction import read
from ferrotype.engines.illustrator.scene import Scene
from ferrotype.engines.illustrator.video.camera import Move, ease
from ferrotype.engines.illustrator.video.planes import (
    Layer,
    Plane,
    Planes,
    blank,
    blend,
    even,
    of_picture,
    picture_of,
    planes_of,
    window,
)
from ferrotype.engines.illustrator.video.scenery import Actor, Backdrop, Flyer, Part

Size = tuple[int, int]
PAINTED = 290_000  # pixels: a clip's pictures are painted at most at this area


class Shot(Protocol):
    """Draws the frame at a part `t` (0 to 1) and a time in seconds over the whole canvas."""

    def onto(self, canvas: Planes, t: float, seconds: float) -> None:
        """Draw one frame."""


def fill(canvas: Planes, planes: Planes) -> None:
    """Copy a picture of the canvas's size onto it."""
    for dest, source in zip(canvas, planes, strict=True):
        dest[:] = source


def size_of(planes: Planes) -> Size:
    """Return width and height."""
    return planes[0].shape[1], planes[0].shape[0]


class Still:
    """A camera over one picture, with a light that may flicker: the picture without and with it."""

    def __init__(self, picture: Planes, move: Move, dim: Planes | None = None) -> None:
        self.picture, self.move, self.dim = picture, move, dim

    def onto(self, canvas: Planes, t: float, seconds: float) -> None:
        """Draw one frame."""
        shown = self.picture
        if self.dim is not None:
            flicker = 0.8 + 0.12 * np.sin(seconds * 5.1) + 0.08 * np.sin(seconds * 12.7 + 1)
            luma = self.dim[0].copy()
            blend(luma, shown[0], round(128 * float(flicker)))
            shown = (luma, shown[1], shown[2])
        fill(canvas, window(shown, self.move.box(t, size_of(shown)), size_of(canvas)))


class Day:
    """Hours of one scene that pass into each other."""

    def __init__(self, hours: list[Planes]) -> None:
        self.hours = hours

    def onto(self, canvas: Planes, t: float, seconds: float) -> None:
        """Draw one frame."""
        at = ease(t) * (len(self.hours) - 1)
        k = min(int(at), len(self.hours) - 2)
        for dest, one, other in zip(canvas, self.hours[k], self.hours[k + 1], strict=True):
            dest[:] = one
            blend(dest, other, round(128 * ease(at - k)))


class Scenery:
    """A drawn scene in layers: the nearer, the faster they pass the camera."""

    def __init__(self, parts: list[Part], size: Size, move: Move, gait: str, length: float) -> None:
        self.parts, self.size, self.move, self.gait, self.length = parts, size, move, gait, length
        self.zooms = move.zoom != (1.0, 1.0) and move.x == (0.0, 0.0)

    def onto(self, canvas: Planes, t: float, seconds: float) -> None:
        """Draw one frame."""
        w, h = size_of(canvas)
        slack = self.size[0] - w
        across = self.move.x[0] + (self.move.x[1] - self.move.x[0]) * ease(t)
        for part in self.parts:
            if isinstance(part, Backdrop):
                self.lay(canvas, part, slack, across, t, seconds)
            elif isinstance(part, Actor):
                left = slack / 2 * (1 + across * 0.6)
                part.onto(canvas, left, seconds, self.length, self.gait)
            elif isinstance(part, Flyer):
                part.onto(canvas, slack / 2 * (1 + across * 0.4), seconds)
        if self.zooms:
            fill(canvas, window(canvas, self.move.box(t, (w, h)), (w, h)))

    def lay(
        self, canvas: Planes, part: Backdrop, slack: float, across: float, t: float, seconds: float
    ) -> None:
        """Lay one layer where the camera and its own motion have it."""
        x = slack / 2 * (1 + across * part.depth)
        if part.motion == "clouds":
            x += min(slack * 0.3, 14 * self.length) * (t - 0.5)
        elif part.motion == "boats":
            x += slack * 0.06 * float(np.sin(seconds * 0.8))
        part.layer.onto(canvas, x)
        if part.motion == "water":
            shimmer(canvas, part.layer, seconds)


def shimmer(canvas: Planes, layer: Layer, seconds: float) -> None:
    """Let water tremble: rows slide sideways by a pixel or few, more towards the viewer."""
    top, bottom = layer.y + 2, min(layer.y + layer.size[1], canvas[0].shape[0])
    reach = canvas[0].shape[1] / 500
    for index, plane in enumerate(canvas):
        k = 1 if index == 0 else 2
        rows = np.arange(top // k, bottom // k)
        near = (rows * k - top) / max(1, bottom - top)
        wave = np.sin(seconds * 2.6 + rows * k / (3 + 14 * near) * 720 / canvas[0].shape[0])
        steps = np.round(wave * reach * (0.15 + near) / k).astype(int)
        for row, step in zip(rows.tolist(), steps.tolist(), strict=True):
            if step > 0:
                plane[row, step:] = plane[row, :-step].copy()
            elif step < 0:
                plane[row, :step] = plane[row, -step:].copy()


class Crossing:
    """From one picture to another: each begins or ends whole; between, a soft edge or a zoom."""

    def __init__(self, first: Planes, last: Planes, way: str, seed: int) -> None:
        self.first, self.last, self.way = first, last, way
        self.ramp = ramp(size_of(first), way, seed)

    def onto(self, canvas: Planes, t: float, seconds: float) -> None:
        """Draw one frame."""
        size, start, stop = size_of(canvas), 0.3, 0.7
        part = min(1.0, max(0.0, (t - start) / (stop - start)))
        deep = 1.45 if self.way == "zoom" else 1.0
        before, after = 1 + 0.1 * ease(t / stop), 1 + 0.1 * ease((1 - t) / (1 - start))
        before *= 1 + (deep - 1) * part**2
        after *= 1 + (deep - 1) * (1 - part) ** 2
        fill(
            canvas,
            window(
                self.first if part < 1 else self.last,
                centred(size, before if part < 1 else after),
                size,
            ),
        )
        if 0 < part < 1:
            other = window(self.last, centred(size, after), size)
            level = round(-128 + part * (1023 + 256))
            for dest, source, edge in zip(
                canvas, other, (self.ramp[0], *self.ramp[1:] * 2), strict=True
            ):
                blend(dest, source, np.clip(level - edge, 0, 128).astype(np.uint8))


def ramp(size: Size, way: str, seed: int) -> tuple[NDArray[np.int16], NDArray[np.int16]]:
    """Return when each pixel changes, 0 to 1023: luma and chroma. A zoom changes all alike."""
    w, h = size
    x, y = np.meshgrid(np.linspace(-1, 1, w), np.linspace(-1, 1, h))
    if way == "zoom":
        field = np.full((h, w), 0.5)
    elif way == "iris":
        field = np.hypot(x * w / max(w, h), y * h / max(w, h))
        field /= field.max()
    else:
        side = random.Random(f"{seed}:wipe").choice((-1, 1))
        field = (side * x + 0.35 * y + 1.35) / 2.7
    whole = (field * 1023).astype(np.int16)
    return whole, whole[::2, ::2]


def centred(size: Size, zoom: float) -> tuple[float, float, float, float]:
    """Return the middle of a picture that a zoom shows."""
    wide, high = size[0] / zoom, size[1] / zoom
    left, top = (size[0] - wide) / 2, (size[1] - high) / 2
    return left, top, left + wide, top + high


class Collage:
    """Prints of the caller's pictures that drift before a soft backdrop."""

    def __init__(
        self, pictures: list[Image.Image], back: Image.Image, size: Size, seed: int
    ) -> None:
        dim = back.filter(ImageFilter.GaussianBlur(min(size) / 60)).point(
            lambda v: int(v * 0.8 + 18)
        )
        self.back = of_picture(dim)
        dice, n = random.Random(f"{seed}:collage"), len(pictures)
        tall = size[1] > size[0]
        cell = (size[0] * 0.8, size[1] * 0.86 / n) if tall else (size[0] * 0.9 / n, size[1] * 0.78)
        self.prints: list[tuple[Layer, float, float]] = []
        for k, picture in enumerate(pictures):
            at = (k + 0.5) / n
            middle = (
                (size[0] / 2, size[1] * at) if tall else (size[0] * (0.04 + 0.92 * at), size[1] / 2)
            )
            sheet = mounted(picture, cell, dice.uniform(-4, 4))
            board = Image.new("RGBA", size)
            corner = round(middle[0] - sheet.width / 2), round(middle[1] - sheet.height / 2)
            board.paste(sheet, corner)
            self.prints.append(
                (Layer(board), dice.choice((-1, 1)) * size[0] * 0.014, dice.uniform(0, 6))
            )

    def onto(self, canvas: Planes, t: float, seconds: float) -> None:
        """Draw one frame: the prints arrive one after the other, then sway slowly."""
        fill(canvas, self.back)
        for k, (sheet, reach, phase) in enumerate(self.prints):
            come = ease(min(1.0, max(0.0, (seconds + 0.5 - 0.22 * k) / 0.5)))
            sheet.onto(canvas, reach * float(np.sin(seconds * 0.6 + phase)), 0, round(128 * come))


def mounted(picture: Image.Image, cell: tuple[float, float], turn: float) -> Image.Image:
    """Return a picture as a print: white border, soft shadow, a slight turn."""
    inner = ImageOps.contain(
        picture, (round(cell[0] * 0.84), round(cell[1] * 0.84)), Image.Resampling.LANCZOS
    )
    edge = max(6, round(min(inner.size) * 0.035))
    sheet = ImageOps.expand(inner.convert("RGB"), edge, "#fdfbf6").convert("RGBA")
    room = Image.new("RGBA", (sheet.width + 8 * edge, sheet.height + 8 * edge))
    room.paste(sheet, (4 * edge, 4 * edge))
    room = room.rotate(turn, Image.Resampling.BICUBIC)
    shade = (
        room.getchannel("A").point(lambda a: a * 90 // 255).filter(ImageFilter.GaussianBlur(edge))
    )
    under = Image.merge("RGBA", (*Image.new("RGB", room.size, "#15122a").split(), shade))
    under = under.transform(room.size, Image.Transform.AFFINE, (1, 0, -edge / 2, 0, 1, -edge))
    return Image.alpha_composite(under, room)


class Clip:
    """The caller's clip at the film's rate and size, toned; then its last frame, pushed in on."""

    def __init__(self, path: Path, size: Size, tone: "Tone | Painted") -> None:
        self.tone, self.size = tone, size
        self.source = av.open(str(path), format="mp4", options={"protocol_whitelist": "file"})
        self.frames = self.decoded()
        self.ahead: tuple[float, Planes] | None = next(self.frames, None)
        self.raw = self.ahead[1] if self.ahead else of_picture(Image.new("RGB", size))
        self.shown, self.toned_at = tone.onto(self.raw), 0.0
        self.over: float | None = None

    def decoded(self) -> Iterator[tuple[float, Planes]]:
        """Yield seconds and planes of each frame, cut to the film's ratio."""
        start: float | None = None
        for frame in self.source.decode(video=0):
            start = float(frame.time or 0) if start is None else start
            yield float(frame.time or 0) - start, self.fitted(frame)

    def fitted(self, frame: av.VideoFrame) -> Planes:
        """Scale a frame to cover the film, and cut what is over."""
        w, h = self.size
        scale = max(w / frame.width, h / frame.height)
        wide, high = even(max(w, frame.width * scale)), even(max(h, frame.height * scale))
        scaled = frame.reformat(
            wide, high, "yuv420p", dst_colorspace="ITU709", interpolation="BICUBIC"
        )
        x, y = (wide - w) // 4 * 2, (high - h) // 4 * 2
        cut = [
            plane[y // k : (y + h) // k, x // k : (x + w) // k]
            for plane, k in zip(planes_of(scaled), (1, 2, 2), strict=True)
        ]
        return cut[0], cut[1], cut[2]

    def onto(self, canvas: Planes, t: float, seconds: float) -> None:
        """Draw one frame; times must not go back."""
        before = self.raw
        while self.ahead and self.ahead[0] <= seconds + 1e-3:
            self.raw = self.ahead[1]
            self.ahead = next(self.frames, None)
        if self.raw is not before and seconds >= self.toned_at + self.tone.pause - 1e-3:
            self.shown, self.toned_at = self.tone.onto(self.raw), seconds
        zoom = 1.0
        if self.ahead is None:
            self.over = seconds if self.over is None else self.over
            zoom = 1 + 0.02 * (seconds - self.over)
        fill(canvas, window(self.shown, centred(self.size, zoom), self.size))


class Painted:
    """A style laid over pictures, ten a second as in films drawn by hand, the same marks in all.

    `size` is the film's; they are worked on smaller. A caller's clip is first painted in dabs.
    """

    pause = 0.1

    def __init__(self, style: str, seed: int, size: Size, dabs: bool) -> None:
        self.style, self.seed, self.size, self.dabs = style, seed, size, dabs

    def onto(self, planes: Planes) -> Planes:
        """Return the picture in this style, at the film's size."""
        small = picture_of(planes)
        if small.size != (room := painted(small.size)):
            small = small.resize(room, Image.Resampling.BOX)
        drawn = (
            styles.restyled(small, self.style, self.seed)
            if self.dabs
            else styles.apply(small, self.style, self.seed, small.size)
        )
        how = Image.Resampling.NEAREST if self.style == "pixel" else Image.Resampling.BICUBIC
        return of_picture(drawn.resize(self.size, how))


def painted(size: Size) -> Size:
    """Return the size at which pictures of a film of this size are painted."""
    scale = min(1.0, (PAINTED / (size[0] * size[1])) ** 0.5)
    return even(size[0] * scale), even(size[1] * scale)


class Animated:
    """A scene in motion, each of whose pictures is painted anew."""

    def __init__(self, scene: Shot, size: Size, paint: Painted) -> None:
        self.scene, self.paint, self.canvas = scene, paint, blank(*size)
        self.shown: tuple[float, Planes] | None = None

    def onto(self, canvas: Planes, t: float, seconds: float) -> None:
        """Draw one frame."""
        if self.shown is None or seconds >= self.shown[0] + self.paint.pause - 1e-3:
            self.scene.onto(self.canvas, t, seconds)
            self.shown = seconds, self.paint.onto(self.canvas)
        fill(canvas, self.shown[1])


class Tone:
    """A grade by the prompt's words: one table for luma, a turn and strength for chroma."""

    pause = 0.0

    def __init__(self, luma: Plane, strength: float = 1.0, shift: tuple[int, int] = (0, 0)) -> None:
        self.luma, self.strength, self.shift = luma, strength, shift

    def onto(self, planes: Planes) -> Planes:
        """Return the picture in this tone."""
        steps = np.arange(256) - 128.0
        tables = [
            np.clip(128 + steps * self.strength + s, 16, 240).astype(np.uint8) for s in self.shift
        ]
        return self.luma[planes[0]], tables[0][planes[1]], tables[1][planes[2]]


def tone_of(prompt: str, scene: Scene, seed: int, size: Size) -> Tone | Painted:
    """Choose what is laid over a clip: the style that the prompt names, else a tone by its hour."""
    wish = read(prompt)
    if wish.looks:
        return Painted(wish.looks[0], seed, size, dabs=True)
    x = np.arange(256) / 255
    moods = {*wish.moods, scene.time}
    if moods & {"night", "evening", "darker"}:
        return Tone((16 + (255 * x - 16).clip(0) * 0.6).astype(np.uint8), 0.75, (14, -6))
    if moods & {"sunset", "dawn", "warm"}:
        return Tone(curve(x, 1.08), 1.1, (-12, 12))
    if moods & {"snow", "winter", "cool"}:
        return Tone(curve(x, 0.95), 0.7, (8, -5))
    return Tone(curve(x, 1.1), 1.15, (-2, 2))


def curve(x: NDArray[np.float64], contrast: float) -> Plane:
    """Return a luma table with more or less contrast around the middle."""
    return np.clip(126 + (x * 255 - 126) * contrast, 16, 235).astype(np.uint8)
