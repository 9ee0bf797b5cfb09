"""A request while it is being checked."""

from typing import Any


class Draft:
    """Collects checked values: `words` that an order knows by name, `inputs` by role, `fields`."""

    __slots__ = ("fields", "inputs", "words")

    def __init__(self) -> None:
        self.words: dict[str, Any] = {}
        self.inputs: dict[str, list[str]] = {}
        self.fields: dict[str, Any] = {}

    def get(self, name: str) -> Any:
        """Return what a field holds, wherever it went; None when it was not given."""
        for place in (self.fields, self.inputs, self.words):
            if name in place:
                return place[name]
        return None
