"""What every attempt works with."""

from dataclasses import dataclass

from ferrotype.catalogue import Catalogue
from ferrotype.ports.bell import Bell
from ferrotype.ports.clock import Clock
from ferrotype.ports.fetcher import Fetcher
from ferrotype.ports.input_store import InputStore
from ferrotype.ports.ledger import Work
from ferrotype.ports.media_store import MediaStore
from ferrotype.ports.seal import Seal
from ferrotype.worker.options import Options
from ferrotype.worker.workshop import Workshop


@dataclass(frozen=True, kw_only=True)
class Toolbox:
    """The parts that a worker is built from."""

    work: Work
    bell: Bell
    catalogue: Catalogue
    fetcher: Fetcher
    store: MediaStore
    inputs: InputStore
    clock: Clock
    workshop: Workshop
    options: Options
    seal: Seal | None = None
