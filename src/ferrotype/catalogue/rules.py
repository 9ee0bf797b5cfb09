"""Rules that hold between fields. The set is closed: a catalogue file names them, never programs.

Fields are named as on the wire; a role of inputs counts as a field that holds a list of URLs.
"""

from collections.abc import Iterable
from typing import Any

from msgspec import Struct

from ferrotype.catalogue.draft import Draft
from ferrotype.catalogue.kind import missing
from ferrotype.catalogue.size import of_area, sides
from ferrotype.errors import InvalidParameter


class _Rule(Struct, frozen=True, kw_only=True, tag_field="rule", forbid_unknown_fields=True):
    """`late`: a request that breaks the rule is accepted, and its task ends FAILED."""

    late: bool = False

    def say(self) -> str:
        """Say the rule, as a sentence for the reference."""
        raise NotImplementedError


class Needs(_Rule, frozen=True, kw_only=True, tag="needs"):
    """When the fields of `when` have these values, the field `field` is required."""

    when: dict[str, Any]
    field: str

    def say(self) -> str:
        """Say the rule."""
        given = " and ".join(f"`{name}` is `{value}`" for name, value in self.when.items())
        return f"`{self.field}` is required when {given}."

    def hold(self, draft: Draft) -> None:
        """Raise `InvalidParameter` when the rule is broken."""
        if draft.get(self.field) is None and all(
            draft.get(name) == value for name, value in self.when.items()
        ):
            raise missing(f"input.{self.field}")


class AnyOf(_Rule, frozen=True, kw_only=True, tag="any_of"):
    """At least one of these fields must be given."""

    fields: tuple[str, ...]

    def say(self) -> str:
        """Say the rule."""
        return f"At least one of {_named(self.fields)} is required."

    def hold(self, draft: Draft) -> None:
        """Raise `InvalidParameter` when the rule is broken."""
        if not any(draft.get(name) for name in self.fields):
            raise missing(" or ".join(f"input.{name}" for name in self.fields))


class Excludes(_Rule, frozen=True, kw_only=True, tag="excludes"):
    """None of `these` may be given with any of `those`."""

    these: tuple[str, ...]
    those: tuple[str, ...]

    def say(self) -> str:
        """Say the rule."""
        late = " (told at the task)" if self.late else ""
        return f"None of {_named(self.these)} with any of {_named(self.those)}{late}."

    def hold(self, draft: Draft) -> None:
        """Raise `InvalidParameter` when the rule is broken."""
        one = next((name for name in self.these if draft.get(name)), None)
        other = next((name for name in self.those if draft.get(name)), None)
        if one and other:
            raise InvalidParameter(f"{one} and {other} must not be given together")


class SameLength(_Rule, frozen=True, kw_only=True, tag="same_length"):
    """Two lists must be of one length, when both are given."""

    fields: tuple[str, str]

    def say(self) -> str:
        """Say the rule."""
        return f"{' and '.join(f'`{name}`' for name in self.fields)} must be the same length."

    def hold(self, draft: Draft) -> None:
        """Raise `InvalidParameter` when the rule is broken."""
        one, other = (draft.get(name) for name in self.fields)
        if one is not None and other is not None and len(one) != len(other):
            raise InvalidParameter(f"{' and '.join(self.fields)} must be the same length.")


class AreaAtMost(_Rule, frozen=True, kw_only=True, tag="area_at_most"):
    """The picture has at most so many pixels, when any of the fields `with_any` is given."""

    pixels: int
    with_any: tuple[str, ...]

    def say(self) -> str:
        """Say the rule."""
        return f"At most {self.pixels} pixels with any of {_named(self.with_any)}."

    def hold(self, draft: Draft) -> None:
        """Raise `InvalidParameter` when the rule is broken."""
        width, height = draft.words["size"]
        if width * height > self.pixels and any(draft.get(name) for name in self.with_any):
            raise InvalidParameter(
                f"The size is not match the allowed size [at most {self.pixels} pixels]"
            )


class AtMost(_Rule, frozen=True, kw_only=True, tag="at_most"):
    """The number `field` is at most `max`, when any of the fields `with_any` is given."""

    field: str
    max: float
    with_any: tuple[str, ...]

    def say(self) -> str:
        """Say the rule."""
        return f"`{self.field}` is at most {self.max:g} with any of {_named(self.with_any)}."

    def hold(self, draft: Draft) -> None:
        """Raise `InvalidParameter` when the rule is broken."""
        value = draft.get(self.field)
        cause = next((name for name in self.with_any if draft.get(name)), None)
        if value is not None and value > self.max and cause:
            raise InvalidParameter(
                "the parameters must conform to the specification: "
                f"{self.field} must be at most {self.max:g} with {cause}"
            )


class Shares(_Rule, frozen=True, kw_only=True, tag="shares"):
    """The percentages `of` the objects in the list `field` ("25.00%") make up the whole."""

    field: str
    of: str

    def say(self) -> str:
        """Say the rule."""
        return f"The {self.of}s of `{self.field}` sum to 100.00%."

    def hold(self, draft: Draft) -> None:
        """Raise `InvalidParameter` when the rule is broken."""
        shares = [str(item[self.of]) for item in draft.get(self.field) or ()]
        if shares and sum(int(share.rstrip("%").replace(".", "")) for share in shares) != 10_000:
            raise InvalidParameter(
                "the parameters must conform to the specification: "
                f"{self.field}: the {self.of}s must sum to 100.00%"
            )


class Canvas(_Rule, frozen=True, kw_only=True, tag="canvas"):
    """Sets the size from other fields.

    `sizes`: by resolution and ratio; else `areas`: pixels by resolution ("" where there is none),
    in the ratio asked for, square where it is none. `follows`: inputs whose ratio is taken once it
    is known, the first one given counts; also against a ratio asked for, when `input_wins`.
    """

    sizes: dict[str, dict[str, str]] = {}
    areas: dict[str, int] = {}
    follows: tuple[str, ...] = ()
    input_wins: bool = False

    def say(self) -> str:
        """Say what sets the size."""
        parts = [
            f"{tier} makes " + ", ".join(f"{size} ({ratio})" for ratio, size in by_ratio.items())
            for tier, by_ratio in self.sizes.items()
        ] or [f"{tier or 'always'} {pixels} pixels" for tier, pixels in self.areas.items()]
        if self.follows:
            when = "" if self.input_wins or not self.sizes else " when no ratio is asked for"
            first = ", the first one given" if len(self.follows) > 1 else ""
            parts.append(f"in the ratio of {_named(self.follows)}{first}{when}")
        return f"Size: {'; '.join(parts)}."

    def hold(self, draft: Draft) -> None:
        """Put the size into the draft."""
        resolution, ratio = draft.get("resolution") or "", str(draft.get("ratio") or "")
        asked = ":" in ratio
        width, height = (int(part) for part in (ratio if asked else "1:1").split(":"))
        text = self.sizes.get(resolution, {}).get(ratio)
        if text is not None:
            draft.words["size"] = sides(text)
        else:
            draft.words["size"] = of_area(self.areas[resolution], width / height)
        followed = next((name for name in self.follows if name in draft.inputs), None)
        if followed and (self.input_wins or not asked):
            draft.fields["size_follows"] = followed


def _named(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


Rule = Needs | AnyOf | Excludes | SameLength | AreaAtMost | AtMost | Shares | Canvas
