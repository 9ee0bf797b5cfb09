"""Where a shop stands in the picture, and its colours."""

from msgspec import Struct

from ferrotype.engines.illustrator.drawing import Drawing

# wall, woodwork, sign, lettering, awning, awning's other stripe
SUITS = (
    ("#7fa79c", "#6b4630", "#5a3a2b", "#f6e3b4", "#c8473f", "#f8efdf"),
    ("#e4cdb0", "#2f5d52", "#274e45", "#f3dfae", "#2f6b5c", "#f5ecd8"),
    ("#c9857a", "#5b3b30", "#4d3029", "#fbe9c3", "#f2e6d0", "#b7564e"),
    ("#8fa3bd", "#37475f", "#2d3b52", "#f7e2ae", "#e0a33c", "#fbf3e0"),
    ("#efd9d6", "#8c4a55", "#7a3f4c", "#fdeccb", "#d9798b", "#fff4ec"),
    ("#a9b98f", "#5d4a2f", "#4b3b27", "#f5e4b3", "#6d8f56", "#f7f0da"),
    ("#d8b27c", "#3d4f6b", "#34445e", "#fae7bb", "#3f6285", "#f6ead3"),
)
TONES = {
    "red": "#c4483f", "orange": "#d9813c", "yellow": "#e2b84a", "green": "#6f9c6a",
    "blue": "#5f86b3", "purple": "#8f78b5", "pink": "#e3a4ae", "white": "#ece6da",
    "black": "#4a4648", "brown": "#9a6f4d", "grey": "#a3a6a8",
}  # fmt: skip


class Front(Struct, frozen=True, kw_only=True):
    """Where the shop stands, in pixels: `u` is a hundredth of its height of reckoning."""

    u: float
    left: float
    right: float
    ground: float
    wall: str
    wood: str
    sign: str
    gold: str
    cloth: str
    stripe: str

    def y(self, up: float) -> float:
        """Return the pixel row that lies `up` units above the ground."""
        return self.ground - up * self.u

    @property
    def wide(self) -> float:
        """Return the width in units."""
        return (self.right - self.left) / self.u


def lay_out(drawing: Drawing) -> Front:
    """Choose the shop's size for the picture's ratio, and its colours."""
    w, h = drawing.width, drawing.height
    u = min(w / 100, h / 96)
    wide = min(w / u, 172)
    suit = list(drawing.dice("suit").choice(SUITS))
    if drawing.scene.tone in TONES:
        suit[0] = TONES[drawing.scene.tone]
    if cloth := TONES.get(drawing.scene.colour_of("awning") or ""):
        suit[4], suit[5] = cloth, "#f8efdf" if cloth != TONES["white"] else "#d9cbb4"
    spare = max(0.0, h / u - 100)
    ground = h - (15.5 + min(14, spare * 0.16)) * u
    names = ("wall", "wood", "sign", "gold", "cloth", "stripe")
    return Front(
        u=u, left=w / 2 - wide * u / 2, right=w / 2 + wide * u / 2, ground=ground,
        **dict(zip(names, suit, strict=True)),
    )  # fmt: skip
