"""Weights on this machine's disk, and how they get there: `recipes pull`."""

from ferrotype.weights.hub import Hub
from ferrotype.weights.manifest import Manifest, WeightsError, faults, read_manifest
from ferrotype.weights.pull import Pull
from ferrotype.weights.want import Want, folder_of, wants

__all__ = [
    "Hub",
    "Manifest",
    "Pull",
    "Want",
    "WeightsError",
    "faults",
    "folder_of",
    "read_manifest",
    "wants",
]
