"""What of a field a recipe serves, where that is less than its model allows."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from ferrotype.catalogue.draft import Draft
from ferrotype.catalogue.size import Size
from ferrotype.errors import InvalidParameter

Tables = Mapping[str, Mapping[str, Any]]


class Place(Struct, frozen=True, kw_only=True):
    """Where a field is.

    A body has it in `table`, under one of `names` (none: other fields come to it); a draft has it
    under `key`. `role`: it is a part of what the field of those names holds, known by `name`.
    """

    name: str
    table: str
    names: tuple[str, ...]
    key: str
    role: bool = False

    @property
    def shown(self) -> str:
        """How errors name it."""
        return self.name if self.role else f"{self.table}.{self.name}"


class _Limit(Struct, frozen=True, kw_only=True, tag_field="limit"):
    place: Place

    def say(self) -> str:
        """Say what a value must be, to end the sentence "n must be ..."."""
        raise NotImplementedError

    def allows(self, value: Any) -> bool:
        """Tell whether a value, in the form of a draft, is served."""
        raise NotImplementedError

    def hold(self, draft: Draft, tables: Tables) -> None:
        """Raise `InvalidParameter` when what is asked for is not served."""
        value = draft.get(self.place.key)
        given = any(tables[self.place.table].get(name) is not None for name in self.place.names)
        if not self._served(value, given, draft):
            said = self._told(value, given, draft)
            raise InvalidParameter(f"the parameters must conform to the specification: {said}")

    def _served(self, value: Any, given: bool, draft: Draft) -> bool:
        return value is None or self.allows(value)

    def _told(self, value: Any, given: bool, draft: Draft) -> str:
        """Say what is wrong with a value, or with the default that stands in its place."""
        if not self.place.names:
            return f"the size that is asked for ({spelled(value)}) {self._must()}"
        if given or value is None:
            return f"{self.place.shown} {self._must()}"
        default = f"the ratio of {followed}" if (followed := self._follows(draft)) else value
        return (
            f"{self.place.shown} is required on this deployment, which does not serve its default"
            f" ({spelled(default)}): it must be {self.say()}"
        )

    def _follows(self, draft: Draft) -> Any:
        """Return the input whose ratio a size takes, once it is known; None: it has its own."""
        return draft.fields.get("size_follows") if self.place.key == "size" else None

    def _must(self) -> str:
        return f"must be {self.say()} on this deployment"


class OneOf(_Limit, frozen=True, kw_only=True, tag="one_of"):
    """One of a few values, `shown` as callers write them. `tiers`: those that name an area."""

    values: tuple[Any, ...]
    shown: tuple[Any, ...]
    tiers: tuple[Any, ...] = ()

    def say(self) -> str:
        """Say what a value must be."""
        words = ", ".join(spelled(value) for value in self.shown)
        return words if len(self.shown) == 1 else f"one of {words}"

    def allows(self, value: Any) -> bool:
        """Tell whether a value is one of these."""
        return value in self.values

    def _served(self, value: Any, given: bool, draft: Draft) -> bool:
        if value is not None and self._follows(draft):
            return value in self.tiers
        return value is None or self.allows(value)


class Between(_Limit, frozen=True, kw_only=True, tag="between"):
    """A number, or so many of `unit` (in the singular), from `min` to `max`, both included."""

    min: float | None = None
    max: float | None = None
    unit: str = ""

    def say(self) -> str:
        """Say what a value must be."""
        least = None if self.min is None else f"{self.min:g}"
        most = None if self.max is None else f"{self.max:g}"
        span = f"from {least} to {most}" if least and most else least and f"at least {least}"
        unit = self.unit + "s" * ((most or least) != "1" and bool(self.unit))
        return f"{span or f'at most {most}'} {unit}".rstrip()

    def allows(self, value: Any) -> bool:
        """Tell whether a value lies between the bounds."""
        count = len(value) if self.unit else value
        return (self.min is None or self.min <= count) and (self.max is None or count <= self.max)

    def _served(self, value: Any, given: bool, draft: Draft) -> bool:
        return not (self.min and self.unit) if value is None else self.allows(value)


class Nothing(_Limit, frozen=True, kw_only=True, tag="nothing"):
    """The field must not be given."""

    def say(self) -> str:
        """Say what a value must be."""
        return "absent"

    def allows(self, value: Any) -> bool:
        """Tell whether a value is as good as none."""
        return value in (None, "", [])

    def _served(self, value: Any, given: bool, draft: Draft) -> bool:
        return not given or self.allows(value)

    def _must(self) -> str:
        return "must not be given on this deployment"


class SizeWithin(_Limit, frozen=True, kw_only=True, tag="size_within"):
    """A size within bounds. Of one that follows an input, whose sides are not known, the area."""

    bounds: Size

    def say(self) -> str:
        """Say what a value must be."""
        return f"a size within {self.bounds.limits()}"

    def allows(self, value: Any) -> bool:
        """Tell whether a size, (width, height), lies within the bounds."""
        return self.bounds.fits("", *value)

    def _served(self, value: Any, given: bool, draft: Draft) -> bool:
        if value is not None and self._follows(draft):
            area, most = value[0] * value[1], self.bounds.max_pixels
            return self.bounds.min_pixels <= area and (most is None or area <= most)
        return value is None or self.allows(value)


Limit = OneOf | Between | Nothing | SizeWithin


def spelled(value: Any) -> str:
    """Write a value as a caller would."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return "*".join(str(side) for side in value)
    return f"{value:g}" if isinstance(value, float) else str(value)
