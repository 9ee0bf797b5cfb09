"""What was read of a prompt: its words one by one, until counts and colours have their nouns."""

from msgspec import structs

from ferrotype.engines.illustrator.scene import Subject
from ferrotype.engines.illustrator.words import (
    NOUNS,
    PLACES,
    SETTINGS,
    SUBJECTS,
    Hit,
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
# rooms that a piece of furniture speaks of, the most telling first
ROOM_OF = {
    "bed": "bedroom",
    "stove": "kitchen",
    "fridge": "kitchen",
    "desk": "office",
    "shelf": "library",
}
PARTS = ("window", "sign", "pot", "ivy", "brick", *FITTINGS)  # of a house: no landscape shows them


SHOALS = ("bird", "fish", "lotus")  # several of these, if nothing else is said
# these are one thing in the plural too
MASSES = ("french-fries", "steaming-bowl", "spaghetti", "pancakes", "grapes", "books", "popcorn")


GOODS: dict[str, list[str]] = table("props")["goods"]
COMES_WITH: dict[str, list[str]] = table("props")["has"]
# of other plants a word is a field, and of other wares often one ("glasses")
GROWN = ("tree", "pine", "cherry", "palm", "cactus", "mushroom", "spiral-shell", "candle")


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
        self.filling = False  # what a bowl was just named for waits

    def take(self, hit: Hit) -> None:
        """Take in the next hit."""
        if hit.kind in ("stop", "relation", "close") and self.tint == "orange" and not self.negated:
            self.colour, self.tint = None, ""  # the fruit, since no noun came
            self.place(Hit("food", "tangerine", "orange"))
            self.known.append("orange")
        if hit.kind == "measure":
            return  # "two glasses of juice": the count is the juice's
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
            if hit.kind not in ("colour", "count"):
                self.absent.add(hit.concept)
                self.known.append(hit.text)
                self.negated = 2
        elif hit.kind == "count":
            self.count = int(hit.concept)  # "a" and "an" count too: without them fish are many
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
            self.anchor = hit.concept
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
        elif hit.kind == "ground" and "ground" in self.picked:
            self.reground(hit.concept)
        elif hit.kind == "vessel_of":
            self.contain(hit)
        elif hit.kind != "decor" and not (hit.kind == "time" and hit.concept == "day"):
            self.picked.setdefault(hit.kind, hit.concept)
        if hit.concept == "brick" and self.colour:
            self.tone = self.tone or self.colour
            self.texts["wall"] = self.tint
            self.spend(True)
        if hit.kind in (*PLACES, *SETTINGS, "trade", "decor"):
            self.spend((hit.kind, self.colour) in NATURAL)

    def reground(self, concept: str) -> None:
        """Choose between the ground named before and another: snow only covers a street."""
        both = {self.picked["ground"], concept}
        if both == {"street", "snowfield"}:
            self.picked |= {"ground": "street", "season": "winter"}
        elif self.picked["ground"] == "street":
            self.picked["ground"] = concept

    def contain(self, hit: Hit) -> None:
        """Note what things lie in, and its colour; a plate stands on a table."""
        if self.picked.setdefault("vessel_of", hit.concept) != hit.concept == "vase":
            self.subjects.append(Subject(concept="vase", colour=self.colour, kind="ware"))
            self.spend(True)
            return
        self.filling = True
        if hit.concept == "plate":
            self.picked.setdefault("table", "table")
        if self.colour:
            self.picked["glaze"] = self.colour
            self.texts["glaze"] = self.tint
        self.spend(True)

    def subject(self, hit: Hit) -> None:
        """Add a subject, once; more of them only add to their number where it was said."""
        concept = SMALL.get(hit.concept, hit.concept)
        count = self.count if self.count > 1 or not plural(hit) or concept in MASSES else 3
        count = count or self.usual(concept, hit)
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

    def usual(self, concept: str, hit: Hit) -> int:
        """Return how many there are when nothing is said of it."""
        served = hit.kind == "food" and self.filling and not hit.text.isascii()
        self.filling = False
        if served or concept in SHOALS or hit.text.endswith("群"):
            return 4
        return 1

    def left_out(self, template: str) -> list[str]:
        """Return the words that this template does not show although we know them."""
        picked = [] if template == "landscape" else [
            self.picked[kind] for kind in PLACES
            if self.picked.get(kind, "street") not in ("street", "snowfield")
        ]  # fmt: skip
        picked += [] if template in ("table", "room") else ["glaze"]
        picked += [] if template == "shop" else ["wall"]
        if template == "landscape" and self.picked.get("ground") != "street":
            picked += ["lamp", "lantern"]
        if template == "shop":
            shown: tuple[str, ...] = (*FITTINGS, *PETS)
            if self.picked["trade"] == "flower":
                shown += ("flower", "rose", "tulip", "daisy", "sunflower", "lavender", "poppy")
            sold = self.picked["trade"] in GOODS
            picked.append(self.picked.get("vessel_of", ""))
            picked += [
                s.concept for s in self.subjects
                if s.concept not in shown and not (sold and s.kind == "food")
            ]  # fmt: skip
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
            pieces = any(s.kind == "furniture" and s.concept != "floorlamp" for s in self.subjects)
            return "room" if "animal" in kinds or pieces else "table"
        if kinds and "studio" in picked and not outside:
            return "studio"
        if outside:
            return "landscape"
        if "furniture" in kinds:
            return "room"
        if "vessel_of" in picked and not kinds - {"food", "ware", "plant"}:
            return "table"
        if kinds and not kinds - {"food", "ware"}:
            dry = picked.get("weather", "clear") == "clear"
            return "table" if "food" in kinds else "studio" if dry else "landscape"
        pets = {s.concept for s in self.subjects if s.kind == "animal"}
        return "room" if "ware" in kinds and pets and pets < {*PETS, "poodle"} else "landscape"

    def room(self, template: str) -> str:
        """Return the room that was named, or that its furniture speaks of."""
        if template != "room" or "room" in self.picked:
            return self.picked.get("room", "")
        pieces = {s.concept for s in self.subjects}
        return next((room for piece, room in ROOM_OF.items() if piece in pieces), "")

    def shown(self, template: str) -> tuple[Subject, ...]:
        """Return the subjects to draw: none twice, a lamp where a room was to have one."""
        parts = {part for s in self.subjects for part in COMES_WITH.get(s.concept, ())}
        found = [s for s in self.subjects if s.concept not in parts]
        lit = template != "room" or any(s.concept == "floorlamp" for s in found)
        lamp = Subject(concept="floorlamp", kind="furniture")
        return (*found, lamp) if "lamp" in self.texts and not lit else tuple(found)


def plural(hit: Hit) -> bool:
    """Say whether a noun stands in the plural: several of it, but how many was not said."""
    many = hit.kind not in ("plant", "ware") or hit.concept in GROWN
    singles = list(singular(hit.text))[1:] if many else []
    return any(single in vocabulary().words for single in singles)
