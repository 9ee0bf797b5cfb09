"""What the reader understood of a prompt, as plain words that the templates draw."""

import random

from msgspec import Struct


class Subject(Struct, frozen=True, kw_only=True):
    """Something to draw: its concept, how many, and the colour's name if one was asked for.

    `kind` is the vocabulary's; `at` says where it is, as "on sofa".
    """

    concept: str
    count: int = 1
    colour: str | None = None
    small: bool = False
    kind: str = ""
    at: str = ""


class Scene(Struct, frozen=True, kw_only=True):
    """One picture to draw. `template` is "shop", "landscape", "room", "table", "studio" or "card".

    `ground` and `backdrop` are what a landscape stands on and before; `trade` is what a shop
    sells; `sign` the words on it; `known` and `unknown` list the prompt's words; `why` says why
    a card was set instead of a picture. `show` is what plays in the sky, `vessel` what things lie
    in, `glaze` its colour, `backing` the colour behind a single thing, `emblem` whether that is a
    badge.
    """

    prompt: str
    template: str = "card"
    ground: str = "meadow"
    backdrop: str = ""
    water: str = ""
    time: str = "day"
    weather: str = "clear"
    season: str = "summer"
    style: str = "flat"
    trade: str = ""
    sign: str = ""
    tone: str | None = None
    absent: frozenset[str] = frozenset()
    subjects: tuple[Subject, ...] = ()
    known: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    chinese: bool = False
    why: str = ""
    room: str = ""
    show: str = ""
    backing: str = ""
    vessel: str = ""
    glaze: str | None = None
    emblem: bool = False

    def colour_of(self, concept: str) -> str | None:
        """Return the name of the colour that was asked for this subject."""
        return next((s.colour for s in self.subjects if s.concept == concept), None)


class Dice:
    """Independent streams of chance by name, so that one part's drawing never moves another's."""

    def __init__(self, seed: int | str) -> None:
        self.seed = seed

    def __call__(self, name: str) -> random.Random:
        """Return the stream of this name, from its start."""
        return random.Random(f"{self.seed}:{name}")
