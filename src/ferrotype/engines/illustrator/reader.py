"""Reads a prompt, English or Chinese, into a scene: what to draw, and which words to leave out."""

import re

from ferrotype.engines.illustrator.reading import Reading
from ferrotype.engines.illustrator.scene import Scene, Subject
from ferrotype.engines.illustrator.words import PLACES, concepts, hits, table

FIELD_STYLES = {
    "<auto>": "", "<watercolor>": "watercolour", "<flat illustration>": "flat",
    "<oil painting>": "oil", "<sketch>": "pencil", "<chinese painting>": "ink", "<anime>": "anime",
}  # fmt: skip
QUOTED = re.compile(r"[\"“「『]([^\"”」』\n]{1,24})[\"”」』]")


def reason(reading: Reading) -> str:
    """Say why this prompt gets a card, or "" when a picture can be drawn."""
    template = reading.template()
    if reading.barred:
        return f"cannot draw {reading.barred}"
    placed = any(kind in reading.picked for kind in (*PLACES, "room", "table", "show", "trade"))
    if not placed and not reading.subjects:
        return (
            "nothing to draw was understood" if not reading.nouns else "too little was understood"
        )
    if "close" in reading.picked and template not in ("table", "studio"):
        return f"cannot draw a {reading.picked['close']} of this"
    for subject in reading.subjects:
        if why := absurd(subject, template, reading):
            return why
    if reading.first == "unknown" and "trade" not in reading.picked:
        return f"does not know {reading.unknown[0]}"
    if reading.lost and not placed:
        return f"does not know {reading.lost}"
    if reading.strange > reading.nouns:
        return "fewer than half of the nouns are known"
    return ""


SWIMMING = table("props")["high"]["swimming"].keys() | {"crab", "spiral-shell"}
# what may be in places where nobody lives
ELSEWHERE = {"seabed": ("marine", "vessel", "plant"), "space": ("cosmic", "flying")}


def absurd(subject: Subject, template: str, reading: Reading) -> str:
    """Say what would look absurd about a subject where this prompt puts it, or ""."""
    way, _, anchor = subject.at.partition(" ")
    carriers = concepts("animal", "vessel", "thing", "building", "flying", "ware", "cosmic")
    if subject.kind == "animal" and way in ("on", "in") and anchor in carriers - {"tent"}:
        return f"cannot draw a {subject.concept} {way} a {anchor}"
    ground = reading.picked.get("ground", "")
    ashore = ground not in ("", "seabed") and "water" not in reading.picked
    at_home = subject.kind in ELSEWHERE.get(ground, ()) or (
        ground == "seabed" and subject.concept in SWIMMING
    )
    if template == "landscape" and ground in ELSEWHERE and not at_home:
        return f"cannot draw a {subject.concept} there"
    if subject.kind == "marine" and (template == "room" or (template == "landscape" and ashore)):
        return f"cannot draw a {subject.concept} there"
    if template in ("room", "table") and subject.kind in ("vessel", "thing", "building", "cosmic"):
        return f"cannot draw a {subject.concept} indoors"
    if template == "table" and subject.kind == "animal":
        return f"cannot draw a {subject.concept} on a table"
    return ""


def sign_of(prompt: str, trade: str, word: str, zh: bool) -> str:
    """Return the words on the shop's sign: those in quotation marks, else its trade's name."""
    if quoted := QUOTED.search(prompt):
        return quoted[1].strip()
    if zh:
        return word if len(word) > 1 else "小店"
    name = word.removesuffix("s") if word.endswith("shops") else word
    return {"cafe": "Café", "any": "The Corner Shop"}.get(
        name if trade == "cafe" else trade, name.title()
    )


LANDMARKS = table("props")["landmark"]["city"]
HOMES = {one: place for place, all_ in table("props")["home"].items() for one in all_}


def ground_of(reading: Reading, template: str) -> str:
    """Return what a scene stands on: as said, else where its first subject lives."""
    picked, subjects = reading.picked, reading.subjects
    kinds = {s.kind for s in subjects}
    if picked.get("ground"):
        if picked["ground"] == "meadow" and "marine" in kinds:
            return "seabed"
        return picked["ground"]
    deep = any(s.kind == "marine" and s.concept not in ("whale", "dolphin") for s in subjects)
    if deep and "water" in picked:
        return "seabed"
    if picked.get("water") == "sea" and any(
        s.kind in ("building", "thing", "animal", "plant") and s.concept != "lighthouse"
        for s in subjects
    ):
        return "beach"
    if not any(kind in picked for kind in PLACES) and template == "landscape":
        for subject in subjects:
            if home := HOMES.get(subject.concept):
                return str(home)
    snowy = picked.get("season") == "winter"
    built = picked.get("backdrop") == "city" and any(s.kind == "thing" for s in subjects)
    return "snowfield" if snowy and not built else "street" if built else "meadow"


def outdoors(reading: Reading, ground: str) -> dict[str, str]:
    """Return a scene's ground, backdrop, water, hour, weather and season, which go together."""
    picked = reading.picked
    boats = {s.concept for s in reading.subjects if s.kind == "vessel" or s.concept == "lotus"}
    broad = boats or any(s.kind == "swimmer" for s in reading.subjects)
    sea = boats - {"sailboat", "rowboat", "lotus"} or picked.get("weather") == "storm"
    if not any(kind in picked for kind in PLACES):
        boats |= {"lighthouse"} & {s.concept for s in reading.subjects}
        sea = sea or "lighthouse" in boats
    water = "" if not boats or ground == "beach" else "sea" if sea else "lake"
    water = picked.get("water", water)
    weather = picked.get("weather", "clear")
    kinds = {s.kind for s in reading.subjects}
    alone = picked.get("show") == "fireworks" and "building" not in kinds
    alone &= not any(kind in picked for kind in PLACES)
    alone |= any(s.concept in LANDMARKS for s in reading.subjects) and ground == "meadow"
    backdrop = picked.get("backdrop", "city" if alone else "")
    skyline = backdrop == "city" and ground == "meadow"
    snowing = weather == "snow" and "season" not in picked
    snowy = ground == "snowfield" or snowing or picked.get("season") == "winter"
    dark = ground in ("space", "moonscape") or ("show" in picked and picked["show"] != "rainbow")
    return {
        "ground": ground,
        "backdrop": backdrop,
        "water": "lake" if skyline or (broad and water == "river") else water,
        "time": picked.get("time", "night" if dark else "day"),
        "weather": "snow" if picked.get("trade") and snowy and weather == "clear" else weather,
        "season": "winter" if snowy else picked.get("season", "summer"),
    }


def read(prompt: str, negative: str = "", style: str = "") -> Scene:
    """Read a prompt, its negative prompt and the request's style field into a scene."""
    unquoted = QUOTED.sub(" ", prompt).strip(" ,.。，")
    reading = Reading()
    for hit in hits(unquoted or prompt):
        reading.take(hit)
    absent = frozenset(
        reading.absent | {h.concept for h in hits(negative) if h.kind not in ("unknown", "stop")}
    )
    reading.picked = {k: v for k, v in reading.picked.items() if v not in absent or k == "trade"}
    reading.subjects = [s for s in reading.subjects if s.concept not in absent]
    picked, why = reading.picked, reason(reading)
    template = "card" if why else reading.template()
    trade = picked.get("trade", "")
    zh = any("\u4e00" <= c <= "\u9fff" for c in prompt)
    unknown = reading.unknown + ([style] if style and style not in FIELD_STYLES else [])
    unknown += [] if why else reading.left_out(template)
    if template not in ("shop", "studio") and unquoted:
        unknown += QUOTED.findall(prompt)
    return Scene(
        prompt=prompt,
        template=template,
        **outdoors(reading, ground_of(reading, template)),
        style=FIELD_STYLES.get(style, "") or picked.get("style", "flat"),
        trade="" if trade == "any" else trade,
        sign=sign_of(prompt, trade, picked.get("trade word", ""), zh),
        tone=reading.tone,
        absent=absent,
        subjects=reading.shown(template),
        known=tuple(word for word in dict.fromkeys(reading.known) if word not in unknown),
        unknown=tuple(dict.fromkeys(unknown)),
        chinese=zh,
        why=why,
        room=reading.room(template),
        show=picked.get("show", ""),
        backing=picked.get("backing", ""),
        vessel=picked.get("vessel_of", ""),
        glaze=picked.get("glaze"),
        emblem=picked.get("studio") == "emblem",
    )
