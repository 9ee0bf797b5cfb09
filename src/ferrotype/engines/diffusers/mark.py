"""The words that say who made it, in the lower right corner."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

TEXT = "AI generated"
Pixels = NDArray[np.uint8]


def stamp(picture: Pixels) -> None:
    """Write the mark onto pixels (height, width, 3), in place."""
    high, wide = picture.shape[:2]
    colour, cover = _patch(max(9, min(high, wide) // 36))
    h, w = min(high, cover.shape[0]), min(wide, cover.shape[1])
    own = picture[high - h :, wide - w :]
    part = cover[-h:, -w:, None]
    own[:] = (own * (1 - part) + colour[-h:, -w:, None] * part).round().astype(np.uint8)


@lru_cache(maxsize=16)
def _patch(size: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the mark's brightness and cover: white letters with a dark edge."""
    font = ImageFont.load_default(size)
    left, top, right, bottom = font.getbbox(TEXT, stroke_width=1)
    edge = size // 2
    sheet = Image.new("LA", (int(right - left) + edge + 1, int(bottom - top) + edge + 1))
    pen = ImageDraw.Draw(sheet)
    pen.text((-left, -top), TEXT, font=font, fill=(255, 255), stroke_width=1, stroke_fill=(24, 255))
    both = np.asarray(sheet, dtype=np.float32)
    return both[..., 0], both[..., 1] / np.float32(255)
