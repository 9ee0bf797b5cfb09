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
SMALL = {"kitten": "cat", "puppy": "dog"}
FIELD_STYLES = {"<watercolor>": "watercolour", "<flat illustration>": "flat", "<auto>": ""}
TOKEN = re.compile(r"[a-z0-9]+(?:['’-][a-z0-9]+)*|[\u4e00-\u9fff]+|[,.;，。；、!?！？\n]")
QUOTED = re.compile(r"[\"“「『]([^\"”」』\n]{1,24})[\"”」』]")
LOOSE = re.compile(r".{3,}(ly|ed|ing|ful|ous|ive|ish|est|less|able|ible|esque)$")


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
    """Yield the hits of a run of English words, the longest phrase first."""
    known, at = vocabulary(), 0
    while at < len(words):
        for size in (4, 3, 2, 1):
            phrase = words[at : at + size]
            if len(phrase) < size:
                continue
            head = " ".join(phrase[:-1])
            found = next(
                (
                    f
                    for last in singular(phrase[-1])
                    if (f := known.words.get(f"{head} {last}".strip()))
                ),
                None,
            )
            if found:
                yield Hit(*found, " ".join(phrase))
                break
        else:
            size, word = 1, words[at]
            if word not in known.passed and not any(
                part in known.passed for part in (word.rstrip("s"),)
            ):
                yield Hit("unknown", "loose" if LOOSE.match(word) else "noun", word)
        at += size


def chinese(run: str) -> Iterator[Hit]:
    """Yield the hits of a run of Hanzi, the longest word first."""
    known, at, strange = vocabulary(), 0, ""
    while at < len(run):
        for size in range(min(known.reach, len(run) - at), 0, -1):
            word = run[at : at + size]
            if word in known.words or word in known.passed:
                break
        if word in known.words or word in known.passed:
            if strange:
                yield Hit("unknown", "loose" if word in ("的", "地", "着") else "noun", strange)
                strange = ""
            if word in known.words:
                yield Hit(*known.words[word], word)
        else:
            strange += word
        at += size
    if strange:
        yield Hit("unknown", "noun", strange)


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
        self.absent: set[str] = set()
        self.known: list[str] = []
        self.unknown: list[str] = []
        self.nouns = self.strange = 0
        self.first = ""
        self.barred = ""
        self.tone: str | None = None
        self.count, self.colour, self.negated = 0, None, False  # type: int, str | None, bool

    def take(self, hit: Hit) -> None:
        """Take in the next hit."""
        if hit.kind == "stop":
            self.count, self.colour, self.negated = 0, None, False
        elif hit.kind == "negation":
            self.negated = True
        elif self.negated and hit.kind != "colour":
            self.absent.add(hit.concept)
            self.known.append(hit.text)
        elif hit.kind == "count":
            self.count = int(hit.concept)
        elif hit.kind == "colour":
            self.colour = hit.concept
            self.known.append(hit.text)
        elif hit.kind in ("unknown", "card", "other_style"):
            self.miss(hit)
        else:
            self.known.append(hit.text)
            self.place(hit)

    def miss(self, hit: Hit) -> None:
        """Note a word that we cannot draw."""
        self.unknown.append(hit.text)
        if hit.kind == "card":
            self.barred = self.barred or hit.text
        elif hit.kind == "unknown" and hit.concept == "noun":
            self.strange += 1
            self.first = self.first or "unknown"
            self.count, self.colour = 0, None

    def place(self, hit: Hit) -> None:
        """Note a word that we can draw, with the count and colour that wait for it."""
        if hit.kind in NOUNS:
            self.nouns += 1
        if hit.kind in (*SUBJECTS, *PLACES, "trade", "decor"):
            self.first = self.first or hit.kind
        if hit.kind in SUBJECTS or hit.concept in ("door", "awning"):
            concept = SMALL.get(hit.concept, hit.concept)
            count = self.count or (3 if hit.text.endswith("s") and hit.kind != "plant" else 1)
            if all(s.concept != concept for s in self.subjects):
                small = hit.concept in SMALL
                self.subjects.append(
                    Subject(concept=concept, count=count, colour=self.colour, small=small)
                )
        elif hit.kind == "trade" and self.picked.get("trade", "any") == "any":
            self.picked["trade"], self.tone = hit.concept, self.colour
            self.picked["trade word"] = hit.text
        elif hit.kind != "decor" and not (hit.kind == "time" and hit.concept == "day"):
            self.picked.setdefault(hit.kind, hit.concept)
        if hit.kind in (*SUBJECTS, *PLACES, "trade", "decor"):
            self.count, self.colour = 0, None


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
    picked = {k: v for k, v in reading.picked.items() if v not in absent}
    why = reason(reading)
    trade = picked.get("trade", "")
    asked = FIELD_STYLES.get(style, "") or picked.get("style", "flat")
    unknown = reading.unknown + ([style] if style and style not in FIELD_STYLES else [])
    weather = picked.get("weather", "clear")
    snowy = picked.get("ground") == "snowfield" or picked.get("season") == "winter"
    return Scene(
        prompt=prompt,
        template="card" if why else "shop" if trade else "landscape",
        ground=picked.get("ground", "snowfield" if snowy else "meadow"),
        backdrop=picked.get("backdrop", ""),
        water=picked.get("water", ""),
        time=picked.get("time", "day"),
        weather="snow" if trade and snowy and weather == "clear" else weather,
        season="winter" if snowy else picked.get("season", "summer"),
        style=asked,
        trade="" if trade == "any" else trade,
        sign=sign_of(prompt, trade, reading.picked.get("trade word", ""), zh),
        tone=reading.tone,
        absent=absent,
        subjects=tuple(s for s in reading.subjects if s.concept not in absent),
        known=tuple(dict.fromkeys(reading.known)),
        unknown=tuple(dict.fromkeys(unknown)),
        chinese=zh,
        why=why,
    )
