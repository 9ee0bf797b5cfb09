"""Kind of field: the size of a picture."""

import math
import re
from typing import Any

from ferrotype.catalogue.kind import Kind
from ferrotype.errors import InvalidParameter

_FORM = re.compile(r"([1-9][0-9]{0,4})\*([1-9][0-9]{0,4})")


def sides(text: str) -> tuple[int, int] | None:
    """Read "W*H", or return None when the text is nothing like it."""
    found = _FORM.fullmatch(text)
    return (int(found[1]), int(found[2])) if found else None


def of_area(pixels: int, ratio: float = 1.0, step: int = 16) -> tuple[int, int]:
    """Return the sides, multiples of `step`, that come nearest to an area and a ratio W/H."""
    width = math.sqrt(pixels * ratio)
    return _snap(width, step), _snap(width / ratio, step)


def _snap(side: float, step: int) -> int:
    return max(step, round(side / step) * step)


def _ratio(value: float) -> str:
    return f"{value:g}:1" if value >= 1 else f"1:{1 / value:g}"


class Size(Kind, frozen=True, kw_only=True, tag="size"):
    """`W*H` in pixels: one of `values`, or within bounds, or the name of a tier.

    `tiers` maps a name to its area in pixels. Ratios are W/H. `follows` names the input whose
    ratio the picture takes when the caller gives no W*H; the area is then the tier's, or
    `default_pixels`.
    """

    values: tuple[str, ...] = ()
    min_pixels: int = 1
    max_pixels: int | None = None
    min_side: int = 1
    max_side: int | None = None
    min_ratio: float = 0.0
    max_ratio: float = math.inf
    multiple_of: int = 1
    tiers: dict[str, int] = {}
    default_pixels: int | None = None
    follows: str | None = None

    def say(self) -> str:
        """Say what a value must be."""
        return f"a size within {self.limits()}"

    def limits(self) -> str:
        """Name the sizes that are allowed, in square brackets as the vendor does."""
        if self.values:
            return str(list(self.values))
        parts = [*self.tiers, "W*H"]
        if self.max_side:
            parts.append(f"sides {self.min_side} to {self.max_side}")
        if self.max_pixels:
            least = f"{self.min_pixels} to " if self.min_pixels > 1 else "at most "
            parts.append(f"{least}{self.max_pixels} pixels")
        if self.min_ratio:
            parts.append(f"ratio {_ratio(self.min_ratio)} to {_ratio(self.max_ratio)}")
        if self.multiple_of > 1:
            parts.append(f"multiples of {self.multiple_of}")
        return f"[{', '.join(parts)}]"

    def read(self, value: Any, where: str) -> tuple[int, int]:
        """Return (width, height)."""
        if not isinstance(value, str):
            self.refuse(where)
        if value in self.tiers:
            return of_area(self.tiers[value], step=max(16, self.multiple_of))
        size = sides(value)
        if size is None or not self.fits(value, *size):
            raise InvalidParameter(f"The size is not match the allowed size {self.limits()}")
        return size

    def fits(self, text: str, width: int, height: int) -> bool:
        """Tell whether a size is allowed."""
        if self.values:
            return text in self.values
        pixels = width * height
        return (
            self.min_pixels <= pixels
            and (self.max_pixels is None or pixels <= self.max_pixels)
            and self.min_side <= min(width, height)
            and (self.max_side is None or max(width, height) <= self.max_side)
            and self.min_ratio <= width / height <= self.max_ratio
            and width % self.multiple_of == height % self.multiple_of == 0
        )
