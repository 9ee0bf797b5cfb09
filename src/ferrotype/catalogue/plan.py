"""The checks of one model, laid out in advance so that a request is checked fast."""

from collections.abc import Callable, Mapping
from random import getrandbits
from typing import Any

from ferrotype.catalogue.draft import Draft
from ferrotype.catalogue.fields import Text
from ferrotype.catalogue.files import NO_MESSAGES, Media, MediaSet, Message, Messages
from ferrotype.catalogue.grammar import Field, List
from ferrotype.catalogue.kind import missing
from ferrotype.catalogue.model import IMAGES, Model, Variant
from ferrotype.catalogue.size import Size, of_area, sides
from ferrotype.errors import EmptyInput, InvalidParameter, Refused
from ferrotype.task import Order

Refusal = tuple[str, str]
WORDS = ("prompt", "negative_prompt", "size", "n", "seed", "duration", "fps")
SEED_BITS = 31


def default_of(field: Field, where: str) -> Any:
    """Return what an absent field holds, in the form of a draft; None when that is nothing."""
    if field.default is not None:
        return field.read(field.default, where)
    if isinstance(field, Size) and field.default_pixels:
        return of_area(field.default_pixels)
    return None


class Step:
    """One field: where to find it, how to read it, where its value goes."""

    __slots__ = ("default", "field", "name", "names", "put", "read", "table", "where")

    def __init__(self, table: str, name: str, field: Field) -> None:
        self.table, self.name, self.field = table, name, field
        self.names = (name, *field.aliases)
        self.where = f"{table}.{name}"
        self.read = field.read
        self.put = _place(name, field)
        self.default = default_of(field, self.where)

    def take(self, table: Mapping[str, Any]) -> Any:
        """Return the value that a table of the body gives, else the default. Raises `Refused`."""
        for name in self.names:
            value = table.get(name)
            if value is not None:
                return self.read(value, self.where)
        if self.field.required:
            raise self._missing()
        return self.default

    def _missing(self) -> InvalidParameter:
        if isinstance(self.field, Messages):
            return InvalidParameter(NO_MESSAGES)
        return missing(self.where)


class Plan:
    """All steps of a model, and of each of its variants. Making one reads every default.

    Raises `InvalidParameter` when a default is not what its own field allows.
    """

    def __init__(self, model: Model) -> None:
        canvas = sides(model.canvas)
        if canvas is None:
            raise InvalidParameter("canvas must be W*H")
        self.canvas = canvas
        self.model = model
        self.steps = _steps(model.input, model.parameters)
        self.variants = [
            (variant, _steps(variant.input, variant.parameters)) for variant in model.variants
        ]
        self.defaults = {
            step.name: step.default for step in self.steps if step.table == "parameters"
        }

    def order(self, body: Mapping[str, Any]) -> tuple[Order, Refusal | None]:
        """Check a body's input and parameters. Raises `Refused`."""
        tables = {"input": _input(body), "parameters": _parameters(body)}
        draft = Draft()
        refusal: Refusal | None = None
        variant, steps = self._steps_for(tables["parameters"])
        for step in steps:
            try:
                value = step.take(tables[step.table])
            except Refused as no:
                if not step.field.late:
                    raise
                refusal = refusal or (no.code, no.message)
                value = step.default
            if value is not None:
                step.put(draft, step.name, value)
        for rule in self.model.rules:
            try:
                rule.hold(draft)
            except Refused as no:
                if not rule.late:
                    raise
                refusal = refusal or (no.code, no.message)
        self._follow(draft, tables["parameters"].get("size"))
        if variant and variant.pictures:
            draft.words["n"] = draft.fields[variant.pictures]
        for limit in self.model.limits:
            limit.hold(draft, tables)
        return self._order(draft), refusal

    def streams(self, body: Mapping[str, Any]) -> bool:
        """Tell whether who waits for such a body's answer gets it in server-sent events."""
        variant, _ = self._steps_for(_parameters(body))
        return variant is not None and variant.streams

    def _steps_for(self, parameters: Mapping[str, Any]) -> tuple[Variant | None, tuple[Step, ...]]:
        for variant, steps in self.variants:
            when = variant.when
            if all(_given(parameters, self.defaults, name) == when[name] for name in when):
                return variant, steps
        return None, self.steps

    def _follow(self, draft: Draft, asked: Any) -> None:
        """Say whose ratio the picture takes, when the caller gave no W*H."""
        size = self.model.parameters.get("size")
        if not isinstance(size, Size) or size.follows not in draft.inputs:
            return
        if asked is None or (isinstance(asked, str) and asked in size.tiers):
            draft.fields["size_follows"] = size.follows

    def _order(self, draft: Draft) -> Order:
        words, kind = draft.words, self.model.kind
        seed = words.get("seed")
        if kind == "text-to-image" and IMAGES in draft.inputs:
            kind = "image-edit"  # messages models draw and edit under one name
        if self.model.sound and draft.fields.get("audio", True):
            draft.fields["sound"] = True
        return Order(
            kind=kind,
            prompt=words.get("prompt", ""),
            negative=words.get("negative_prompt", ""),
            size=words.get("size", self.canvas),
            n=words.get("n", 1),
            seed=getrandbits(SEED_BITS) if seed is None else seed,
            fields=draft.fields,
            inputs=draft.inputs,
            duration=words.get("duration"),
            fps=words.get("fps"),
        )


def _steps(*tables: Mapping[str, Field]) -> tuple[Step, ...]:
    return tuple(
        Step(table, name, field)
        for table, fields in zip(("input", "parameters"), tables, strict=True)
        for name, field in fields.items()
    )


def _given(parameters: Mapping[str, Any], defaults: Mapping[str, Any], name: str) -> Any:
    value = parameters.get(name)
    return defaults.get(name) if value is None else value


def _input(body: Mapping[str, Any]) -> Mapping[str, Any]:
    if body.get("input") is None:
        raise EmptyInput
    return _object(body["input"], "input")


def _parameters(body: Mapping[str, Any]) -> Mapping[str, Any]:
    value = body.get("parameters")
    return {} if value is None else _object(value, "parameters")


def _object(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise InvalidParameter(
            f"the parameters must conform to the specification: {where} must be an object"
        )
    return value


def _place(name: str, field: Field) -> Callable[[Draft, str, Any], None]:
    match field:
        case Messages():
            return _put_message
        case MediaSet():
            return _put_roles
        case Media():
            return _put_file
        case List(of=Media()):
            return _put_files
        case Text(means=str() as word):
            return lambda draft, _, value: _put_word(draft, word, value)
    return _put_word if name in WORDS else _put_field


def _put_word(draft: Draft, name: str, value: Any) -> None:
    draft.words[name] = value


def _put_field(draft: Draft, name: str, value: Any) -> None:
    draft.fields[name] = value


def _put_file(draft: Draft, name: str, value: str) -> None:
    draft.inputs[name] = [value]


def _put_files(draft: Draft, name: str, value: list[str]) -> None:
    draft.inputs[name] = value


def _put_roles(draft: Draft, name: str, value: dict[str, list[str]]) -> None:
    for role, urls in value.items():
        draft.inputs.setdefault(role, []).extend(urls)


def _put_message(draft: Draft, name: str, value: Message) -> None:
    draft.words["prompt"] = value.text
    if value.images:
        draft.inputs[IMAGES] = value.images
