"""What a task took in and made, in the measures of which the wire's `usage` is put together."""

import math
from collections.abc import Mapping, Sequence
from typing import Literal

from ferrotype.media import File, Produced
from ferrotype.task import Order

Measure = Literal[
    "made",
    "size",
    "width",
    "height",
    "output_tier",
    "inputs",
    "input_tier",
    "characters",
    "seconds",
    "input_seconds",
    "all_seconds",
    "resolution",
    "ratio",
    "sound",
    "standard",
]
TWO_K = 2_250_000  # pixels above which a picture counts as 2k
RATIOS = ("16:9", "9:16", "4:3", "3:4", "1:1")
NEAR = 0.03  # how far from its ratio a size may be: 832*480 counts as 16:9
TIERS = {399_360: 480, 921_600: 720, 2_073_600: 1080}  # nearest area -> lines


class Scale:
    """Measures what one task took in and made."""

    def __init__(
        self,
        order: Order,
        outputs: Sequence[Produced],
        inputs: Mapping[str, Sequence[File]],
    ) -> None:
        self.order = order
        self.made = [output for output in outputs if output.code is None]
        self.files = [file for files in inputs.values() for file in files]
        first = self.made[0] if self.made else None
        self.width, self.height = (first.width, first.height) if first else order.size

    def read(self, what: Measure) -> int | float | str | bool:
        """Return one measure: counts, pixels, seconds (whole ones as integers)."""
        match what:
            case "made":
                return len(self.made)
            case "size":
                return f"{self.width}*{self.height}"
            case "width":
                return self.width
            case "height":
                return self.height
            case "output_tier":
                return f"qima_output_{_tier(self.width * self.height)}"
            case "inputs":
                return len(self.files)
            case "input_tier":
                most = max((file.width * file.height for file in self.files), default=0)
                return f"qima_input_{_tier(most)}"
            case "characters":
                return len(self.order.prompt)
            case "resolution" | "ratio" | "sound" | "standard":
                return self._asked(what)
        return self._seconds(what)

    def _seconds(self, what: Literal["seconds", "input_seconds", "all_seconds"]) -> int | float:
        films = [file for file in self.files if file.type.startswith("video/")]
        made = round(sum(output.seconds for output in self.made), 2)
        given = round(sum(file.seconds for file in films), 2)  # rounded first: the sum must be true
        seconds = {"seconds": made, "input_seconds": given, "all_seconds": made + given}[what]
        rounded = round(seconds, 2)
        return int(rounded) if rounded == int(rounded) else rounded

    def _asked(self, what: Literal["resolution", "ratio", "sound", "standard"]) -> int | str | bool:
        if what == "standard":
            return what
        if what == "sound":
            return bool(self.order.fields.get("sound"))
        if what == "ratio":
            ratio = str(self.order.fields.get("ratio") or "")
            if ":" in ratio and "size_follows" not in self.order.fields:
                return ratio
            return self._shape()
        asked = str(self.order.fields.get("resolution") or "")
        if asked.endswith("P"):
            return int(asked[:-1])
        area = self.width * self.height
        return TIERS[min(TIERS, key=lambda tier: abs(tier - area))]

    def _shape(self) -> str:
        """Return the ratio by the name that is used for it, else in lowest terms."""
        for name in RATIOS:
            wide, high = (int(part) for part in name.split(":"))
            if abs(self.width * high / (self.height * wide) - 1) < NEAR:
                return name
        part = math.gcd(self.width, self.height)
        return f"{self.width // part}:{self.height // part}"


def _tier(pixels: int) -> str:
    return "2k" if pixels > TWO_K else "1k"
