"""What a picture says of itself: engine, model, seed and which words were understood."""

from pathlib import Path

from PIL import Image

from ferrotype import provenance
from ferrotype.engines.illustrator.scene import Scene
from ferrotype.ports.engine import Job
from ferrotype.provenance import plain

SERVED_BY = "illustrator; illustration"  # engine; label, the same whatever is drawn
SOURCE = provenance.DRAWN


def save(picture: Image.Image, path: Path, job: Job, scene: Scene, seed: int) -> None:
    """Write a PNG with its provenance."""
    facts = {
        "Software": "Ferrotype illustrator",
        "Engine": SERVED_BY,
        "Model asked": job.model,
        "Task": job.task,
        "Seed": str(seed),
        "Description": plain(job.prompt),
        "Drawn": "prompt card: " + scene.why if scene.template == "card" else scene.template,
        "Style": scene.style,
        "Words understood": plain(", ".join(scene.known)),
        "Words left out": plain(", ".join(scene.unknown)),
    }
    system = f"Ferrotype illustrator, no model (asked for {plain(job.model)})"
    provenance.save_png(picture, path, facts, source=SOURCE, system=system)
