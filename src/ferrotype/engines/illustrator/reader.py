"""Reads a prompt, English or Chinese, into a scene: what to draw, and which words to leave out."""

import re

from msgspec import structs

from ferrotype.engines.illustrator.scene import Scene, Subject
from ferrotype.engines.illustrator.words import (
    NOUNS,
    PLACES,
    SETTINGS,
    SUBJECTS,
    Hit,
    concepts,
    hits,
    singular,
    table,
    vocabulary,
)

FITTINGS = ("door", "awning")  # parts of a shop that may have a colour of their own
PETS = ("cat", "black-cat", "dog", "rabbit", "bicycle")  # what may wait before a shop
# colours that need not be said of such things: they are drawn so
NATURAL = {
    ("ground", "green"), ("ground", "white"), ("backdrop", "green"), ("backdrop", "white"),
    ("water", "blue"), ("decor", "blue"), ("decor", "white"), ("decor", "brown"),
    ("vessel_of", "brown"), ("table", "brown"), ("table", "white"), ("room", "white"),
}  # fmt: skip
SMALL = {"kitten": "cat", "puppy": "dog"}
PIECES = {"bedroom": "bed", "office": "desk", "table": "table"}  # what a room's word stands for
PARTS = ("window", "sign", "pot", "ivy", "brick", *FITTINGS)  # of a house: no landscape shows them
FIELD_STYLES = {
    "<auto>": "", "<watercolor>": "watercolour", "<flat illustration>": "flat",
    "<oil painting>": "oil", "<sketch>": "pencil", "<chinese painting>": "ink", "<anime>": "anime",
}  # fmt: skip
QUOTED = re.compile(r"[\"“「『]([^\"”」』\n]{1,24})[\"”」』]")


class Reading:
    """Gathers hits into what a scene needs: counts and colours wait for their noun."""

    def __init__(self) -> None:
        self.subjects: list[Subject] = []
        self.picked: dict[str, str] = {}
        self.texts: dict[str, str] = {}
        self.absent: set[str] = set()
        self.known: list[str] = []
        self.unknown: list[str] = []
        self.nouns = self.strange = 0
        self.first = self.barred = self.lost = ""
        self.tone: str | None = None
        self.count, self.colour, self.tint = 0, None, ""  # type: int, str | None, str
        self.negated = 0  # 1: a negation waits for its noun; 2: it has had one
        self.anchor = self.ahead = self.pending = self.near = ""  # for "on the sofa", 沙发上
        self.placed = self.playing = False

    def take(self, hit: Hit) -> None:
        """Take in the next hit."""
        if hit.kind in ("stop", "relation", "close") and self.tint == "orange" and not self.negated:
            self.colour, self.tint = None, ""  # the fruit, since no noun came
            self.place(Hit("food", "tangerine", "orange"))
            self.known.append("orange")
        if hit.kind in ("relation", "at", "play", "close"):
            self.relate(hit)
        elif hit.kind in ("stop", "of"):
            self.negated = 0 if hit.kind == "stop" or self.negated == 2 else self.negated
            if hit.kind == "stop":
                self.spend(False)
                self.ahead = self.anchor = ""
                self.placed = self.playing = False
        elif hit.kind == "negation":
            self.negated = 1
        elif self.negated and (self.negated == 1 or hit.kind in (*SUBJECTS, "decor")):
            if hit.kind != "colour":
                self.absent.add(hit.concept)
                self.known.append(hit.text)
                self.negated = 2
        elif hit.kind == "count":
            self.count = int(hit.concept)
        elif hit.kind == "colour":
            self.unknown += [self.tint] if self.tint else []
            self.colour, self.tint = hit.concept, hit.text
        elif hit.kind in ("unknown", "card", "other_style"):
            self.miss(hit)
        else:
            self.negated = 0
            self.known.append(hit.text)
            self.texts.setdefault(hit.concept, hit.text)
            self.place(hit)

    def relate(self, hit: Hit) -> None:
        """Note a word that puts one thing on, in or beside another.

        In English the place follows the word ("on the sofa"); in Chinese it stands before it, and
        what is there stands before 在 (猫在沙发上) or comes after (沙发上的猫).
        """
        if hit.kind == "close":
            self.picked["close"] = hit.text
        elif hit.kind == "play":
            self.playing = True
        elif hit.kind == "at":
            self.placed = bool(self.subjects)
            self.near = self.subjects[-1].concept if self.subjects else ""
        elif hit.text[0].isascii():
            self.ahead = hit.concept
            self.near = self.subjects[-1].concept if self.subjects else ""
        elif self.anchor and self.placed:
            self.put(self.near, f"{hit.concept} {self.anchor}")
        elif self.anchor:
            self.pending = f"{hit.concept} {self.anchor}"

    def put(self, concept: str, at: str) -> None:
        """Give a subject its place beside another thing, unless it has one."""
        for k, subject in enumerate(self.subjects):
            if subject.concept == concept and not subject.at and at.split()[1] != concept:
                self.subjects[k] = structs.replace(subject, at=at)

    def spend(self, shown: bool) -> None:
        """Be done with the count and colour that wait: the colour is shown, or left out."""
        if self.tint:
            (self.known if shown else self.unknown).append(self.tint)
        self.count, self.colour, self.tint = 0, None, ""

    def miss(self, hit: Hit) -> None:
        """Note a word that we cannot draw."""
        if hit.kind == "unknown" and hit.concept != "loose":
            self.spend(False)
            self.strange += 1
            self.first = self.first or "unknown"
            self.lost = self.lost or (hit.text if hit.concept == "spot" else "")
        self.unknown.append(hit.text)
        if hit.kind == "card":
            self.barred = self.barred or hit.text

    def place(self, hit: Hit) -> None:
        """Note a word that we can draw, with the count and colour that wait for it."""
        if hit.kind in NOUNS:
            self.nouns += 1
        if hit.kind in (*SUBJECTS, *PLACES, *SETTINGS, "trade", "decor"):
            self.first = self.first or hit.kind
            self.anchor = PIECES.get(hit.concept, hit.concept)
            if self.ahead and self.near:
                self.put(self.near, f"{self.ahead} {self.anchor}")
            self.ahead = ""
        if self.playing and hit.kind == "ware":
            self.barred = self.barred or f"playing {hit.text}"
        if hit.kind in SUBJECTS or hit.concept in FITTINGS:
            self.subject(hit)
            return
        if hit.kind == "trade" and self.picked.get("trade", "any") == "any":
            self.picked["trade"], self.tone = hit.concept, self.colour
            self.picked["trade word"] = hit.text
            self.spend(True)
        elif hit.kind == "backing":
            self.picked["backing"] = self.colour or "white"
            self.spend(True)
        elif hit.kind == "ground" and self.picked.get("ground") == "street":
            self.picked["ground"] = hit.concept
        elif hit.kind != "decor" and not (hit.kind == "time" and hit.concept == "day"):
            self.picked.setdefault(hit.kind, hit.concept)
        if hit.kind in (*PLACES, *SETTINGS, "trade", "decor"):
            self.spend((hit.kind, self.colour) in NATURAL)

    def subject(self, hit: Hit) -> None:
        """Add a subject, once; more of them only add to their number where it was said."""
        concept = SMALL.get(hit.concept, hit.concept)
        count = self.count or (3 if plural(hit) else 1)
        if all(s.concept != concept for s in self.subjects):
            small, colour = hit.concept in SMALL, self.colour
            self.subjects.append(
                Subject(
                    concept=concept, count=count, colour=colour, small=small, kind=hit.kind,
                    at=self.pending,
                )
            )  # fmt: skip
            self.pending = ""
            self.texts.setdefault(concept, hit.text)
            self.spend(True)
        else:
            self.spend(False)

    def left_out(self, template: str) -> list[str]:
        """Return the words that this template does not show although we know them."""
        picked = [] if template == "landscape" else [
            self.picked[kind] for kind in PLACES if self.picked.get(kind, "street") != "street"
        ]  # fmt: skip
        if template == "shop":
            shown: tuple[str, ...] = (*FITTINGS, *PETS)
            if self.picked["trade"] == "flower":
                shown += ("flower", "rose", "tulip", "daisy", "sunflower", "lavender", "poppy")
            picked += [s.concept for s in self.subjects if s.concept not in shown]
        else:
            picked += PARTS if template != "room" else PARTS[1:]
        return [self.texts[concept] for concept in picked if concept in self.texts]

    def template(self) -> str:
        """Choose what kind of picture shows this best."""
        kinds, picked = {s.kind for s in self.subjects}, self.picked
        outside = any(kind in picked for kind in (*PLACES, "show"))
        if "emblem" in picked.get("studio", "") and (kinds or "trade" in picked):
            return "studio"
        if "trade" in picked:
            return "shop"
        if "room" in picked:
            return "room"
        if "backing" in picked and kinds and not outside:
            return "studio"
        if "table" in picked:
            return "room" if "animal" in kinds else "table"
        if kinds and "studio" in picked and not outside:
            return "studio"
        if outside:
            return "landscape"
        if "furniture" in kinds:
            return "room"
        if "vessel_of" in picked and not kinds - {"food", "ware", "plant"}:
            return "table"
        if kinds and not kinds - {"food", "ware"}:
            return "table" if "food" in kinds else "studio"
        pets = {s.concept for s in self.subjects if s.kind == "animal"}
        return "room" if "ware" in kinds and pets and pets < {*PETS, "poodle"} else "landscape"


def plural(hit: Hit) -> bool:
    """Say whether a noun stands in the plural: several of it, but how many was not said."""
    singles = list(singular(hit.text))[1:] if hit.kind not in ("plant", "ware") else []
    return any(single in vocabulary().words for single in singles)


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


def absurd(subject: Subject, template: str, reading: Reading) -> str:
    """Say what would look absurd about a subject where this prompt puts it, or ""."""
    way, _, anchor = subject.at.partition(" ")
    carriers = concepts("animal", "vessel", "thing", "building", "flying", "ware", "cosmic")
    if subject.kind == "animal" and way in ("on", "in") and anchor in carriers - {"tent"}:
        return f"cannot draw a {subject.concept} {way} a {anchor}"
    ashore = reading.picked.get("ground", "seabed") != "seabed" and "water" not in reading.picked
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
    floats = any(s.kind == "vessel" for s in reading.subjects) and ground != "beach"
    weather = picked.get("weather", "clear")
    backdrop = picked.get("backdrop", "city" if picked.get("show") == "fireworks" else "")
    skyline = backdrop == "city" and ground == "meadow"
    snowy = ground == "snowfield" or picked.get("season") == "winter"
    dark = ground in ("space", "moonscape") or ("show" in picked and picked["show"] != "rainbow")
    return {
        "ground": ground,
        "backdrop": backdrop,
        "water": "lake" if skyline else picked.get("water", "lake" if floats else ""),
        "time": picked.get("time", "night" if dark else "day"),
        "weather": "snow" if picked.get("trade") and snowy and weather == "clear" else weather,
        "season": "winter" if snowy else picked.get("season", "summer"),
    }


def read(prompt: str, negative: str = "", style: str = "") -> Scene:
    """Read a prompt, its negative prompt and the request's style field into a scene."""
    found = hits(prompt)
    reading = Reading()
    for hit in found:
        reading.take(hit)
    absent = frozenset(
        reading.absent | {h.concept for h in hits(negative) if h.kind not in ("unknown", "stop")}
    )
    reading.picked = {k: v for k, v in reading.picked.items() if v not in absent or k == "trade"}
    reading.subjects = [s for s in reading.subjects if s.concept not in absent]
    picked, why = reading.picked, reason(reading)
    template = "card" if why else reading.template()
    ground = ground_of(reading, template)
    trade = picked.get("trade", "")
    zh = any("\u4e00" <= c <= "\u9fff" for c in prompt)
    unknown = reading.unknown + ([style] if style and style not in FIELD_STYLES else [])
    unknown += [] if why else reading.left_out(template)
    return Scene(
        prompt=prompt,
        template=template,
        **outdoors(reading, ground),
        style=FIELD_STYLES.get(style, "") or picked.get("style", "flat"),
        trade="" if trade == "any" else trade,
        sign=sign_of(prompt, trade, picked.get("trade word", ""), zh),
        tone=reading.tone,
        absent=absent,
        subjects=tuple(reading.subjects),
        known=tuple(word for word in dict.fromkeys(reading.known) if word not in unknown),
        unknown=tuple(dict.fromkeys(unknown)),
        chinese=zh,
        why=why,
        room=picked.get("room", ""),
        show=picked.get("show", ""),
        backing=picked.get("backing", ""),
        vessel=picked.get("vessel_of", ""),
        emblem=picked.get("studio") == "emblem",
    )
