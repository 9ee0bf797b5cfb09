"""Reads a prompt, English or Chinese, into a scene: what to draw, and which words to leave out."""

import re
import tomllib
import unicodedata
from collections.abc import Iterator
from functools import cache
from importlib.resources import files

from msgspec import Struct

from ferrotype.engines.illustrator.scene import Scene, Subject

LONGEST = 2000  # characters of a prompt that are read
SUBJECTS = ("animal", "swimmer", "vessel", "flying", "building", "thing", "plant")
PLACES = ("ground", "backdrop", "water")
NOUNS = (*SUBJECTS, *PLACES, "trade", "decor", "time", "weather", "season")
FITTINGS = ("door", "awning")  # parts of a shop that may have a colour of their own
PETS = ("cat", "black-cat", "dog", "rabbit", "bicycle")  # what may wait before a shop
INSIDE = ("on", "in", "inside", "under", "at", "aboard")
# colours that need not be said of such things: they are drawn so
NATURAL = {
    ("ground", "green"), ("ground", "white"), ("backdrop", "green"), ("backdrop", "white"),
    ("water", "blue"), ("decor", "blue"), ("decor", "white"), ("decor", "brown"),
}  # fmt: skip
SMALL = {"kitten": "cat", "puppy": "dog"}
FIELD_STYLES = {"<watercolor>": "watercolour", "<flat illustration>": "flat", "<auto>": ""}
TOKEN = re.compile(r"[a-z0-9]+(?:['’-][a-z0-9]+)*|[\u4e00-\u9fff]+|[,.;，。；、!?！？\n]")
QUOTED = re.compile(r"[\"“「『]([^\"”」』\n]{1,24})[\"”」』]")
LOOSE = re.compile(r"(?!.*fish$).{3,}(ly|ed|ing|ful|ous|ive|ish|est|less|able|ible|esque)$")


class Hit(Struct, frozen=True):
    """One word of the prompt: its kind and concept ("unknown" where we have none)."""

    kind: str
    concept: str
    text: str


class Vocabulary(Struct, frozen=True):
    """Every word we know, and those we may pass over; `reach` is the longest Chinese word."""

    words: dict[str, tuple[str, str]]
    passed: frozenset[str]
    reach: int


@cache
def vocabulary() -> Vocabulary:
    """Load the vocabulary from its file."""
    source = files("ferrotype.engines.illustrator") / "words.toml"
    tables = tomllib.loads(source.read_text(encoding="utf-8"))
    passed = frozenset(" ".join(tables.pop("ignore").values()).split())
    words = {
        word: (kind, concept)
        for kind, concepts in tables.items()
        for concept, spellings in concepts.items()
        for word in spellings
    }
    reach = max(len(w) for w in (*words, *passed) if w[0] > "\u4dff")
    return Vocabulary(words=words, passed=passed, reach=reach)


def singular(word: str) -> Iterator[str]:
    """Yield a word and what it may be the plural of."""
    yield word
    for ending, stem in (("ies", "y"), ("ves", "f"), ("es", ""), ("s", ""), ("'s", "")):
        if word.endswith(ending) and len(word) > len(ending) + 1:
            yield word[: -len(ending)] + stem


def english(words: list[str]) -> Iterator[Hit]:
    """Yield the hits of a run of English words, the longest phrase first.

    A known noun right before a strange one is half of a compound ("butterfly knife"): unknown.
    """
    held: Hit | None = None
    for hit in (*phrases(words), None):
        if held and hit and held.kind in NOUNS and held.kind != "decor":
            strange = hit.kind == "unknown" and hit.concept != "loose"
            half = held.kind in SUBJECTS and hit.kind in (*SUBJECTS, "trade")
            if strange:
                held = Hit("unknown", hit.concept, f"{held.text} {hit.text}")
                continue
            if half and not held.kind == hit.kind == "plant":
                held = Hit("unknown", "noun", held.text)
        if held:
            yield held
        held = hit


def phrases(words: list[str]) -> Iterator[Hit | None]:
    """Yield a hit for each known phrase or strange word, None for each word passed over."""
    known, at = vocabulary(), 0
    while at < len(words):
        for size in (4, 3, 2, 1):
            phrase = words[at : at + size]
            head = " ".join(phrase[:-1])
            forms = (f"{head} {last}".strip() for last in singular(phrase[-1]))
            found = next((known.words[form] for form in forms if form in known.words), None)
            if found and len(phrase) == size:
                yield Hit(*found, " ".join(phrase))
                break
        else:
            word = words[at]
            if word in known.passed or word.rstrip("s") in known.passed:
                yield None
            elif LOOSE.match(word):
                yield Hit("unknown", "loose", word)
            else:
                where = any(before in INSIDE for before in words[max(0, at - 3) : at])
                yield Hit("unknown", "spot" if where else "noun", word)
        at += size


def chinese(run: str) -> Iterator[Hit]:
    """Yield the hits of a run of Hanzi, the longest word first.

    A single character beside a strange one is half of a word that we do not know.
    """
    known = vocabulary()
    parts = list(split(run, known))
    sure = [word in known.words or word in known.passed for word in parts]
    strange = ""
    for k, word in enumerate(parts):
        beside = (k > 0 and not sure[k - 1]) or (k + 1 < len(parts) and not sure[k + 1])
        if not sure[k] or (beside and len(word) == 1 and known.words.get(word, "?")[0] in NOUNS):
            strange += word
            continue
        if strange:
            yield Hit("unknown", "loose" if word in "的地着" else "noun", strange)
            strange = ""
        if word == "的":
            yield Hit("of", "", word)
        elif word in known.words:
            yield Hit(*known.words[word], word)
    if strange:
        yield Hit("unknown", "noun", strange)


def split(run: str, known: Vocabulary) -> Iterator[str]:
    """Split a run of Hanzi into known words, the longest first, and single strange characters."""
    at = 0
    while at < len(run):
        for size in range(min(known.reach, len(run) - at), 0, -1):
            word = run[at : at + size]
            if word in known.words or word in known.passed:
                break
        yield word
        at += size


def hits(text: str) -> list[Hit]:
    """Read a text into hits, in its order. A mark of punctuation is a hit of kind "stop"."""
    marked = unicodedata.normalize("NFKD", text[:LONGEST]).lower()
    plain = "".join(c for c in marked if not unicodedata.combining(c))
    found: list[Hit] = []
    run: list[str] = []
    for token in (*TOKEN.findall(plain), "."):
        if token[0].isascii() and token[0].isalnum():
            run.append(token)
            continue
        found.extend(english(run))
        run = []
        if token[0] > "\u4dff" and token[0] < "\ua000":
            found.extend(chinese(token))
        else:
            found.append(Hit("stop", "", token))
    return found


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

    def take(self, hit: Hit) -> None:
        """Take in the next hit."""
        if hit.kind in ("stop", "of"):
            self.negated = 0 if hit.kind == "stop" or self.negated == 2 else self.negated
            if hit.kind == "stop":
                self.spend(False)
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
        if hit.kind in (*SUBJECTS, *PLACES, "trade", "decor"):
            self.first = self.first or hit.kind
        if hit.kind in SUBJECTS or hit.concept in FITTINGS:
            self.subject(hit)
            return
        if hit.kind == "trade" and self.picked.get("trade", "any") == "any":
            self.picked["trade"], self.tone = hit.concept, self.colour
            self.picked["trade word"] = hit.text
            self.spend(True)
        elif hit.kind != "decor" and not (hit.kind == "time" and hit.concept == "day"):
            self.picked.setdefault(hit.kind, hit.concept)
        if hit.kind in (*PLACES, "trade", "decor"):
            self.spend((hit.kind, self.colour) in NATURAL)

    def subject(self, hit: Hit) -> None:
        """Add a subject, once; more of them only add to their number where it was said."""
        concept = SMALL.get(hit.concept, hit.concept)
        count = self.count or (3 if hit.text.endswith("s") and hit.kind != "plant" else 1)
        if all(s.concept != concept for s in self.subjects):
            small, colour = hit.concept in SMALL, self.colour
            self.subjects.append(Subject(concept=concept, count=count, colour=colour, small=small))
            self.texts.setdefault(concept, hit.text)
            self.spend(True)
        else:
            self.spend(False)

    def left_out(self, shop: bool) -> list[str]:
        """Return the words that this template does not show although we know them."""
        picked = [self.picked[kind] for kind in PLACES if shop and kind in self.picked]
        if shop:
            shown: tuple[str, ...] = (*FITTINGS, *PETS)
            if self.picked["trade"] == "flower":
                shown += ("flower", "rose", "tulip", "daisy", "sunflower", "lavender", "poppy")
            picked += [s.concept for s in self.subjects if s.concept not in shown]
        else:
            picked += [c for c in ("window", "sign", "street", "pot", "ivy", "brick", *FITTINGS)]
        return [self.texts[concept] for concept in picked if concept in self.texts]


def reason(reading: Reading) -> str:
    """Say why this prompt gets a card, or "" when a picture can be drawn."""
    if reading.barred:
        return f"cannot draw {reading.barred}"
    if not any(kind in reading.picked for kind in (*PLACES, "trade")) and not reading.subjects:
        return (
            "nothing to draw was understood" if not reading.nouns else "too little was understood"
        )
    if reading.first == "unknown" and "trade" not in reading.picked:
        return f"does not know {reading.unknown[0]}"
    if reading.lost and not any(kind in reading.picked for kind in (*PLACES, "trade")):
        return f"does not know {reading.lost}"
    if reading.strange > reading.nouns:
        return "fewer than half of the nouns are known"
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


def read(prompt: str, negative: str = "", style: str = "") -> Scene:
    """Read a prompt, its negative prompt and the request's style field into a scene."""
    found = hits(prompt)
    reading = Reading()
    for hit in found:
        reading.take(hit)
    absent = frozenset(
        reading.absent | {h.concept for h in hits(negative) if h.kind not in ("unknown", "stop")}
    )
    zh = any("\u4e00" <= c <= "\u9fff" for c in prompt)
    picked = {k: v for k, v in reading.picked.items() if v not in absent or k == "trade"}
    why = reason(reading)
    trade = picked.get("trade", "")
    asked = FIELD_STYLES.get(style, "") or picked.get("style", "flat")
    unknown = reading.unknown + ([style] if style and style not in FIELD_STYLES else [])
    unknown += [] if why else reading.left_out(bool(trade))
    afloat = any(s.concept in ("sailboat", "rowboat") for s in reading.subjects)
    weather = picked.get("weather", "clear")
    snowy = picked.get("ground") == "snowfield" or picked.get("season") == "winter"
    return Scene(
        prompt=prompt,
        template="card" if why else "shop" if trade else "landscape",
        ground=picked.get("ground", "snowfield" if snowy else "meadow"),
        backdrop=picked.get("backdrop", ""),
        water=picked.get("water", "lake" if afloat and picked.get("ground") != "beach" else ""),
        time=picked.get("time", "day"),
        weather="snow" if trade and snowy and weather == "clear" else weather,
        season="winter" if snowy else picked.get("season", "summer"),
        style=asked,
        trade="" if trade == "any" else trade,
        sign=sign_of(prompt, trade, reading.picked.get("trade word", ""), zh),
        tone=reading.tone,
        absent=absent,
        subjects=tuple(s for s in reading.subjects if s.concept not in absent),
        known=tuple(word for word in dict.fromkeys(reading.known) if word not in unknown),
        unknown=tuple(dict.fromkeys(unknown)),
        chinese=zh,
        why=why,
    )
