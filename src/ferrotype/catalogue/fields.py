"""Plain kinds of fields: text, integer, number, flag, choice."""

import math
import re
from typing import Any, Literal

from ferrotype.catalogue.kind import Kind, missing

_UNWRITABLE = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]"
)
_INT = 2**31


def clean(text: str) -> str:
    """Drop the characters that no document can carry: controls, lone surrogates, noncharacters.

    They are pasting accidents, and over-long text is not refused either. Dropped here, once,
    they can trouble neither a database nor XML nor an engine.
    """
    return text if text.isprintable() else _UNWRITABLE.sub("", text)


class Text(Kind, frozen=True, kw_only=True, tag="text"):
    """Text of at most `max` characters; what is beyond is cut off, as the vendor does.

    `means`: the word of an order that it is, under a name of the model's own.
    """

    max: int = 20_000
    unit: str = "characters"
    pattern: str | None = None
    means: Literal["prompt", "negative_prompt"] | None = None

    def say(self) -> str:
        """Say what a value must be."""
        return f"text like {self.pattern}" if self.pattern else "text"

    def read(self, value: Any, where: str) -> str:
        """Return the text, cleaned and cut."""
        if not isinstance(value, str):
            self.refuse(where)
        text = clean(value)[: self.max]
        if self.required and not text.strip():
            raise missing(where)
        if self.pattern and not re.fullmatch(self.pattern, text):
            self.refuse(where)
        return text


class Integer(Kind, frozen=True, kw_only=True, tag="integer"):
    """A whole number from `min` to `max`, or one of `also`."""

    min: int = -_INT
    max: int = _INT - 1
    also: tuple[int, ...] = ()

    def say(self) -> str:
        """Say what a value must be."""
        also = "".join(f" or {number}" for number in self.also)
        if self.min == self.max:
            return f"{self.min}{also}"
        if (self.min, self.max) == (-_INT, _INT - 1):
            return "an integer"
        return f"an integer from {self.min} to {self.max}{also}"

    def read(self, value: Any, where: str) -> int:
        """Return the number; 2.0 is 2, but neither "2" nor true is a number."""
        if type(value) is float and value.is_integer():
            value = int(value)
        if type(value) is not int:
            self.refuse(where)
        if not self.min <= value <= self.max and value not in self.also:
            self.refuse(where)
        return value


class Number(Kind, frozen=True, kw_only=True, tag="number"):
    """A finite number from `min` to `max`."""

    min: float = -1e15
    max: float = 1e15

    def say(self) -> str:
        """Say what a value must be."""
        if (self.min, self.max) == (-1e15, 1e15):
            return "a number"
        return f"a number from {self.min:g} to {self.max:g}"

    def read(self, value: Any, where: str) -> float:
        """Return the number; NaN and the infinities are none."""
        if type(value) not in (int, float) or not self.min <= value <= self.max:
            self.refuse(where)
        number = float(value)
        return number if math.isfinite(number) else self.refuse(where)


class Flag(Kind, frozen=True, kw_only=True, tag="flag"):
    """True or false."""

    def say(self) -> str:
        """Say what a value must be."""
        return "true or false"

    def read(self, value: Any, where: str) -> bool:
        """Return the flag; neither 1 nor "true" is one."""
        return value if isinstance(value, bool) else self.refuse(where)


class Choice(Kind, frozen=True, kw_only=True, tag="choice"):
    """One of a few words or whole numbers."""

    of: tuple[str | int, ...]

    def say(self) -> str:
        """Say what a value must be."""
        return "one of " + ", ".join(str(choice) for choice in self.of)

    def read(self, value: Any, where: str) -> str | int:
        """Return the choice in the catalogue's spelling."""
        if type(value) not in (str, int, float) or value not in self.of:
            self.refuse(where)
        return self.of[self.of.index(value)]
