"""`make gpu`: real-size shapes with random weights on a GPU, bare and through an engine room.

python -m bench.gpu --out FOLDER [--scale tiny] [--seconds 520] [--only PART]

Each part is measured for itself: one that fails says so, and the next begins. What is known is
written after each, as gpu.json and gpu.md.
"""

import argparse
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import diffusers
import structlog
import transformers

from bench.gpu_films import Film, switching
from bench.gpu_rooms import FILM, STILL, build, machine
from bench.gpu_run import Bench, Facts, free
from bench.gpu_stills import Still
from ferrotype.engines.diffusers.engine import ALONE


def roomiest() -> Path:
    """Return a folder for 45 GB: in memory where it has them, else where most is free."""
    places = [place for place in map(Path, ("/dev/shm", "/tmp", "/var/tmp")) if place.is_dir()]
    space = {place: shutil.disk_usage(place).free for place in places}
    return places[0] if space[places[0]] > 50e9 else max(places, key=lambda place: space[place])


def parts() -> Iterator[tuple[str, Callable[[Bench], Iterator[Facts]], float]]:
    """Yield each part's name, what measures it, and how many seconds it may take.

    A bare pipeline goes once the next part is asked for that does without it.
    """
    still, film = Still(), Film()
    yield "machine", machine, 30
    yield f"{STILL}: build", build(STILL), 90
    yield f"{STILL}: bare", still.load, 90
    yield f"{STILL}: engine", still.against, 180
    yield f"{STILL}: attention, s a call", still.backends, 60
    yield f"{STILL}: compile", still.compiled, 90
    still.pipe = None
    free()
    yield f"{FILM}: build", build(FILM), 90
    yield f"{FILM}: engine", film.against, 180
    yield f"{FILM}: compile", film.compiled, 90
    film.pipe = None
    free()
    yield f"{STILL}: little memory", still.pressed, 120
    yield f"{STILL}: compiled by recipe", still.through, 120
    yield "switching", switching, 120


def main() -> int:
    """Measure all parts; 0 when none failed."""
    parser = argparse.ArgumentParser(prog="bench.gpu", description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--weights", type=Path, default=roomiest() / "ferrotype-gpu")
    parser.add_argument("--scale", choices=("tiny", "real"), default="real")
    parser.add_argument("--seconds", type=float, default=520.0)
    parser.add_argument("--only", action="append", metavar="PART", help="this part; say it again")
    given = parser.parse_args()
    os.environ.update(ALONE)
    given.out.mkdir(parents=True, exist_ok=True)
    given.weights.mkdir(parents=True, exist_ok=True)
    diffusers.utils.logging.set_verbosity_error()
    transformers.utils.logging.set_verbosity_error()
    with (given.out / "gpu.log").open("a", buffering=1) as log:
        structlog.configure(logger_factory=structlog.PrintLoggerFactory(log))
        bench = Bench(given.out, given.weights, given.scale, given.seconds)
        for name, measure, most in parts():
            if not given.only or any(name == wanted for wanted in given.only):
                bench.part(name, measure, most)
    shutil.rmtree(given.weights, ignore_errors=True)
    shutil.rmtree(given.out / "rooms", ignore_errors=True)
    return 1 if any("error" in facts for facts in bench.found.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
