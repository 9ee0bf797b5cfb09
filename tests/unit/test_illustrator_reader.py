# ruff: noqa: E501  (an outline, or a prompt with its meaning, reads best on one line)
"""What the illustrator understands of a prompt, and when it sets a card instead."""

import pytest

from ferrotype.engines.illustrator.reader import read

DEMO = "A flower shop with exquisite windows, a beautiful wooden door, and flowers on display"


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        (DEMO, {"template": "shop", "trade": "flower", "sign": "Flower Shop", "unknown": ()}),
        ("一家有着精致窗户、漂亮木门和摆满鲜花的花店", {"template": "shop", "trade": "flower", "sign": "花店"}),
        ("a bakery at night in the rain", {"trade": "bakery", "time": "night", "weather": "rain"}),
        ('a shop with a sign "Ada & Sons"', {"template": "shop", "trade": "", "sign": "Ada & Sons"}),
        ("冬天的书店", {"trade": "book", "season": "winter", "weather": "snow", "sign": "书店"}),
        ("a blue café by the street", {"template": "shop", "trade": "cafe"}),
        ("一只猫在草地上奔跑", {"template": "landscape", "ground": "meadow", "unknown": ()}),
        ("夕阳下的雪山湖泊，水彩", {"time": "sunset", "backdrop": "mountains", "water": "lake", "style": "watercolour"}),
        ("a lighthouse on the coast, oil painting", {"ground": "beach", "style": "flat", "unknown": ("oil painting",)}),
        ("a dense pine forest in fog", {"backdrop": "forest", "weather": "fog"}),
        ("sand dunes at dusk", {"ground": "desert", "time": "evening"}),
        ("a tree on a hill, no clouds", {"template": "landscape", "absent": frozenset({"cloud"})}),
    ],
)  # fmt: skip
def test_reads_the_scene(prompt: str, expected: dict[str, object]) -> None:
    scene = read(prompt)
    assert {name: getattr(scene, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("prompt", "subjects"),
    [
        ("Three red balloons above a lake", [("balloon", 3, "red")]),
        ("三只白色的兔子在雪地里", [("rabbit", 3, "white")]),
        ("two black cats and a dog in a meadow", [("black-cat", 2, None), ("dog", 1, None)]),
        ("a yellow house by a river", [("house", 1, "yellow")]),
        ("sheep on a hillside", [("ewe", 1, None)]),
    ],
)
def test_counts_and_colours_belong_to_their_noun(
    prompt: str, subjects: list[tuple[str, int, str | None]]
) -> None:
    assert [(s.concept, s.count, s.colour) for s in read(prompt).subjects] == subjects


@pytest.mark.parametrize(
    "prompt",
    [
        "", "    ", "!!!", "xyzzy plugh", "an astronaut riding a horse", "a portrait of an old man",
        "a fox in the snow", "a cozy kitchen with a table", "a crowd of people on the beach",
        "close-up of a flower", "一个女孩在草地上", "骑马的武士", "城市夜景", "a quantum blockchain synergy meadow",
        "😀" * 2000, "\u202e\u0000\u0007", "a violin beside a lake with a trombone and an accordion",
    ],
)  # fmt: skip
def test_sets_a_card_rather_than_a_wrong_picture(prompt: str) -> None:
    scene = read(prompt)
    assert scene.template == "card"
    assert scene.why


def test_the_negative_prompt_removes() -> None:
    scene = read("a cat and a dog in a snowy meadow", "dog, snow")
    assert [s.concept for s in scene.subjects] == ["cat"]
    assert scene.weather == "clear"


def test_an_unknown_word_is_left_out_and_reported() -> None:
    scene = read("a cat in a meadow with a trombone")
    assert scene.template == "landscape"
    assert scene.unknown == ("trombone",)


def test_the_style_field_counts_and_a_foreign_one_is_reported() -> None:
    assert read("a lake", style="<watercolor>").style == "watercolour"
    foreign = read("a lake", style="<3d cartoon>")
    assert (foreign.style, foreign.unknown) == ("flat", ("<3d cartoon>",))
