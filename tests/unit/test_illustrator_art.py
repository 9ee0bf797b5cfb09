"""The art: no outline in the pack is broken, and every thing we have a word for can be drawn."""

import re

import pytest
from msgspec import structs
from tools.build_art_pack import NUMBER, slim

from ferrotype.engines.illustrator.drawing import Drawing
from ferrotype.engines.illustrator.engine import TEMPLATES
from ferrotype.engines.illustrator.light import rgb
from ferrotype.engines.illustrator.reader import read
from ferrotype.engines.illustrator.scene import Scene, Subject
from ferrotype.engines.illustrator.sprites import dyed, pack, sole
from ferrotype.engines.illustrator.words import SUBJECTS, concepts, vocabulary

TAKES = {"m": 2, "l": 2, "h": 1, "v": 1, "c": 6, "s": 4, "q": 4, "t": 2, "a": 7, "z": 0}
COMMAND = re.compile(r"([a-df-zA-DF-Z])([^a-df-zA-DF-Z]*)")
THINGS = sorted(concepts(*SUBJECTS))


def whole(outline: str) -> bool:
    """Say whether each command of a path has as many numbers as it takes."""
    found = ((TAKES[c.lower()], len(NUMBER.findall(rest))) for c, rest in COMMAND.findall(outline))
    return all(has % takes == 0 if takes else has == 0 for takes, has in found)


def test_every_outline_of_the_pack_has_all_its_numbers() -> None:
    outlines = {name: re.findall(r'\bd="([^"]+)"', body) for name, body in pack().items()}
    assert [name for name, found in outlines.items() if not all(map(whole, found))] == []


def test_rounding_never_joins_two_numbers() -> None:
    body = '<path d="M1 2l3.998.5 5.19.996-.1234.5678a1 1 0 0 1-.28.676"/><g id="a1"/>'
    assert slim(body) == (
        '<path d="M1 2l4 .5 5.19 .996-.1234 .5678a1 1 0 0 1-.28 .676"/><g id="@0"/>'
    )
    assert "filter" not in slim('<g filter="url(#x)"><filter id="x"><b/></filter></g>')


def drawn(scene: Scene) -> Drawing:
    drawing = Drawing(scene, 192, 192, 5, "m")
    for _ in TEMPLATES[scene.template](drawing):
        pass
    return drawing


def inked(drawing: Drawing) -> list[object]:
    """Return what a drawing consists of."""
    return [layer if isinstance(layer, list) else (layer.x, layer.y) for layer in drawing.layers]


@pytest.mark.parametrize("start", range(8))
def test_every_thing_can_be_drawn_and_seen(start: int) -> None:
    for k, concept in enumerate(THINGS[start::8]):
        kind = next(kind for kind in SUBJECTS if concept in concepts(kind))
        word = next(w for w, hit in vocabulary().words.items() if hit == (kind, concept))
        scene = read(word)
        if scene.template != "card" and word != "rug":  # each room has one
            assert scene.subjects
            lost = (structs.replace(s, concept="nothing") for s in scene.subjects)
            bare = structs.replace(scene, subjects=tuple(lost))
            assert inked(drawn(scene)) != inked(drawn(bare)), word
        one = Subject(concept=concept, kind=kind, count=2, colour="mixed")
        vessel = ("bowl", "plate", "basket", "vase")[k % 4]
        drawn(Scene(prompt="x", template="table", subjects=(one,), vessel=vessel))


def test_a_dye_colours_the_body_and_leaves_grey_wheels() -> None:
    red, green, blue = rgb(dyed("umbrella", "#6b4a9e", "#f2c445"))
    assert red > 150 and green > 110 and blue < 120, "yellow, not the brown of a mixture"
    assert max(rgb(dyed("bus", "#303036", "#dc3d3a"))) < 90


def test_what_cannot_stand_lies() -> None:
    flat = "translate(16 16) scale(1 0.5) rotate(0) translate(-16 -16)"
    assert sole("cookie", flat) < sole("cookie")


def test_several_colours_are_several_colours() -> None:
    scene = read("four colorful balloons above a meadow")
    assert [(s.count, s.colour) for s in scene.subjects] == [(4, "mixed")]
    symbols = {use for layer in drawn(scene).sheets() for part in layer
               for use in re.findall(r'<use href="#([\w-]+)"', part)}  # fmt: skip
    plain = read("four red balloons above a meadow")
    fewer = {use for layer in drawn(plain).sheets() for part in layer
             for use in re.findall(r'<use href="#([\w-]+)"', part)}  # fmt: skip
    assert len(symbols) == len(fewer) + 3
