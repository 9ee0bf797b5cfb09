"""Takes tasks from the ledger and sees them through: claim, run, keep, settle."""

from ferrotype.worker.options import Options
from ferrotype.worker.station import Station
from ferrotype.worker.stop import Stop
from ferrotype.worker.toolbox import Toolbox
from ferrotype.worker.worker import Worker
from ferrotype.worker.workshop import Workshop

__all__ = ["Options", "Station", "Stop", "Toolbox", "Worker", "Workshop"]
