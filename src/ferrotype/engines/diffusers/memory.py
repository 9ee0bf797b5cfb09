"""The device's memory: how much there is, when it ran out, and giving it back."""

import contextlib
import gc
import os
from typing import Any

import torch
from msgspec import Struct

SHARE = 0.8  # of the memory there is, for loaded pipelines: the rest is for what a call needs
_EMPTY = ("not enough memory", "out of memory", "can't allocate memory", "CUBLAS_STATUS_ALLOC")
_BROKEN = ("CUDA error", "CUDNN_STATUS_EXECUTION_FAILED", "device-side assert")


class Bytes(Struct, frozen=True):
    """Memory on the device and, for what waits there, on the host."""

    device: int = 0
    host: int = 0

    def __add__(self, other: "Bytes") -> "Bytes":
        return Bytes(self.device + other.device, self.host + other.host)

    def within(self, most: "Bytes") -> bool:
        """Whether this is no more than that, in both places."""
        return self.device <= most.device and self.host <= most.host


def choose_device(asked: str) -> torch.device:
    """Return the device asked for, else the best there is. Raises `RuntimeError`, `ValueError`."""
    if asked:
        device = torch.device(asked)
        if device.type == "cuda":
            torch.cuda.get_device_properties(device)  # says so when there is no such one
        return device
    if torch.cuda.is_available():
        return torch.device("cuda", 0)
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def budget(device: torch.device, asked: int | None) -> Bytes:
    """Return how much loaded pipelines may take together: as asked, else a share of all."""
    pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    host = int(SHARE * pages * size)
    own = host
    if device.type == "cuda":
        own = int(SHARE * torch.cuda.get_device_properties(device).total_memory)
    return Bytes(asked or own, host)


def ran_out(error: BaseException) -> bool:
    """Tell whether an error says that memory ran out."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(word in str(error) for word in _EMPTY)


def broke(error: BaseException) -> bool:
    """Tell whether an error leaves the device useless for this process."""
    return isinstance(error, RuntimeError) and any(word in str(error) for word in _BROKEN)


def peak(device: torch.device) -> int | None:
    """Return the most bytes that were in use since the last time this was asked."""
    if device.type != "cuda":
        return None
    most = int(torch.cuda.max_memory_allocated(device))
    torch.cuda.reset_peak_memory_stats(device)
    return most


def free() -> None:
    """Give back what nothing holds any more."""
    gc.collect()
    if torch.cuda.is_available():
        with contextlib.suppress(RuntimeError):  # a device that an error has broken
            torch.cuda.empty_cache()


def taken(modules: list[Any]) -> int:
    """Return the bytes of the modules' numbers, each counted once."""
    seen = {
        tensor.data_ptr() or id(tensor): tensor.nbytes
        for module in modules
        for tensor in (*module.parameters(), *module.buffers())
    }
    return sum(seen.values())
