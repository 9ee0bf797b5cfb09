"""The engine: reads a job's prompt, draws its pictures, and says in each file what it did."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from ferrotype.engines.illustrator import (
    card,
    landscape,
    lettering,
    reference,
    room,
    shop,
    still,
    styles,
)
from ferrotype.engines.illustrator.drawing import Drawing
from ferrotype.engines.illustrator.edits.edit import edit
from ferrotype.engines.illustrator.edits.sources import Sources, sources
from ferrotype.engines.illustrator.provenance import save
from ferrotype.engines.illustrator.reader import read
from ferrotype.engines.illustrator.scene import Scene
from ferrotype.media import Output
from ferrotype.ports.engine import Bench, EngineRefusal, Job

SHORTEST, LARGEST = 160, 4096 * 4096  # side, area: what any model may be asked lies within
TEMPLATES = {
    "shop": shop.draw, "landscape": landscape.draw, "room": room.draw, "table": still.board,
    "studio": still.studio, "card": card.draw,
}  # fmt: skip
MARK = "Drawn by Ferrotype"


class Illustrator:
    """Draws on the CPU. `concurrency`: how many jobs one process draws at once.

    `quick` films with few pictures, each held longer, for test suites.
    """

    def __init__(self, concurrency: int = 1, quick: bool = False) -> None:
        self.concurrency, self.quick = concurrency, quick

    async def run(self, job: Job, bench: Bench) -> Sequence[Output]:
        """Draw `job.n` pictures, the i-th with `seed + i`; none are drawn after a stop."""
        width, height = job.size
        if min(width, height) < SHORTEST or width * height > LARGEST:
            raise EngineRefusal(
                "InvalidParameter",
                f"The illustrator draws sides from {SHORTEST} pixels and at most {LARGEST} pixels "
                f"in all, not {width}*{height}.",
            )
        work = self.film if "video" in job.kind or job.kind == "animate" else self.draw_all
        return await asyncio.to_thread(work, job, bench)

    def film(self, job: Job, bench: Bench) -> list[Output]:
        """Make the job's film, in this thread."""
        from ferrotype.engines.illustrator.video import film  # half a second, only for films

        return film.make(job, bench, TEMPLATES, self.quick)

    def draw_all(self, job: Job, bench: Bench) -> list[Output]:
        """Draw or edit one picture after the other, in this thread."""
        given = sources(job)
        scene = read(job.prompt, job.negative, str(job.fields.get("style") or ""))
        outputs = []
        for i in range(job.n):
            if bench.stopping.is_set():
                break
            if given:
                picture, scene = self.edited(job, given, job.seed + i)
            else:
                picture = self.picture(job, scene, job.seed + i, bench)
            if job.fields.get("watermark"):
                lettering.stamp(picture, MARK)
            if bench.stopping.is_set():
                break  # its drawing was cut short: never hand out part of a picture
            path = bench.workdir / f"{i}.png"
            save(picture, path, job, scene, job.seed + i)
            outputs.append(
                Output(
                    path=str(path), type="image/png", width=picture.width, height=picture.height,
                    caption=caption(scene, i) if job.fields.get("enable_interleave") else "",
                )
            )  # fmt: skip
            bench.progress((i + 1) / job.n, i + 1, job.n)
        return outputs

    def picture(self, job: Job, scene: Scene, seed: int, bench: Bench) -> Image.Image:
        """Draw one picture: shapes, style, then the caller's reference."""
        size = styles.sketched(scene.style, job.size) if scene.template != "card" else job.size
        drawing = Drawing(scene, *size, seed, job.model)
        for _ in TEMPLATES[scene.template](drawing):
            if bench.stopping.is_set():
                break
        picture = drawing.render()
        if scene.template != "card":
            picture = styles.apply(picture, scene.style, seed, job.size)
        if files := job.inputs.get("ref_img"):
            picture = reference.apply(picture, Path(files[0].path), job.fields, seed)
        return picture

    def edited(self, job: Job, given: Sources, seed: int) -> tuple[Image.Image, Scene]:
        """Edit the caller's pictures; the scene says what was done and what was not understood."""
        made = edit(job, given, seed)
        said = Scene(
            prompt=job.prompt, template="edit: " + "; ".join(made.done), style="",
            known=made.known, unknown=made.unknown,
        )  # fmt: skip
        return made.picture, said


def caption(scene: Scene, i: int) -> str:
    """Say what a picture of a series shows, in the prompt's language: only what was understood."""
    known = list(dict.fromkeys(scene.known))
    if scene.chinese:
        return f"第 {i + 1} 幅：{'、'.join(known)}。" if known else f"第 {i + 1} 幅：文字卡片。"
    return f"Picture {i + 1}: {', '.join(known) or 'the words on a card'}."
