"""What a model is: a name callers use, and all that they may ask of it."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal

import msgspec
from msgspec import Struct

from ferrotype.catalogue.files import Media, MediaSet, Messages
from ferrotype.catalogue.grammar import Field, List
from ferrotype.catalogue.limit import Limit
from ferrotype.catalogue.rules import Rule
from ferrotype.catalogue.usage import Measure, Scale
from ferrotype.media import File, Produced
from ferrotype.ports.fetcher import FileRule
from ferrotype.task import Order

IMAGES = "images"  # the role of the pictures in a message

Mode = Literal["async", "sync"]
Shown = Literal["orig_prompt", "actual_prompt", "style_index"]
Trait = Literal[
    "finished", "typed", "metric", "rewrite_status", "reasoning", "repainted", "lettered"
]


class Rate(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the vendor allows one account: submissions `per` second or minute, tasks at once
    (None: not stated)."""

    submit: int
    per: Literal["second", "minute"]
    concurrent: int | None = None


class Variant(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The fields of a request in which the parameters of `when` have these values.

    `pictures` names the field that then says how many pictures are wanted, in place of `n`.
    `streams`: who waits for the answer gets it in server-sent events, and in no other way.
    """

    when: dict[str, Any]
    pictures: str | None = None
    streams: bool = False
    input: dict[str, Field]
    parameters: dict[str, Field]


class Model(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One model, as the catalogue's files state it.

    `routes`: create path after `/api/v1/services/aigc/` -> modes. `input` and `parameters`: the
    body's fields by wire name. `canvas` is the size of what has no other size.
    `measures` ("usage" in the files): key -> a measure or a constant number. `repeats` ("shown"):
    what of the request its results repeat. `traits`: what else its answers have. `sound`: whether
    its films have some. `confidence` and `source` tell how well all this is known. `limits`: what
    of it this deployment serves; no file states them.
    """

    name: str
    family: str
    kind: str
    media: Literal["image", "video"]
    dialect: Literal["results", "choices", "video"]
    task_metrics: bool
    routes: dict[str, tuple[Mode, ...]]
    input: dict[str, Field]
    parameters: dict[str, Field] = {}
    rules: tuple[Rule, ...] = ()
    variants: tuple[Variant, ...] = ()
    canvas: str = "1024*1024"
    measures: dict[str, Measure | int] = msgspec.field(name="usage")
    repeats: tuple[Shown, ...] = msgspec.field(name="shown", default=())
    traits: tuple[Trait, ...] = ()
    sound: bool = False
    rate: Rate | None = None
    confidence: Literal["high", "medium", "low"]
    source: str
    notes: tuple[str, ...] = ()
    like: str | None = None
    limits: tuple[Limit, ...] = ()

    @property
    def input_rules(self) -> Mapping[str, FileRule]:
        """What each input file may be, by role."""
        rules: dict[str, FileRule] = {}
        for name, field in (*self.input.items(), *self.parameters.items()):
            match field:
                case Media() as media:
                    rules[name] = media.rule
                case List(of=Media() as media):
                    rules[name] = media.rule
                case MediaSet():
                    files = field.types | field.beside
                    rules |= {role: media.rule for role, media in files.items()}
                case Messages(image=Media() as media):
                    rules[IMAGES] = media.rule
        return rules

    def usage(
        self,
        order: Order,
        outputs: Sequence[Produced],
        inputs: Mapping[str, Sequence[File]] = MappingProxyType({}),
    ) -> dict[str, Any]:
        """Return what the wire calls `usage`. Only outputs without an error count.

        `inputs`: the caller's files by role, as the engine got them.
        """
        scale = Scale(order, outputs, inputs)
        return {
            key: what if isinstance(what, int) else scale.read(what)
            for key, what in self.measures.items()
        }

    def shown(self, order: Order) -> dict[str, Any]:
        """Return what results repeat of a request; the actual prompt only if it was extended."""
        known = {"orig_prompt": order.prompt, "style_index": order.fields.get("style_index")}
        if order.fields.get("prompt_extend"):
            known["actual_prompt"] = order.prompt
        return {name: known[name] for name in self.repeats if name in known}
