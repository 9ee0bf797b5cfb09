"""Reads an instruction, English or Chinese, into what is to be done to a picture."""

import re
import tomllib
import unicodedata
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Any

from msgspec import Struct

from ferrotype.engines.illustrator.scene import Subject
from ferrotype.engines.illustrator.words import LONGEST, SUBJECTS, vocabulary

KINDS = ("look", "material", "light", "weather", "season", "region", "verb", "layout")
OWN = ("time", "weather", "season", "colour", "count", *SUBJECTS)
# "the cat of image 1": a thing that the caller's pictures hold already
GIVEN = re.compile(
    r"\b(?:of|from|in) (?:the )?(?:\w+ )?(?:image|picture|photo)s? ?\d"
    r"|[图第] ?[0-9一二三][张幅]?图?[中里]?的"
)
STOP = re.compile(r"[.,;:!?\n，。；：！？、]|\b(?:and|then|but)\b|然后|并且|同时|并")
HANZI = re.compile(r"[\u4e00-\u9fff]")
WORD = re.compile(r"[a-z][a-z'’-]+|[\u4e00-\u9fff]+")


class Hit(Struct, frozen=True):
    """A word we know: its kind, our name for it, how it was written and where."""

    kind: str
    name: str
    text: str
    at: int


class Wish(Struct, frozen=True, kw_only=True):
    """What an instruction asks for. `recolour` pairs regions ("whole", "red"...) with colours."""

    looks: tuple[str, ...] = ()
    material: str = ""
    moods: tuple[str, ...] = ()
    recolour: tuple[tuple[str, str], ...] = ()
    regions: tuple[str, ...] = ()
    add: tuple[Subject, ...] = ()
    colours: tuple[str, ...] = ()
    turning: bool = False
    remove: bool = False
    layout: str = ""
    known: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()

    @property
    def empty(self) -> bool:
        """Say whether nothing was asked for that can be done to one picture."""
        return not (self.looks or self.material or self.moods or self.recolour or self.add)


@cache
def tables() -> dict[str, Any]:
    """Return the words of instructions."""
    source = files("ferrotype.engines.illustrator") / "edits" / "words.toml"
    return tomllib.loads(source.read_text(encoding="utf-8"))


@cache
def lexicon() -> tuple[re.Pattern[str], dict[str, tuple[str, str]]]:
    """Return the pattern that finds every word we know, and what each means."""
    mine = {w: (kind, name) for kind in KINDS for name, ws in tables()[kind].items() for w in ws}
    theirs = vocabulary().words.items()
    known = {w: hit for w, hit in theirs if hit[0] in OWN and hit[1] != "mixed"} | mine
    longest = sorted(known, key=len, reverse=True)
    latin = "|".join(re.escape(w) for w in longest if not HANZI.search(w) and not w.isdigit())
    hanzi = "|".join(re.escape(w) for w in longest if HANZI.search(w))
    return re.compile(rf"#[0-9a-f]{{6}}\b|\b(?:{latin})(?:s|es)?\b|{hanzi}"), known


def plain(text: str) -> str:
    """Return the text in lower case, without accents, cut to what is read."""
    spread = unicodedata.normalize("NFKD", text[:LONGEST]).lower()
    return "".join(c for c in spread if not unicodedata.combining(c))


def hits(text: str) -> Iterator[Hit]:
    """Yield the words we know, in their order, the longest first."""
    pattern, known = lexicon()
    for found in pattern.finditer(text):
        word = found[0]
        if word[0] == "#":
            yield Hit("colour", word, word, found.start())
            continue
        for stem in (word, word.removesuffix("s"), word.removesuffix("es")):
            if stem in known:
                yield Hit(*known[stem], word, found.start())
                break


def read(prompt: str) -> Wish:
    """Read an instruction. What is to be kept or left as it is asks for nothing."""
    text = plain(prompt)
    kinds = ["known", "regions", "colours", "looks", "moods", "material", "layout", "unknown"]
    found: dict[str, list[str]] = {kind: [] for kind in kinds}
    pairs: list[tuple[str, str]] = []
    add: list[Subject] = []
    remove = turning = False
    for clause in STOP.split(
        text.replace("black and white", "b&w").replace("blue and white", "blue-and-white")
    ):
        said = list(hits(clause))
        verbs = {h.name for h in said if h.kind == "verb"}
        found["layout"] += [h.name for h in said if h.kind == "layout"]
        found["known"] += [h.text for h in said if h.kind not in ("verb", "count")]
        if "keep" in verbs:
            continue
        remove, turning = remove or "remove" in verbs, turning or "turn" in verbs
        if "remove" in verbs:
            found["unknown"] += [h.text for h in said if h.kind == "verb" or h.kind == "region"]
            continue
        found["regions"] += [h.name for h in said if h.kind == "region" and h.name != "part"]
        found["colours"] += [h.name for h in said if h.kind == "colour"]
        found["looks"] += [h.name for h in said if h.kind == "look"]
        found["material"] += [h.name for h in said if h.kind == "material"]
        found["moods"] += [h.name for h in said if h.kind in ("light", "weather", "season", "time")]
        if "add" in verbs and not GIVEN.search(clause) and (new := subjects(said)):
            add += new
        else:
            pairs += dyed(said, "turn" in verbs, bool(strange(clause)))
            found["unknown"] += [h.text for h in said if h.name == "part"]
    return Wish(
        looks=once(found["looks"]), material=next(iter(found["material"]), ""),
        moods=once(found["moods"]), recolour=tuple(dict.fromkeys(pairs)),
        colours=tuple(found["colours"]), regions=once(found["regions"]),
        add=tuple(add), turning=turning, remove=remove, layout=next(iter(found["layout"]), ""),
        known=once(found["known"]), unknown=once(found["unknown"] + strange(text)),
    )  # fmt: skip


def once(words: list[str]) -> tuple[str, ...]:
    """Return the words without repeats."""
    return tuple(dict.fromkeys(words))


def dyed(said: list[Hit], turning: bool, named: bool) -> list[tuple[str, str]]:
    """Pair a clause's colours with its regions, each with the nearest; "red to blue" too."""
    colours = [h for h in said if h.kind == "colour"]
    places = [h for h in said if h.kind == "region" or h.kind in SUBJECTS]
    if len(colours) == 2 and turning and len(places) <= 1 and all(h.name != "part" for h in places):
        place = (
            places[0].name
            if places and places[0].name in ("sky", "water", "ground", "green")
            else ""
        )
        return [(place or colours[0].name, colours[1].name)]
    if not places:
        return [("subject" if named else "whole", h.name) for h in colours[:1]]
    pairs = []
    for colour in colours:
        if not places:
            break
        near = min(places, key=lambda place: abs(place.at - colour.at))
        places.remove(near)
        pairs.append((near.name if near.kind == "region" else "subject", colour.name))
    return [pair for pair in pairs if pair[0] != "part"]


def subjects(said: list[Hit]) -> list[Subject]:
    """Return the things in a clause that the illustrator can draw, with their colours."""
    out, colour, count = [], None, 1
    words = vocabulary().words
    for hit in said:
        kind, name = words.get(hit.text.removesuffix("s"), words.get(hit.text, ("", "")))
        if hit.kind == "colour":
            colour = hit.name
        elif hit.kind == "count":
            count = min(6, int(hit.name))
        elif kind in SUBJECTS:
            out.append(Subject(concept=name, count=count, colour=colour))
            colour, count = None, 1
    return out


def strange(text: str) -> list[str]:
    """Return the words of a text that mean nothing to us and are no mere grammar."""
    ignore = tables()["ignore"]
    passed = vocabulary().passed | set(ignore["english"].split()) | set(ignore["chinese"].split())
    rest = lexicon()[0].sub(" ", text)
    out = []
    for word in WORD.findall(rest):
        if HANZI.match(word):
            for part in sorted((p for p in passed if HANZI.match(p)), key=len, reverse=True):
                word = word.replace(part, "")
        elif word in passed or word.rstrip("s") in passed or len(word) < 2:
            continue
        if word:
            out.append(word)
    return out
