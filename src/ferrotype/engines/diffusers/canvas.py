"""Sizes and frame counts: what a pipeline can draw, and how that becomes what was asked."""

import math

from msgspec import Struct
from PIL import Image

LONGEST_RATIO = 8.0


class Canvas(Struct, frozen=True):
    """What was asked and what is drawn for it, as (width, height) in pixels.

    Drawn is never smaller in ratio: it is enlarged where it must be, and its edges are cut off.
    """

    asked: tuple[int, int]
    drawn: tuple[int, int]

    @property
    def same(self) -> bool:
        """Whether the pipeline draws exactly what was asked."""
        return self.asked == self.drawn

    @property
    def middle(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """Return the size to scale what was drawn to, and where the asked part begins in it."""
        (w, h), (wide, high) = self.asked, self.drawn
        scale = max(w / wide, h / high) if wide < w or high < h else 1.0
        scaled = max(w, round(wide * scale)), max(h, round(high * scale))
        return scaled, ((scaled[0] - w) // 2, (scaled[1] - h) // 2)

    def finish(self, picture: Image.Image) -> Image.Image:
        """Bring a drawn picture to the size asked for."""
        if picture.size == self.asked:
            return picture
        scaled, (left, top) = Canvas(self.asked, picture.size).middle
        if scaled != picture.size:
            picture = picture.resize(scaled, Image.Resampling.LANCZOS)
        return picture.crop((left, top, left + self.asked[0], top + self.asked[1]))


def canvas_for(asked: tuple[int, int], multiple: int, max_pixels: int | None = None) -> Canvas:
    """Choose what to draw: sides in multiples of `multiple`, about the asked ratio."""
    w, h = asked
    scale = min(1.0, math.sqrt(max_pixels / (w * h))) if max_pixels else 1.0
    return Canvas(asked, (_up(w * scale, multiple), _up(h * scale, multiple)))


def _up(side: float, multiple: int) -> int:
    return max(1, math.ceil(side / multiple - 1e-6)) * multiple


def in_ratio(area: tuple[int, int], of: tuple[int, int], multiple: int) -> tuple[int, int]:
    """Return sides of about the same area in the ratio of something else."""
    ratio = min(LONGEST_RATIO, max(1 / LONGEST_RATIO, of[0] / of[1]))
    wide = math.sqrt(area[0] * area[1] * ratio)
    return _nearest(wide, multiple), _nearest(wide / ratio, multiple)


def _nearest(side: float, multiple: int) -> int:
    return max(1, round(side / multiple)) * multiple


def frames_for(count: int, step: int) -> int:
    """Return the next number of frames that a pipeline draws: k * step + 1."""
    return math.ceil((count - 1) / step) * step + 1


def chosen(drawn: int, count: int, pace: float, *, to_the_end: bool) -> list[int]:
    """Say which of the drawn frames a film of `count` frames shows.

    `pace`: drawn frames a shown frame. `to_the_end`: the last drawn is the last shown.
    """
    if to_the_end and count > 1:
        pace = (drawn - 1) / (count - 1)
    return [min(drawn - 1, round(k * pace)) for k in range(count)]
