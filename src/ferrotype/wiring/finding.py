"""What a check of a deployment found."""

from typing import Literal

from msgspec import Struct


class Finding(Struct, frozen=True):
    """What one check found. `fix` says what to do; a "note" is no fault."""

    state: Literal["ok", "note", "broken"]
    said: str
    fix: str = ""
