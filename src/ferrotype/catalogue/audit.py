"""Holds the data against itself: flaws stop the start, unknowns need a written reason."""

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

from msgspec import Struct, convert

from ferrotype.catalogue.fields import Choice, Integer, Number, Text
from ferrotype.catalogue.files import MediaSet, Messages
from ferrotype.catalogue.grammar import Field, List, Object
from ferrotype.catalogue.model import Model
from ferrotype.catalogue.size import Size, sides

REASONS = Path(__file__).parent / "unknowns.toml"
DOUBTS = ("unverified", "not known")


class Reason(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why a fact about some models may stay unknown."""

    unknown: str
    models: tuple[str, ...]
    reason: str


def flaws(model: Model) -> list[str]:
    """Return what can only be a mistake in a model's data."""
    found = [f"{text}: is empty" for text in ("source", "kind") if not getattr(model, text).strip()]
    if not model.routes or not all(model.routes.values()):
        found.append("routes: every model needs a route, every route a mode")
    if not model.measures:
        found.append("usage: is empty")
    for table, fields in _tables(model):
        for name, field in fields.items():
            found += [f"{table}.{name}: {flaw}" for flaw in _flaws(field)]
    for variant in model.variants:
        found += [
            f"variants: when: there is no parameter {name}"
            for name in variant.when
            if name not in model.parameters
        ]
    return found


def unknowns(model: Model) -> list[str]:
    """Return the facts about a model that its data leaves open."""
    found = [] if model.rate else ["rate: not known"]
    for table, fields in _tables(model):
        for name, field in fields.items():
            if any(doubt in field.note for doubt in DOUBTS):
                found.append(f"{table}.{name}: {field.note}")
            elif isinstance(field, Integer | Number) and field.say() in ("an integer", "a number"):
                found.append(f"{table}.{name}: no bounds")
    return found


def findings(models: Mapping[str, Model], reasons: Path = REASONS) -> list[str]:
    """Return all unknowns without a written reason, and all reasons without an unknown."""
    allowed = {
        (name, reason.unknown): reason
        for reason in convert(tomllib.loads(reasons.read_text())["allow"], list[Reason])
        for name in reason.models
    }
    open_facts = {(model.name, fact) for model in models.values() for fact in unknowns(model)}
    return [
        *(f"{name}: {fact}" for name, fact in sorted(open_facts - set(allowed))),
        *(
            f"{reasons.name}: {name}: nothing is unknown like {fact!r}"
            for name, fact in sorted(set(allowed) - open_facts)
        ),
        *(f"{reasons.name}: {f}: no reason" for f in allowed if not allowed[f].reason.strip()),
    ]


def _tables(model: Model) -> tuple[tuple[str, Mapping[str, Field]], ...]:
    return ("input", model.input), ("parameters", model.parameters)


def _flaws(field: Field) -> Iterator[str]:
    match field:
        case Integer() | Number() | List() | MediaSet() if field.min > field.max:
            yield "min is above max"
        case Text(max=most) if most < 1:
            yield "max is below 1"
        case Messages(image=None, max_images=most) if most:
            yield "pictures are allowed but not described"
        case Choice(of=choices) if not choices or len(set(choices)) < len(choices):
            yield "of is empty, or holds a choice twice"
        case Size():
            yield from _flaws_of_size(field)
        case Object():
            for name, inner in field.fields.items():
                yield from (f"{name}: {flaw}" for flaw in _flaws(inner))
    if field.required and field.default is not None:
        yield "is required, so its default is never used"


def _flaws_of_size(size: Size) -> Iterator[str]:
    for value in size.values:
        if sides(value) is None:
            yield f"{value} is not W*H"
    if size.max_pixels is not None and size.min_pixels > size.max_pixels:
        yield "min_pixels is above max_pixels"
    if size.max_side is not None and size.min_side > size.max_side:
        yield "min_side is above max_side"
    if size.min_ratio > size.max_ratio:
        yield "min_ratio is above max_ratio"
    if not (size.values or size.max_pixels or size.max_side):
        yield "has no upper limit"
