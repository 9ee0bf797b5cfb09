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
        ("a lighthouse on the coast, oil painting", {"ground": "beach", "style": "oil", "unknown": ()}),
        ("a dense pine forest in fog", {"backdrop": "forest", "weather": "fog"}),
        ("sand dunes at dusk", {"ground": "desert", "time": "evening"}),
        ("a tree on a hill, no clouds", {"template": "landscape", "absent": frozenset({"cloud"})}),
    ],
)  # fmt: skip
def test_reads_the_scene(prompt: str, expected: dict[str, object]) -> None:
    scene = read(prompt)
    assert {name: getattr(scene, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("a cozy kitchen with a table", {"template": "room", "room": "kitchen"}),
        ("a cat on a sofa", {"template": "room", "room": ""}),
        ("a desk with a laptop", {"template": "room", "room": "office"}),
        ("客厅里有一只猫", {"template": "room", "room": "living"}),
        ("an orange on a table", {"template": "table"}),
        ("a bowl of strawberries", {"template": "table", "vessel": "bowl"}),
        ("一碗饺子和一杯茶", {"template": "table", "vessel": "bowl"}),
        ("a red apple on a white background", {"template": "studio", "backing": "white"}),
        ("雨伞", {"template": "studio"}),
        ("城市夜景", {"template": "landscape", "backdrop": "city", "time": "night"}),
        ("a taxi on a city street in the rain", {"ground": "street", "weather": "rain"}),
        ("a rocket in outer space", {"ground": "space", "time": "night"}),
        ("a whale under the sea", {"ground": "seabed"}),
        ("northern lights over a lake", {"show": "aurora", "time": "night", "water": "lake"}),
        ("河马在河里", {"template": "landscape", "water": "river"}),
        ("a boat on a river", {"water": "lake"}),
        ("a cargo ship", {"water": "sea"}),
        ("a castle by the sea", {"ground": "beach", "water": "sea"}),
        ("a lighthouse in a storm", {"water": "sea"}),
        ("a taxi on a snowy street", {"ground": "street", "season": "winter"}),
        ("下着雪的草地", {"weather": "snow", "season": "winter"}),
        ("a desk and a lamp", {"template": "room", "room": "office"}),
        ("雨中的一把红伞", {"template": "landscape", "weather": "rain"}),
        ("a plate of croissants", {"template": "table", "vessel": "plate"}),
        ("白色花瓶里的玫瑰", {"vessel": "vase", "glaze": "white"}),
        ("the Eiffel tower in spring", {"backdrop": "city"}),
        ("fireworks above the sea", {"backdrop": "", "water": "sea"}),
    ],
)
def test_reads_where_it_is(prompt: str, expected: dict[str, object]) -> None:
    scene = read(prompt)
    assert {name: getattr(scene, name) for name in expected} == expected, scene.why


@pytest.mark.parametrize(
    ("prompt", "subjects"),
    [
        ("Three red balloons above a lake", [("balloon", 3, "red")]),
        ("三只白色的兔子在雪地里", [("rabbit", 3, "white")]),
        ("two black cats and a dog in a meadow", [("black-cat", 2, None), ("dog", 1, None)]),
        ("a yellow house by a river", [("house", 1, "yellow")]),
        ("sheep on a hillside", [("ewe", 1, None)]),
        ("a fish in the sea", [("fish", 1, None)]),
        ("fish in the sea", [("fish", 4, None)]),
        ("two glasses of juice", [("juice", 2, None)]),
        ("两只白天鹅在湖上", [("swan", 2, None)]),
        ("palm trees on a beach", [("palm", 3, None)]),
        ("a bowl of noodles", [("steaming-bowl", 1, None)]),
        ("一盘饺子和一壶茶", [("dumpling", 4, None), ("teapot", 1, None)]),
        ("一匹白马在草原上", [("horse", 1, "white")]),
        ("a birthday cake with candles", [("birthday-cake", 1, None)]),
        ("a bowl of oranges and a blue vase", [("tangerine", 3, None), ("vase", 1, "blue")]),
        ("客厅里有一盏灯", [("floorlamp", 1, None)]),
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
        "a fox in the snow", "a crowd of people on the beach",
        "close-up of a flower", "一个女孩在草地上", "骑马的武士", "a quantum blockchain synergy meadow",
        "😀" * 2000, "\u202e\u0000\u0007", "a violin with a trombone, an accordion and a bassoon beside a lake",
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


@pytest.mark.parametrize(
    ("prompt", "left_out"),
    [
        ("a flower shop by the lake with mountains", ("mountains", "lake")),
        ("a blue car in front of a bakery", ("car",)),
        ("flower shop, red", ("red",)),
        ("a house with a red roof", ("red", "roof")),
        ("a boat shop", ("boat",)),
        ("dog food shop", ("dog food",)),
        ("a lake and a lantern", ("lantern",)),
        ("a window in a meadow", ("window",)),
        ('a bookshop, its sign reads "Paper Moon"', ()),
        ('a cat "Tom" in a meadow', ("Tom",)),
        ("a white vase in front of a bakery", ("white", "vase")),
    ],
)
def test_what_is_known_but_not_drawn_is_reported(prompt: str, left_out: tuple[str, ...]) -> None:
    scene = read(prompt)
    assert scene.template != "card"
    assert scene.unknown == left_out
    assert not set(scene.unknown) & set(scene.known)


@pytest.mark.parametrize(
    "prompt",
    [
        "a bank by the river", "a bat flying over a meadow", "a crane standing in a lake", "a duck on a plate",
        "a seal on the beach", "hot dog stand", "a butterfly knife in the grass",
        "a tree house", "a duck house", "a cat on a roof", "a catfish in a river", "a forest fire", "a paper boat on a lake",
        "a cat statue in a park", "star wars in a desert", "sunflower oil bottle", "a chess rook castle move",
        "a cat in space", "a dog under the sea", "苹果汁", "小猫灯",
        "热狗店", "牛仔在沙漠", "虎皮猫", "羊肉店", "天鹅湖芭蕾", "海马在海里", "斑马线",
    ],
)  # fmt: skip
def test_words_in_another_sense_get_a_card(prompt: str) -> None:
    assert read(prompt).template == "card"


@pytest.mark.parametrize(
    ("prompt", "template", "absent", "subjects"),
    [
        ("a flower shop without flowers", "shop", {"flower"}, []),
        ("a cat not a dog in a meadow", "landscape", {"dog"}, ["cat"]),
        ("a beach, no people, no cars", "landscape", {"people", "car"}, []),
        ("没有云的蓝天下的草地", "landscape", {"cloud"}, []),
        ("草地上没有猫", "landscape", {"cat"}, []),
        ("the sun rose over the sea", "landscape", set(), []),
        ("a lighthouse with a red sailboat", "landscape", set(), ["lighthouse", "sailboat"]),
    ],
)
def test_negation_ends_with_its_nouns(
    prompt: str, template: str, absent: set[str], subjects: list[str]
) -> None:
    scene = read(prompt)
    assert (scene.template, set(scene.absent)) == (template, absent)
    assert [s.concept for s in scene.subjects] == subjects


def test_a_boat_brings_its_water() -> None:
    assert read("a red sailboat").water == "lake"


def test_parts_of_a_shop_keep_their_colours() -> None:
    scene = read("a blue bakery with a red wooden door and a green awning, a dog in front")
    assert (scene.tone, scene.colour_of("door"), scene.colour_of("awning")) == (
        "blue",
        "red",
        "green",
    )
    assert scene.unknown == ()
