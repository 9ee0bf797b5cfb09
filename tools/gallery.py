"""Draw docs/gallery.md: the illustrator's pictures of the prompts in tools/gallery.toml.

    python -m tools.gallery [FOLDER] [--judged]

With --judged, only the last chapter is written anew: what a judge said (tools/judged.tsv).

Writes gallery.md and gallery/*.webp into FOLDER (docs by default). Each picture is what the engine
makes of the prompt at its first seed, only made smaller; films are shown as four of their frames.
Same prompts, same pixels; the times are of the machine that drew them.
"""

import asyncio
import csv
import shutil
import sys
import tempfile
import threading
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
from msgspec import Struct
from PIL import Image

from ferrotype.engines.illustrator.engine import Illustrator
from ferrotype.media import File
from ferrotype.ports.engine import Job

LIST = Path(__file__).with_suffix(".toml")
JUDGED = Path(__file__).with_name("judged.tsv")
BLIND = """## Judged blind

Sets of 60 prompts that had never been drawn before, half of them Chinese, were drawn once,
shuffled, and shown without their prompts to a judge who knew neither the code nor the prompts. The
judge described each picture, guessed its prompt, and said whether anything in it was absurd; what
was said was then held against the prompt. What each set showed to be wrong was mended in general,
never for one prompt, and the next set was new.
`tools/judged.tsv` holds every word of the judge, with sizes and seeds.

Not wholly blind on the drawing side: the words of sets 2 and 4 were read once before they were
drawn. Two prompts of set 2 that would have become cards were exchanged and a bowl of mixed fruit
that could not be drawn was mended; for set 4, words for a fridge and a stove were added, and a rose
garden was no longer taken for a strange word.
"""
MOST = 4_000_000  # bytes of all pictures together
WIDE, COLUMNS = 480, 3
FRAMES = 4
KINDS = {"still": "text-to-image", "edit": "image-edit", "film": "text-to-video"}
HEAD = """# Gallery

What the illustrator, the engine that comes with Ferrotype, makes of prompts. No model draws these:
it reads the words it knows and draws them as shapes. A prompt that it understands too little of, or
that it would draw absurdly, becomes a card.

`python -m tools.gallery` drew this page from `tools/gallery.toml`. Under each picture: the prompt,
the size asked for, the seed, and the seconds of processor time that it took, file included.
"""


class Bench:
    """A place of work that nobody stops."""

    def __init__(self, workdir: Path) -> None:
        self.workdir, self.stopping = workdir, threading.Event()

    def progress(self, fraction: float, step: int = 0, steps: int = 0) -> None:
        """Nobody watches."""

    async def note(self, memo: bytes) -> None:
        """Nothing is resumed."""


class Made(Struct, frozen=True):
    """One entry's output: the file as the engine wrote it, seconds, and what it says of itself."""

    path: Path
    seconds: float
    facts: dict[str, str]


def side(text: str) -> tuple[int, int]:
    """Read "W*H"."""
    width, height = text.split("*")
    return int(width), int(height)


def make(entry: dict[str, Any], kind: str, drawn: dict[str, Path], folder: Path) -> Made:
    """Make one entry; its `inputs` name other entries by role."""
    folder.mkdir()
    job = Job(
        task=folder.name, attempt=1, model=entry.get("model", "wan2.5-t2i-preview"),
        kind=entry.get("kind", KINDS[kind]), prompt=entry["prompt"],
        negative=entry.get("negative", ""), n=1, seed=entry.get("seed", 1),
        size=side(entry.get("size", "1280*720" if kind == "film" else "1024*1024")),
        fields=entry.get("fields", {}), duration=entry.get("duration"), fps=None, memo=None,
        inputs={role: [given(drawn[name]) for name in names]
                for role, names in entry.get("inputs", {}).items()},
        workdir=str(folder),
    )  # fmt: skip
    start = time.process_time()
    (output,) = asyncio.run(Illustrator().run(job, Bench(folder)))
    seconds = time.process_time() - start
    assert output.path
    return Made(Path(output.path), seconds, facts_of(Path(output.path)))


def given(path: Path) -> File:
    """Return an entry's picture or film as another's input."""
    if path.suffix == ".mp4":
        with av.open(str(path)) as film:
            stream = film.streams.video[0]
            long = float((stream.duration or 0) * (stream.time_base or 0))
            size = stream.width, stream.height
        return File(path=str(path), type="video/mp4", width=size[0], height=size[1], seconds=long)
    with Image.open(path) as picture:
        width, height = picture.size
    return File(path=str(path), type="image/png", width=width, height=height)


def facts_of(path: Path) -> dict[str, str]:
    """Return what a file of ours says of itself."""
    if path.suffix == ".mp4":
        with av.open(str(path)) as film:
            said = film.metadata["comment"].split("; ")
        pairs = (fact.partition(": ") for fact in said)
        return {name.capitalize(): value for name, _, value in pairs}
    with Image.open(path) as picture:
        return dict(picture.text)  # type: ignore[attr-defined]


def preview(path: Path) -> Image.Image:
    """Return a small picture, or a strip of frames of a film."""
    if path.suffix != ".mp4":
        with Image.open(path) as picture:
            small = picture.convert("RGB")
        small.thumbnail((WIDE, WIDE), Image.Resampling.LANCZOS)
        return small
    with av.open(str(path)) as film:
        count = film.streams.video[0].frames
        shown = {round(k * (count - 1) / (FRAMES - 1)) for k in range(FRAMES)}
        frames = [
            Image.fromarray(f.to_ndarray(format="rgb24"))
            for k, f in enumerate(film.decode(video=0))
            if k in shown
        ]
    for frame in frames:
        frame.thumbnail((WIDE * COLUMNS // FRAMES, WIDE), Image.Resampling.LANCZOS)
    wide, high = frames[0].size
    strip = Image.new("RGB", (wide * len(frames), high))
    for k, frame in enumerate(frames):
        strip.paste(frame, (k * wide, 0))
    return strip


def caption(entry: dict[str, Any], made: Made, kind: str) -> str:
    """Say what was asked, and how it went."""
    asked = entry["prompt"].replace("|", "/")
    parts = [entry.get("size", "1280*720" if kind == "film" else "1024*1024")]
    parts += [f"seed {entry.get('seed', 1)}", f"{made.seconds:.2f} s"]
    drawn = made.facts.get("Drawn", "")
    if drawn.startswith(("prompt card", "edit")):
        parts.append(drawn)
    elif left := made.facts.get("Words left out"):
        parts.append(f"left out: {left}")
    return f"**{asked}**<br>{' · '.join(parts)}"


def table(cells: list[tuple[str, str]], columns: int) -> Iterator[str]:
    """Yield pictures in rows, with their captions below."""
    for at in range(0, len(cells), columns):
        row = cells[at : at + columns]
        row += [("", "")] * (columns - len(row))
        yield "| " + " | ".join(picture for picture, _ in row) + " |"
        if at == 0:
            yield "|" + " --- |" * columns
        yield "| " + " | ".join(words for _, words in row) + " |"


def verdicts() -> Iterator[str]:
    """Yield the chapter of what the judge said: every set in numbers, the last one in full."""
    with JUDGED.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    yield BLIND
    yield "| set | drawn as pictures | described rightly | something absurd in it |"
    yield "| --- | --- | --- | --- |"
    for name in dict.fromkeys(row["set"] for row in rows):
        drawn = [row for row in rows if row["set"] == name and row["drawn"] == "picture"]
        right, absurd = (sum(row[k] == "yes" for row in drawn) for k in ("right", "absurd"))
        yield f"| {name} | {len(drawn)} of 60 | {right} | {absurd} |"
    last = [row for row in rows if row["set"] == rows[-1]["set"]]
    yield f"\nThe last set ({len(last)} prompts):\n"
    yield "| prompt | what the judge took it for | rightly | remark |\n| --- | --- | --- | --- |"
    for row in last:
        seen = "a card" if row["drawn"] == "card" else row["guess"].replace("|", "/")
        note = "absurd: " * (row["absurd"] == "yes") + row["remark"].replace("|", "/")
        yield f"| {row['prompt'].replace('|', '/')} | {seen} | {row['right']} | {note} |"
    yield ""


def judge(page: Path) -> None:
    """Write the judge's chapter anew, after all that was drawn."""
    drawn = page.read_text(encoding="utf-8").partition(BLIND.partition("\n")[0])[0]
    page.write_text(drawn + "\n".join(verdicts()), encoding="utf-8")


def main(target: Path) -> None:
    """Draw the page. Ends with an error when its pictures together are too large."""
    chapters = tomllib.loads(LIST.read_text(encoding="utf-8"))["chapter"]
    shutil.rmtree(target / "gallery", ignore_errors=True)
    (target / "gallery").mkdir(parents=True)
    page, drawn, total, number = [HEAD], dict[str, Path](), 0, 0
    with tempfile.TemporaryDirectory() as name:
        for chapter in chapters:
            kind, cells = chapter.get("of", "still"), []
            for entry in chapter["entry"]:
                number += 1
                made = make(entry, kind, drawn, Path(name) / str(number))
                drawn[entry.get("name", str(number))] = made.path
                file = target / "gallery" / f"{number:02}.webp"
                preview(made.path).save(file, "WEBP", quality=86, method=6)
                total += file.stat().st_size
                alt = entry["prompt"].replace("|", "/").replace("[", "(").replace("]", ")")
                cells.append((f"![{alt}](gallery/{file.name})", caption(entry, made, kind)))
                sys.stderr.write(f"{number:3} {made.seconds:6.2f} s  {entry['prompt']}\n")
            columns = 1 if kind == "film" else COLUMNS
            page += [f"## {chapter['title']}", "", *table(cells, columns), ""]
    (target / "gallery.md").write_text("\n".join(page) + "\n", encoding="utf-8")
    judge(target / "gallery.md")
    sys.stderr.write(f"{number} entries, {total / 1e6:.2f} MB\n")
    if total > MOST:
        sys.exit(f"the pictures are larger than {MOST / 1e6:.1f} MB")


if __name__ == "__main__":
    folder = Path(next((arg for arg in sys.argv[1:] if arg != "--judged"), "docs"))
    if "--judged" in sys.argv:
        judge(folder / "gallery.md")
    else:
        main(folder)
