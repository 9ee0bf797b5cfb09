"""What a file of ours says: the weights, the words, the numbers, and how it was fitted."""

from ferrotype.engines.diffusers.canvas import Canvas
from ferrotype.engines.diffusers.options import Options
from ferrotype.engines.diffusers.weights import Weights
from ferrotype.ports.engine import Job
from ferrotype.provenance import TRAINED, plain

SOFTWARE = "Ferrotype diffusers"


def system(job: Job, options: Options) -> str:
    """Name the model that made a file, and the one that was asked for."""
    title = Weights(options.weights, options.revision).title
    return f"{plain(title)} (asked for {plain(job.model)})"


def facts(
    job: Job, options: Options, canvas: Canvas, seed: int, told: dict[str, object]
) -> dict[str, str]:
    """Return a file's facts by name. `told`: numbers of the call; None is left out."""
    loras = [
        f"{Weights(lora.weights, lora.revision).title} * {lora.scale:g}" for lora in options.lora
    ]
    found: dict[str, object] = {
        "Software": SOFTWARE,
        "Engine": job.served_by or "diffusers",
        "Model asked": job.model,
        "Weights": Weights(options.weights, options.revision).title,
        "LoRA": ", ".join(loras) or None,
        "Task": job.task,
        "Seed": seed,
        "Description": plain(job.prompt),
        "Size asked": "{}*{}".format(*canvas.asked),
        "Size drawn": "{}*{}".format(*canvas.drawn),
        **told,
    }
    return {name: str(value) for name, value in found.items() if value is not None}


def tags(found: dict[str, str]) -> dict[str, str]:
    """Return the same facts as the tags of a film."""
    known = {"Software", "Description"}
    comment = "; ".join(f"{name}: {value}" for name, value in found.items() if name not in known)
    return {
        "title": "Ferrotype film",
        "artist": SOFTWARE,
        "description": found["Description"],
        "comment": f"{comment}; DigitalSourceType: {TRAINED}",
    }
