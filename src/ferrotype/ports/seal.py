"""Signs result files: who made them, in a form that others can check."""

from pathlib import Path
from typing import Protocol

from msgspec import Struct

from ferrotype.errors import FerrotypeError

DRAWN_LABELS = ("illustration", "test pattern")


class Unsealed(FerrotypeError):
    """A result file could not be signed."""


class Claim(Struct, frozen=True, kw_only=True):
    """What is signed about a file. `served_by` is "engine; label", as callers are told."""

    task: str
    model: str
    served_by: str

    @property
    def engine(self) -> str:
        """The engine's name."""
        return self.served_by.partition("; ")[0]

    @property
    def label(self) -> str:
        """How the recipe serves the model."""
        return self.served_by.partition("; ")[2]

    @property
    def trained(self) -> bool:
        """Whether a trained model made it, and not a program that draws."""
        return self.label not in DRAWN_LABELS


class Seal(Protocol):
    """Puts a signed claim into files."""

    def sign(self, path: Path, type: str, claim: Claim) -> None:
        """Sign a file of that media type where it lies. Blocks. Raises `Unsealed`.

        A claim that the file has already stays in it, below the new one.
        """
