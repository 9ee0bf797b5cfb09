"""What a file says of itself: who served it, by which model, from which seed and words."""

from ferrotype.ports.engine import Job
from ferrotype.provenance import TRAINED, plain

SOFTWARE = "Ferrotype"
Facts = dict[str, str]


def facts(job: Job, i: int, served: str, changed: str) -> Facts:
    """Say what made the i-th output. `changed`: what we did to it, "" for nothing."""
    said = {
        "Software": SOFTWARE,
        "Engine": job.served_by or "openai",
        "Model asked": job.model,
        "Model there": served,
        "Task": job.task,
        "Seed": str(job.seed + i),
        "Description": plain(job.prompt),
        "Changed": changed,
    }
    return {name: value for name, value in said.items() if value}


def film_tags(facts: Facts) -> Facts:
    """Lay the facts out as the tags of an MP4."""
    rest = {name: value for name, value in facts.items() if name not in ("Software", "Description")}
    rest["DigitalSourceType"] = TRAINED
    return {
        "artist": SOFTWARE,
        "description": facts.get("Description", ""),
        "comment": "; ".join(f"{name}: {value}" for name, value in rest.items()),
    }
