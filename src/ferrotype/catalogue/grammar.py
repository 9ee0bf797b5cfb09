"""Kinds that hold other kinds, and the list of all kinds there are."""

from typing import Any

from ferrotype.catalogue.fields import Choice, Flag, Integer, Number, Text
from ferrotype.catalogue.files import Media, MediaSet, Messages
from ferrotype.catalogue.kind import Kind, missing, span
from ferrotype.catalogue.size import Size


class List(Kind, frozen=True, kw_only=True, tag="list"):
    """An array of `min` to `max` values of one kind."""

    of: "Field"
    min: int = 0
    max: int

    def say(self) -> str:
        """Say what a value must be."""
        return f"a list of {span(self.min, self.max)}, each {self.of.say()}"

    def read(self, value: Any, where: str) -> list[Any]:
        """Return the values."""
        if not isinstance(value, list) or not self.min <= len(value) <= self.max:
            self.refuse(where)
        return [self.of.read(item, f"{where}[{i}]") for i, item in enumerate(value)]


class Object(Kind, frozen=True, kw_only=True, tag="object"):
    """An object with fields of its own; unknown keys are passed over."""

    fields: "dict[str, Field]"

    def say(self) -> str:
        """Say what a value must be."""
        return f"an object with {', '.join(self.fields)}"

    def read(self, value: Any, where: str) -> dict[str, Any]:
        """Return the fields that were given."""
        if not isinstance(value, dict):
            self.refuse(where)
        known = {}
        for name, field in self.fields.items():
            if value.get(name) is not None:
                known[name] = field.read(value[name], f"{where}.{name}")
            elif field.required:
                raise missing(f"{where}.{name}")
        return known


Field = Text | Integer | Number | Flag | Choice | Size | Media | MediaSet | Messages | List | Object
