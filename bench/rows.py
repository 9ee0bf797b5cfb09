"""One line of the report: a figure, what it should be, and a bare figure beside it."""

from collections.abc import Sequence
from dataclasses import dataclass

REPEATS = 3


@dataclass(frozen=True, kw_only=True)
class Row:
    """A measured figure.

    `most` or `least` is its target, as far as there is one. `beside` is the same figure of
    something simpler, measured in the same minutes, with its name.
    """

    what: str
    value: float
    unit: str
    most: float | None = None
    least: float | None = None
    beside: tuple[str, float] | None = None

    @property
    def met(self) -> bool:
        """True when the figure keeps its target, or has none."""
        low = self.least is None or self.value >= self.least
        return low and (self.most is None or self.value <= self.most)

    @property
    def target(self) -> str:
        """The target in words, "" when there is none."""
        if self.least is not None:
            return f"≥ {number(self.least)} {self.unit}"
        return "" if self.most is None else f"≤ {number(self.most)} {self.unit}"

    @property
    def cells(self) -> tuple[str, str, str, str, str]:
        """What, target, measured, beside it, ratio."""
        beside = ratio = ""
        if self.beside is not None:
            name, figure = self.beside
            beside = f"{number(figure)} {self.unit} ({name})"
            ratio = f"{self.value / figure:.2f}"
        mark = "" if self.met else " **missed**"
        return self.what, self.target, f"{number(self.value)} {self.unit}{mark}", beside, ratio


HEAD = ("what", "target", "measured", "beside it", "ratio")


@dataclass(frozen=True)
class Section:
    """The rows of one family, under the name that the document has for them."""

    name: str
    rows: Sequence[Row]

    def markdown(self) -> str:
        """Return the rows as a table of the document."""
        lines = [HEAD, ("---",) * len(HEAD), *(row.cells for row in self.rows)]
        return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def number(value: float) -> str:
    """Write a figure with as many digits as it is worth."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def quantile(values: Sequence[float], q: float) -> float:
    """Return the value that the part `q` of all values does not exceed."""
    return sorted(values)[min(len(values) - 1, int(q * len(values)))]
