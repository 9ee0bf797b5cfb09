"""Pixels as films hold them: 8-bit luma, chroma at half size (BT.709, limited range), and alpha.

Alpha runs from 0 to 128, so that a blend stays within 16 bits. Sides are even everywhere.
"""

import math
from collections.abc import Sequence

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

Plane = NDArray[np.uint8]
Planes = tuple[Plane, Plane, Plane]


def even(side: float) -> int:
    """Return the nearest even number of pixels, at least 2."""
    return max(2, round(side / 2) * 2)


def of_picture(picture: Image.Image) -> Planes:
    """Turn a picture of even sides into planes."""
    frame = av.VideoFrame.from_ndarray(np.asarray(picture.convert("RGB")), format="rgb24")
    packed = frame.reformat(format="yuv420p", dst_colorspace="ITU709", interpolation="AREA")
    return planes_of(packed)


def frame_of(planes: Planes) -> av.VideoFrame:
    """Copy planes into a frame."""
    frame = av.VideoFrame(planes[0].shape[1], planes[0].shape[0], "yuv420p")
    for plane, pixels in zip(frame.planes, planes, strict=True):
        room = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
        room[: plane.height, : plane.width] = pixels
    return frame


def picture_of(planes: Planes) -> Image.Image:
    """Turn planes into a picture."""
    frame = frame_of(planes)
    packed = frame.reformat(format="rgb24", src_colorspace="ITU709")
    return Image.fromarray(packed.to_ndarray())


def planes_of(frame: av.VideoFrame) -> Planes:
    """Copy the planes out of a yuv420p frame."""
    y, u, v = (
        np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)[
            : plane.height, : plane.width
        ]
        for plane in frame.planes
    )
    return y.copy(), u.copy(), v.copy()


def blank(width: int, height: int) -> Planes:
    """Return black planes."""
    half = (height // 2, width // 2)
    return (
        np.full((height, width), 16, np.uint8),
        np.full(half, 128, np.uint8),
        np.full(half, 128, np.uint8),
    )


def blend(dest: Plane, source: Plane | int, alpha: Plane | int) -> None:
    """Lay a source over a plane, in place."""
    step = np.subtract(source, dest, dtype=np.int16)
    np.multiply(step, alpha, out=step, casting="unsafe")
    np.right_shift(step, 7, out=step)
    np.add(dest, step, out=dest, casting="unsafe")


def window(planes: Planes, box: tuple[float, float, float, float], size: tuple[int, int]) -> Planes:
    """Return a part of a picture (left, top, right, bottom; fractions count) at a size."""
    w, h = size
    if box == (0, 0, w, h) and planes[0].shape == (h, w):
        return planes
    made = []
    for plane, k in zip(planes, (1, 2, 2), strict=True):
        high, wide = plane.shape
        left, top, right, bottom = (edge / k for edge in box)
        edges = max(0.0, left), max(0.0, top), min(wide, right), min(high, bottom)
        part = Image.fromarray(plane).resize((w // k, h // k), Image.Resampling.BILINEAR, edges)
        made.append(np.asarray(part))
    return made[0], made[1], made[2]


def colours(picture: Image.Image) -> tuple[Image.Image, Image.Image]:
    """Return an RGBA picture's colours whole and halved, spread outwards beyond its edges."""
    soft = picture.convert("RGBa")
    halves = [soft.reduce(k).convert("RGBA") for k in (2, 4, 16)]
    under = halves[2].convert("RGB")
    for part in (halves[1], halves[0], picture):
        under = under.resize(part.size, Image.Resampling.NEAREST)
        whole = part.getchannel("A").point(lambda a: 255 if a else 0)
        under.paste(part.convert("RGB"), (0, 0), whole)
        if part is halves[0]:
            half = under.copy()
    return under, half


class Layer:
    """A cut-out of an RGBA picture: planes, alpha, and where it lies. Moves by quarter pixels."""

    def __init__(self, picture: Image.Image, pad: int = 2) -> None:
        box = picture.getbbox() or (0, 0, 2, 2)
        left, top = max(0, box[0] - pad) // 2 * 2, max(0, box[1] - pad) // 2 * 2
        wide = even(min(picture.width, box[2] + pad + 1) - left)
        high = even(min(picture.height, box[3] + pad + 1) - top)
        self.x, self.y, self.size = left, top, (wide, high)
        whole, half = colours(picture.crop((left, top, left + wide, top + high)))
        alpha = picture.crop((left, top, left + wide, top + high)).getchannel("A")
        chroma = of_picture(half.resize(self.size, Image.Resampling.NEAREST))
        self.planes: Planes = (of_picture(whole)[0], chroma[1], chroma[2])
        thin = [alpha.point(lambda a: (a * 128 + 127) // 255), alpha.reduce(2)]
        thin[1] = thin[1].point(lambda a: (a * 128 + 127) // 255)
        self.alphas = [np.asarray(thin[0]), np.asarray(thin[1])]
        full = self.alphas[0].min(axis=1) == 128
        self.solid = int(np.argmax(~full[::-1])) if not full.all() else high
        self.shifted: dict[tuple[int, int], tuple[Plane, Plane]] = {}

    def part(self, index: int, eighths: int) -> tuple[Plane, Plane]:
        """Return plane and alpha shifted left by a part of a pixel, kept for the next frame."""
        if (index, eighths) not in self.shifted:
            pair = self.planes[index], self.alphas[min(index, 1)]
            self.shifted[index, eighths] = (shift(pair[0], eighths), shift(pair[1], eighths))
        return self.shifted[index, eighths]

    def onto(self, canvas: Planes, x: float, y: int = 0, strength: int = 128) -> None:
        """Lay the layer over a canvas whose left upper corner is at (x, y) of the drawing."""
        quarters = round((self.x - x) * 4)
        across, rest = -(-quarters // 8), -quarters % 8
        down = (self.y - y) // 2 * 2
        for index, dest in enumerate(canvas):
            k = 1 if index == 0 else 2
            more, eighths = (rest // 4, rest % 4 * 2) if index == 0 else (0, rest)
            plane, alpha = self.part(index, eighths)
            put(dest, plane, alpha, (across * 2 // k - more, down // k), self.solid // k, strength)


def put(
    dest: Plane,
    plane: Plane,
    alpha: Plane,
    at: tuple[int, int],
    solid: int = 0,
    strength: int = 128,
) -> None:
    """Blend a plane at a place, clipped; the lowest `solid` rows are opaque and merely copied."""
    x, y = at
    high, wide = plane.shape
    x1, x2 = max(0, x), min(dest.shape[1], x + wide)
    y1, y2 = max(0, y), min(dest.shape[0], y + high)
    if x1 >= x2 or y1 >= y2:
        return
    edge = min(y2, max(y1, y + high - solid)) if strength == 128 else y2
    across = slice(x1 - x, x2 - x)
    if y1 < edge:
        veil = alpha[y1 - y : edge - y, across]
        if strength != 128:
            veil = (veil.astype(np.uint16) * strength >> 7).astype(np.uint8)
        blend(dest[y1:edge, x1:x2], plane[y1 - y : edge - y, across], veil)
    dest[edge:y2, x1:x2] = plane[edge - y : y2 - y, across]


def shift(plane: Plane, eighths: int) -> Plane:
    """Return a plane moved left by eighths of its own pixel."""
    if not eighths:
        return plane
    moved = plane.astype(np.uint16)
    moved[:, :-1] = (moved[:, :-1] * (8 - eighths) + moved[:, 1:] * eighths + 4) >> 3
    return moved.astype(np.uint8)


class Sprite:
    """A small layer that turns, stretches and moves freely about a point of its own."""

    def __init__(self, picture: Image.Image, anchor: tuple[float, float]) -> None:
        layer = Layer(picture, pad=4)
        self.size = layer.size
        self.anchor = (anchor[0] - layer.x, anchor[1] - layer.y)
        self.whole = [Image.fromarray(plane) for plane in layer.planes]
        self.alphas = [Image.fromarray(alpha) for alpha in layer.alphas]

    def onto(
        self, canvas: Planes, x: float, y: float, stretch: tuple[float, float] = (1, 1),
        turn: float = 0.0, strength: int = 128,
    ) -> None:  # fmt: skip
        """Draw with the anchor at (x, y) of the canvas, turned clockwise by radians."""
        sx, sy, (ax, ay) = *stretch, self.anchor
        cos, sin = math.cos(turn), math.sin(turn)
        ends = [
            ((a - ax) * sx, (b - ay) * sy) for a in (0, self.size[0]) for b in (0, self.size[1])
        ]
        corners = [(x + a * cos - b * sin, y + a * sin + b * cos) for a, b in ends]
        left, top = (math.floor(min(c[i] for c in corners) / 2) * 2 for i in (0, 1))
        wide, high = (even(max(c[i] for c in corners) - (left, top)[i] + 2) for i in (0, 1))
        a, b, d, e = cos / sx, sin / sx, -sin / sy, cos / sy
        c, f = ax - a * (x - left) - b * (y - top), ay - d * (x - left) - e * (y - top)
        for index, dest in enumerate(canvas):
            k = 1 if index == 0 else 2
            matrix: Sequence[float] = (a, b, c / k, d, e, f / k)
            plane, alpha = (
                np.asarray(
                    image.transform(
                        (wide // k, high // k),
                        Image.Transform.AFFINE,
                        matrix,
                        Image.Resampling.BILINEAR,
                    )
                )
                for image in (self.whole[index], self.alphas[min(index, 1)])
            )
            put(dest, plane, alpha, (left // k, top // k), 0, strength)
