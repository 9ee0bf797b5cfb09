"""What a model is: a name callers use, and all that they may ask of it."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec
from msgspec import Struct

from ferrotype.catalogue.files import Media, MediaSet, Messages
from ferrotype.catalogue.grammar import Field, List
from ferrotype.catalogue.rules import Rule
from ferrotype.media import Produced
from ferrotype.ports.fetcher import FileRule
from ferrotype.task import Order

IMAGES = "images"  # the role of the pictures in a message

Mode = Literal["async", "sync"]
Prompt = Literal["orig_prompt", "actual_prompt"]
Measure = Literal["made", "size", "width", "height", "seconds"]


class Rate(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the vendor allows one account: submissions `per` second or minute, tasks at once."""

    submit: int
    per: Literal["second", "minute"]
    concurrent: int


class Variant(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The fields of a request in which the parameters of `when` have these values."""

    when: dict[str, Any]
    input: dict[str, Field]
    parameters: dict[str, Field]


class Model(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One model, as the catalogue's files state it.

    `routes`: create path after `/api/v1/services/aigc/` -> modes. `input` and `parameters`: the
    body's fields by wire name. `canvas` is the size of what has no other size.
    `measures` ("usage" in the files): key -> a measure or a constant number. `prompts` ("shown"):
    which prompts its results repeat. `confidence` and `source` tell how well all this is known.
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
    prompts: tuple[Literal["orig_prompt", "actual_prompt"], ...] = msgspec.field(
        name="shown", default=()
    )
    rate: Rate | None = None
    confidence: Literal["high", "medium", "low"]
    source: str
    notes: tuple[str, ...] = ()
    like: str | None = None

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
                    rules |= {role: media.rule for role, media in field.types.items()}
                case Messages(image=Media() as media):
                    rules[IMAGES] = media.rule
        return rules

    def usage(self, order: Order, outputs: Sequence[Produced]) -> dict[str, Any]:
        """Return what the wire calls `usage`. Only outputs without an error count."""
        made = [output for output in outputs if output.code is None]
        return {
            key: what if isinstance(what, int) else _measure(what, order, made)
            for key, what in self.measures.items()
        }

    def shown(self, order: Order) -> dict[str, str]:
        """Return the prompts that each result repeats; the actual one only if it was extended."""
        extended = order.fields.get("prompt_extend", False)
        return {name: order.prompt for name in self.prompts if name == "orig_prompt" or extended}


def _measure(what: Measure, order: Order, made: Sequence[Produced]) -> int | float | str:
    width, height = (made[0].width, made[0].height) if made else order.size
    match what:
        case "made":
            return len(made)
        case "size":
            return f"{width}*{height}"
        case "width":
            return width
        case "height":
            return height
        case "seconds":
            return sum(output.seconds for output in made)
