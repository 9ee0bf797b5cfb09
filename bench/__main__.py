"""`make bench`: measure everything, print it, and write docs/performance.md.

python -m bench [rates | ledger | latency | recovery | pictures | database | diffusers] ...

With names, only those families are measured, and nothing is written. What tests/diffusers/ready
installs is needed for the last one, which is left out without it.
"""

import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

from bench import claims, database, diffusers, document, latency, pictures, rates, recovery
from bench.rows import HEAD, Section
from bench.servers import LOAD
from bench.wrk import missing

SCRATCH = (
    document.ROOT / ".bench"
)  # beside the checkout's other files: on a real disk, unlike many /tmp
FAMILIES: Mapping[str, Callable[[Path], Section]] = {
    "rates": rates.measure,
    "ledger": claims.measure,
    "latency": latency.measure,
    "recovery": recovery.measure,
    "pictures": pictures.measure,
    "database": database.measure,
    "diffusers": diffusers.measure,
}


def main(names: Sequence[str]) -> int:
    """Measure; 0 when every target is kept, 1 when one is missed, 2 for wrong use."""
    console = Console(width=None if sys.stdout.isatty() else 140)
    unknown = set(names) - set(FAMILIES)
    lacks = "make bench needs two processors to itself" if LOAD < 0 else missing()
    if unknown or lacks:
        say = lacks or f"make bench knows {', '.join(FAMILIES)}, not {', '.join(unknown)}"
        Console(stderr=True).print(say, highlight=False)
        return 2
    busy = psutil.cpu_percent(1.0)
    known = [name for name in FAMILIES if name != "diffusers" or find_spec("torch")]
    sections = [_measure(name, console) for name in names or known]
    if not names:
        document.fill(
            machine=document.machine(busy),
            **{section.name: section.markdown() for section in sections},
        )
        console.print(f"Written to {document.DOCUMENT.relative_to(document.ROOT)}.")
    missed = [row.what for section in sections for row in section.rows if not row.met]
    console.print(f"{len(missed)} targets missed: {'; '.join(missed)}" if missed else "All kept.")
    return 1 if missed else 0


def _measure(name: str, console: Console) -> Section:
    """Measure one family in a scratch folder of its own, and print it."""
    folder = SCRATCH / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, parents=True)
    began = time.monotonic()
    section = FAMILIES[name](folder)
    shutil.rmtree(folder)
    table = Table(*HEAD, title=f"{name} ({time.monotonic() - began:.0f} s)", title_justify="left")
    for row in section.rows:
        table.add_row(*row.cells)
    console.print(table, highlight=False)
    return section


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
