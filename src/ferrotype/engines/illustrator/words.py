"""The illustrator's vocabulary, and a prompt's words looked up in it: English and Chinese."""

import re
import tomllib
import unicodedata
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Any

from msgspec import Struct

LONGEST = 2000  # characters of a prompt that are read
SUBJECTS = (
    "animal", "swimmer", "marine", "vessel", "flying", "cosmic", "building", "thing", "plant",
    "food", "ware", "furniture",
)  # fmt: skip
PLACES = ("ground", "backdrop", "water")
SETTINGS = ("room", "table", "vessel_of")
NOUNS = (*SUBJECTS, *PLACES, *SETTINGS, "trade", "decor", "time", "weather", "season", "show")
INSIDE = ("on", "in", "inside", "under", "at", "aboard")
TOKEN = re.compile(r"[a-z0-9]+(?:['’-][a-z0-9]+)*|[\u4e00-\u9fff]+|[,.;，。；、!?！？\n]")
LOOSE = re.compile(r"(?!.*fish$).{3,}(ly|ed|ing|ful|ous|ive|ish|est|less|able|ible|esque)$")


def table(name: str) -> dict[str, Any]:
    """Load one of the illustrator's own tables."""
    source = files("ferrotype.engines.illustrator") / f"{name}.toml"
    return tomllib.loads(source.read_text(encoding="utf-8"))


class Hit(Struct, frozen=True):
    """One word of the prompt: its kind and concept ("unknown" where we have none)."""

    kind: str
    concept: str
    text: str


class Vocabulary(Struct, frozen=True):
    """Every word we know, those we may pass over, and what makes a noun another's half.

    `reach` is the length of the longest Chinese word.
    """

    words: dict[str, tuple[str, str]]
    passed: frozenset[str]
    halves: frozenset[str]
    reach: int


@cache
def vocabulary() -> Vocabulary:
    """Load the vocabulary from its files; the later one decides what a word means."""
    words: dict[str, tuple[str, str]] = {}
    passed: set[str] = set()
    halves: set[str] = set()
    for tables in (table("words"), table("nouns")):
        passed.update(" ".join(tables.pop("ignore").values()).split())
        halves.update(tables.pop("half", {}).get("chinese", "").split())
        for kind, concepts in tables.items():
            for concept, spellings in concepts.items():
                words.update((word, (kind, concept)) for word in spellings)
    reach = max(len(w) for w in (*words, *passed) if w[0] > "\u4dff")
    return Vocabulary(words=words, passed=frozenset(passed), halves=frozenset(halves), reach=reach)


@cache
def concepts(*kinds: str) -> frozenset[str]:
    """Return every concept of some kinds."""
    return frozenset(concept for kind, concept in vocabulary().words.values() if kind in kinds)


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

    A single character beside a strange one is half of a word that we do not know, and so is a
    noun before a character that makes another thing of it.
    """
    known = vocabulary()
    parts = list(whole(split(run, known), known))
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


def whole(parts: Iterator[str], known: Vocabulary) -> Iterator[str]:
    """Yield a run's words; a thing's name and what makes another thing of it are one word."""
    held = ""
    for part in (*parts, ""):
        if held and part in known.halves:
            held += part
            continue
        if held:
            yield held
        held = part if known.words.get(part, ("",))[0] in SUBJECTS else ""
        if part and not held:
            yield part


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
