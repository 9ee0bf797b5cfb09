"""Every model at its limits: a body of allowed values passes, one step outside is refused."""

import random
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ferrotype import errors
from ferrotype.catalogue import Catalogue, Checked, Model
from ferrotype.catalogue.fields import Choice, Flag, Integer, Number, Text
from ferrotype.catalogue.files import Media, MediaSet, Messages
from ferrotype.catalogue.grammar import Field, List, Object
from ferrotype.catalogue.size import Size
from ferrotype.task import Order

CATALOGUE = Catalogue.load()
EACH = [
    (model.name, route)
    for route in sorted(CATALOGUE.routes)
    for model in CATALOGUE.models_on(route)
]
FREE = {"steps", "scale", "guidance"}  # numbers whose bounds nobody knows

Body = dict[str, dict[str, Any]]


class Hand:
    """Fills in forms: values that a field allows, mostly at its limits."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance

    def url(self, media: Media) -> str:
        scheme = self.chance.choice(media.accepts)
        kind = "image/png" if "png" in media.formats else "video/mp4"
        return f"data:{kind};base64,AAAA" if scheme == "data" else f"{scheme}://h.example/a"

    def value(self, field: Field) -> Any:
        pick = self.chance.choice
        match field:
            case Text():
                if field.pattern:
                    return "#00ff00" if "#" in field.pattern else "25.00%"
                return "x" * pick((1, field.max, field.max + 1))
            case Integer():
                return pick((field.min, field.max, *field.also))
            case Number():
                return pick((field.min, field.max, (field.min + field.max) / 2))
            case Flag():
                return pick((True, False))
            case Choice():
                return pick(field.of)
            case Size():
                return self.size(field)
            case Media():
                return self.url(field)
            case MediaSet():
                return self.media(field)
            case Messages():
                return self.message(field, pick((field.min_images, field.max_images)))
            case List():
                return [self.value(field.of) for _ in range(pick((field.min, min(field.max, 4))))]
            case Object():
                return {name: self.value(inner) for name, inner in field.fields.items()}

    def size(self, size: Size) -> str:
        if size.values:
            return self.chance.choice(size.values)
        most = int((size.max_pixels or size.max_side**2) ** 0.5)  # type: ignore[operator]
        least = max(size.min_side, -int(-(size.min_pixels**0.5) // 1))
        step = size.multiple_of
        side = self.chance.choice((most // step, -(-least // step))) * step
        return self.chance.choice((*size.tiers, f"{side}*{side}"))

    def media(self, field: MediaSet) -> list[dict[str, str]]:
        roles: list[str] = sorted(self.chance.choice(field.sets or (frozenset(field.types),)))
        return [
            {"type": role, "url": self.url(field.types[role])}
            for role in roles
            if field.sets or "frame" not in role
        ][: field.max]

    def message(self, field: Messages, pictures: int) -> list[dict[str, Any]]:
        parts: list[dict[str, str]] = [{"text": "x" * self.chance.choice((1, field.text_max + 1))}]
        parts += [{"image": self.url(field.image)} for _ in range(pictures) if field.image]
        self.chance.shuffle(parts)
        return [{"role": "user", "content": parts}]

    def body(self, model: Model) -> Body:
        """Fill in all required fields and some of the others, within the rules."""
        body = {
            table: {
                name: self.value(field)
                for name, field in fields.items()
                if field.required or self.chance.random() < 0.6
            }
            for table, fields in (("input", model.input), ("parameters", model.parameters))
        }
        return self.within_rules(model, body)

    def within_rules(self, model: Model, body: Body) -> Body:
        """Mend what a rule or a variant between fields would refuse."""
        given, parameters = body["input"], body["parameters"]
        for name in ("enable_interleave", "enable_sequential", "bbox_list"):
            parameters.pop(name, None)  # told in a table of their own
        if "color_palette" in parameters:
            parameters["color_palette"] = [{"hex": "#00ff00", "ratio": "25.00%"}] * 4
        if parameters.get("size") == "4K" or model.name == "wan2.7-image-pro":
            parameters["size"] = "2K"
        if "reference_video" in str(given.get("media")) and "duration" in parameters:
            parameters["duration"] = 10
        if model.name.startswith(("wanx-x", "wanx-sketch", "wan3.0")):
            given["prompt"] = "p"
        if model.name == "wanx2.1-vace-plus":
            parameters.pop("obj_or_bg", None)
            given |= {"video_url": "http://h/v", "ref_images_url": ["http://h/p"]}
        if "mask_image_url" in model.input:
            given["mask_image_url"] = "http://h/m"
        return body


def ask(name: str, route: str, body: Body) -> Checked:
    modes = CATALOGUE.on_route(name, route).routes[route]
    return CATALOGUE.check(route, {"model": name, **body}, asynchronous="async" in modes)


def outside(field: Field) -> Iterator[Any]:
    """Values one step outside what a field allows."""
    match field:
        case Integer():
            yield from (field.min - 1, field.max + 1)
        case Number():
            yield from (field.min - 0.01, field.max + 0.01)
        case Flag():
            yield from (1, "true")
        case Choice():
            yield from (f"{field.of[0]} ", [field.of[0]])
        case Size():
            yield from ("1*1", "10000*10000", "1024x1024", 1024)
            yield from ("1K",) if not field.tiers else ("8K",)
            if field.multiple_of > 1:
                yield f"1024*{1024 + field.multiple_of // 2}"
        case Text():
            yield from (7, ["x"])
        case Media():
            yield from ("ftp://h/a", "http://h/a b", {"url": "http://h"})
            if "data" not in field.accepts:
                yield "data:image/png;base64,AAAA"
        case List():
            yield from (["http://h/a"] * (field.max + 1), "x")
            if field.min:
                yield []
        case Messages():
            yield from ([], "x", [{"role": "system", "content": [{"text": "x"}]}])
            yield [{"content": [{"text": "x"}] + [{"image": "http://h"}] * (field.max_images + 1)}]
            yield [{"content": []}]
        case MediaSet():
            yield from (
                "x",
                [{"type": "x", "url": "http://h/a"}],
                [{"type": next(iter(field.types))}],
            )
            some = next(iter(field.types))
            yield [{"type": some, "url": "http://h/a"}] * (field.max + 1)
        case Object():
            yield from ("x", [])


@pytest.mark.parametrize(("name", "route"), EACH)
def test_one_step_outside_is_refused(name: str, route: str) -> None:
    model = CATALOGUE.on_route(name, route)
    for table, fields in (("input", model.input), ("parameters", model.parameters)):
        for field, of in fields.items():
            if field in FREE:
                continue
            for wrong in outside(of):
                body = Hand(random.Random(7)).body(model)
                body[table][field] = wrong
                if of.late:
                    assert ask(name, route, body).refusal, (field, wrong)
                else:
                    with pytest.raises(errors.Refused):
                        ask(name, route, body)
                        pytest.fail(f"{field} = {wrong!r} passed")


@pytest.mark.parametrize(("name", "route"), EACH)
def test_a_required_field_cannot_be_left_out(name: str, route: str) -> None:
    model = CATALOGUE.on_route(name, route)
    for table, fields in (("input", model.input), ("parameters", model.parameters)):
        for field, of in fields.items():
            if not of.required:
                continue
            for nothing in (None, "") if isinstance(of, Media | Text) else (None,):
                body = Hand(random.Random(7)).body(model)
                body[table][field] = nothing
                with pytest.raises(errors.InvalidParameter) as caught:
                    ask(name, route, body)
                messages = "No messages found in input"
                assert caught.value.message in (f"Field required: {table}.{field}", messages)


@settings(max_examples=400, deadline=None)
@given(which=st.sampled_from(EACH), chance=st.randoms(use_true_random=False))
def test_within_the_limits_all_passes(which: tuple[str, str], chance: random.Random) -> None:
    model = CATALOGUE.on_route(*which)
    checked = ask(*which, Hand(chance).body(model))
    order = checked.order
    assert checked.refusal is None
    assert 1 <= order.n == checked.total <= 12
    assert set(order.inputs) <= set(model.input_rules)
    assert order.size[0] >= 16 <= order.size[1]


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["url", "type", "text", "image", "content", "x"]), inner)
    ),
    max_leaves=8,
)


@settings(max_examples=400, deadline=None)
@given(which=st.sampled_from(EACH), chance=st.randoms(use_true_random=False), data=st.data())
def test_any_body_is_checked_or_refused(
    which: tuple[str, str], chance: random.Random, data: st.DataObject
) -> None:
    body = Hand(chance).body(CATALOGUE.on_route(*which))
    for table in body.values():
        for name in chance.sample(sorted(table), min(2, len(table))):
            inner = table[name]
            if isinstance(inner, list) and inner and isinstance(inner[0], dict):
                inner[0][chance.choice(sorted(inner[0]))] = data.draw(JUNK)
            else:
                table[name] = data.draw(JUNK)
    try:
        order = ask(*which, body).order
    except errors.Refused as no:
        assert 0 < len(no.message) < 700
    else:
        assert msgspec.json.decode(msgspec.json.encode(order), type=Order).n == order.n


@pytest.mark.parametrize(("name", "route"), EACH)
def test_the_smallest_body_passes_with_every_default(name: str, route: str) -> None:
    """Only what is required: each default must be one that the model's own rules allow."""
    model = CATALOGUE.on_route(name, route)
    hand = Hand(random.Random(1))
    least = {
        table: {field: hand.value(of) for field, of in fields.items() if of.required}
        for table, fields in (("input", model.input), ("parameters", model.parameters))
    }
    checked = ask(name, route, hand.within_rules(model, least))
    assert checked.refusal is None
    for field, of in model.parameters.items():
        if of.default is not None and field in checked.order.fields:
            assert checked.order.fields[field] == of.default
    assert checked.model.usage(checked.order, [])
