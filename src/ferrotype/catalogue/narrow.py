"""Reads what a recipe narrows: `narrow = { size = ["832*480"], n = 1, negative_prompt = false }`.

A value is `false` (the field must not be given), one value, a list of values, or a table of bounds
({ min, max }; for sizes max_pixels, max_side and the like). `sound = false`: films have none.
"""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from ferrotype.catalogue.fields import Choice, Flag, Integer, Number, Text
from ferrotype.catalogue.files import TYPES, Media, MediaSet, Messages
from ferrotype.catalogue.grammar import Field, List
from ferrotype.catalogue.limit import Between, Limit, Nothing, OneOf, Place, SizeWithin, spelled
from ferrotype.catalogue.model import IMAGES, Model, Variant
from ferrotype.catalogue.plan import default_of
from ferrotype.catalogue.rules import Canvas
from ferrotype.catalogue.size import Size
from ferrotype.errors import Refused

SOUND, AUDIO = "sound", "audio"
EITHER_WAY = Flag(default=True, note="The model's films have sound; there is no such field.")
BOUNDS = (
    "min_pixels", "max_pixels", "min_side", "max_side", "min_ratio", "max_ratio", "multiple_of",
)  # fmt: skip


class BadNarrowing(ValueError):
    """A recipe narrows what is not there, or leaves nothing. The message names the field."""


class Site(Struct, frozen=True, kw_only=True):
    """A field that can be narrowed, or the files of one role. `many`: it may hold several."""

    place: Place
    kind: Field
    required: bool
    many: bool = False


def narrowed(models: Sequence[Model], said: Mapping[str, Any]) -> list[Model]:
    """Return a model's entries (one a route that differs) as a recipe narrows them.

    Raises `BadNarrowing`.
    """
    wishes = dict(said)
    if SOUND in wishes:
        models, silent = _silent(models, wishes.pop(SOUND))
        wishes |= silent
    sites = [list(_sites(model)) for model in models]
    limits = {name: _limit(_named(name, sites), wish) for name, wish in wishes.items()}
    made = []
    for model, own in zip(models, sites, strict=True):
        places = {site.place.name: site.place for site in own}
        less = (replace(limits[name], place=places[name]) for name in wishes if name in places)
        made.append(replace(model, limits=tuple(less)))
    return made


def unserved_defaults(model: Model) -> dict[str, Any]:
    """Return the defaults that a narrowed model does not serve, by field: callers must send it."""
    limits = {limit.place.name: limit for limit in model.limits}
    found: dict[str, Any] = {}
    for site in _sites(model):
        limit = limits.get(site.place.name)
        if limit is None or site.many or site.place.role or isinstance(limit, Nothing):
            continue
        default = default_of(site.kind, site.place.name)
        if default is not None and not limit.allows(default):
            found[site.place.shown] = spelled(default)
    return found


def _named(name: str, sites: Sequence[Sequence[Site]]) -> list[Site]:
    """Return a field as it is in each entry and variant."""
    every = [site for some in sites for site in some]
    if found := [site for site in every if site.place.name == name]:
        return found
    known = sorted({SOUND, *(site.place.name for site in every)})
    like = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"did you mean {like[0]}?" if like else f"there are {', '.join(known)}"
    raise BadNarrowing(f"the model has no field {name}; {hint}")


def _silent(models: Sequence[Model], wish: object) -> tuple[list[Model], dict[str, Any]]:
    """Give films a switch for their sound where they have none, and turn it off."""
    if wish is not False:
        raise BadNarrowing("sound can only be false: films have none")
    if not any(model.sound for model in models):
        raise BadNarrowing("sound: what this model makes has none anyway")
    wishes: dict[str, Any] = {AUDIO: False}
    for site in (site for model in models for site in _sites(model)):
        if isinstance(site.kind, Media) and _is_sound(site.kind):
            if site.required:
                raise BadNarrowing(f"sound: this model films to the sound of {site.place.name}")
            wishes[site.place.name] = False
    return [_with_switch(model) for model in models], wishes


def _is_sound(media: Media) -> bool:
    return all(TYPES[name].startswith("audio/") for name in media.formats)


def _with_switch(model: Model) -> Model:
    if AUDIO in model.parameters:
        return model
    variants = (
        replace(variant, parameters={**variant.parameters, AUDIO: EITHER_WAY})
        for variant in model.variants
    )
    parameters = {**model.parameters, AUDIO: EITHER_WAY}
    return replace(model, parameters=parameters, variants=tuple(variants))


def _sites(model: Model) -> Iterator[Site]:
    forms: list[Model | Variant] = [model, *model.variants]
    for form in forms:
        for name, field in form.input.items():
            yield from _sites_of("input", name, field)
        for name, field in form.parameters.items():
            yield from _sites_of("parameters", name, field)
    for rule in model.rules:
        if isinstance(rule, Canvas) and "size" not in model.parameters:
            made = tuple(size for sizes in rule.sizes.values() for size in sizes.values())
            place = Place(name="size", table="parameters", names=(), key="size")
            yield Site(place=place, kind=Size(values=made), required=False)


def _sites_of(table: str, name: str, field: Field) -> Iterator[Site]:
    names = (name, *field.aliases)
    place = Place(name=name, table=table, names=names, key=name)

    def part(role: str, kind: Field, required: bool, many: bool) -> Site:
        at = Place(name=role, table=table, names=names, key=role, role=True)
        return Site(place=at, kind=kind, required=required, many=many)

    match field:
        case MediaSet():
            for role, media in (field.types | field.beside).items():
                yield part(role, media, False, True)
        case Messages():
            yield part("prompt", Text(max=field.text_max), True, False)
            if field.image:
                yield part(IMAGES, field.image, field.min_images > 0, True)
        case Text(means=str() as word):
            yield Site(place=replace(place, key=word), kind=field, required=field.required)
        case List():
            yield Site(place=place, kind=field, required=field.required, many=True)
        case _:
            yield Site(place=place, kind=field, required=field.required)


def _limit(sites: Sequence[Site], wish: Any) -> Limit:
    """Make the limit of one field, which is each of `sites` somewhere."""
    site, name = sites[0], sites[0].place.name
    if wish is False and not isinstance(site.kind, Flag):
        if any(one.required for one in sites):
            raise BadNarrowing(f"{name}: the model requires it, so it cannot be false")
        return Nothing(place=site.place)
    if isinstance(wish, Mapping):
        return _bounded(sites, wish)
    if site.many or not isinstance(site.kind, Text | Integer | Number | Flag | Choice | Size):
        raise BadNarrowing(f"{name} must be false{' or { max = ... }' * site.many}")
    wishes = wish if isinstance(wish, list) else [wish]
    if not wishes:
        raise BadNarrowing(f"{name}: the list is empty, so nothing could be asked for")
    tiers = site.kind.tiers if isinstance(site.kind, Size) else {}
    return OneOf(
        place=site.place,
        values=tuple(_read(sites, one) for one in wishes),
        shown=tuple(wishes),
        tiers=tuple(_read(sites, one) for one in wishes if one in tiers),
    )


def _read(sites: Sequence[Site], wish: Any) -> Any:
    """Return a value in a draft's form, as the first field that knows it reads it."""
    for site in sites:
        try:
            return site.kind.read(wish, site.place.name)
        except Refused:
            continue
    raise _no_such(sites, f"{spelled(wish)} is not what the model allows")


def _no_such(sites: Sequence[Site], what: str) -> BadNarrowing:
    kind = sites[0].kind
    allowed = kind.limits() if isinstance(kind, Size) else kind.say()
    return BadNarrowing(f"{sites[0].place.name}: {what} ({allowed})")


def _bounded(sites: Sequence[Site], wish: Mapping[str, Any]) -> Limit:
    """Make a limit of a table of bounds."""
    site, name = sites[0], sites[0].place.name
    if isinstance(site.kind, Size):
        return _sized(sites, wish)
    keys, unit = ["min", "max"], ""
    if site.many:
        unit = "file" if isinstance(site.kind, Media) or _holds_files(site.kind) else "value"
    elif isinstance(site.kind, Text):
        keys, unit = ["max"], "character"
    elif not isinstance(site.kind, Integer | Number | Choice):
        raise BadNarrowing(f"{name}: has no bounds; write a value, or a list of values")
    if not wish or any(key not in keys or type(wish[key]) not in (int, float) for key in wish):
        raise BadNarrowing(f"{name}: a table here has numbers for {' and '.join(keys)}")
    limit = Between(place=site.place, unit=unit, **wish)
    if isinstance(site.kind, Choice):
        return _chosen(sites, limit)
    spans = [
        (one.kind.min, one.kind.max) for one in sites if isinstance(one.kind, Integer | Number)
    ] or [(0, float("inf"))]
    if not any(_meets(limit, *span) for span in spans):
        raise _no_such(sites, f"{limit.say()} leaves nothing of what the model allows")
    return limit


def _holds_files(kind: Field) -> bool:
    return isinstance(kind, List) and isinstance(kind.of, Media)


def _meets(limit: Between, least: float, most: float) -> bool:
    least = least if limit.min is None else max(limit.min, least)
    return least <= (most if limit.max is None else min(limit.max, most))


def _chosen(sites: Sequence[Site], limit: Between) -> Limit:
    """Make bounds of a choice the list of the numbers within them."""
    choices = [c for site in sites if isinstance(site.kind, Choice) for c in site.kind.of]
    if not all(isinstance(choice, int) for choice in choices):
        raise _no_such(sites, "these are words, so write a list of those that are served")
    left = tuple(dict.fromkeys(choice for choice in choices if limit.allows(choice)))
    if not left:
        raise _no_such(sites, f"{limit.say()} leaves nothing of what the model allows")
    return OneOf(place=limit.place, values=left, shown=left)


def _sized(sites: Sequence[Site], wish: Mapping[str, Any]) -> Limit:
    name = sites[0].place.name
    if not wish or any(key not in BOUNDS for key in wish):
        raise BadNarrowing(f"{name}: a table here has some of {', '.join(BOUNDS)}")
    try:
        bounds = msgspec.convert({"kind": "size", **wish}, Size)
    except msgspec.ValidationError as error:
        raise BadNarrowing(f"{name}: {error}") from None
    if bounds.multiple_of < 1:
        raise BadNarrowing(f"{name}: multiple_of must be 1 or more")
    kinds = [site.kind for site in sites if isinstance(site.kind, Size)]
    if not any(_overlap(bounds, kind) for kind in kinds):
        raise _no_such(sites, f"{bounds.limits()} leaves nothing of what the model allows")
    return SizeWithin(place=sites[0].place, bounds=bounds)


def _overlap(one: Size, kind: Size) -> bool:
    """Tell whether some size lies within both."""
    if kind.values:
        return any(one.fits("", *kind.read(text, "size")) for text in kind.values)
    short, long = max(one.min_side, kind.min_side), _least(one.max_side, kind.max_side)
    least, most = max(one.min_pixels, kind.min_pixels), _least(one.max_pixels, kind.max_pixels)
    return (
        max(one.min_ratio, kind.min_ratio) <= min(one.max_ratio, kind.max_ratio)
        and (most is None or max(least, short * short) <= most)
        and (long is None or (short <= long and least <= long * long))
    )


def _least(one: int | None, other: int | None) -> int | None:
    return min((bound for bound in (one, other) if bound is not None), default=None)
