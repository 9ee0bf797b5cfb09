"""Defaults that follow from the machine."""

import os
from pathlib import Path


def default_data_dir() -> Path:
    """Return `$XDG_DATA_HOME/ferrotype`, or that below `~/.local/share`."""
    base = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(base).expanduser().absolute() / "ferrotype"


def default_weights_dir() -> Path:
    """Return the folder beside that of the data: weights are large, shared and no data."""
    return default_data_dir().with_name("ferrotype-weights")


def default_slots() -> int:
    """Return how many pictures to draw at once: one processor stays free for the rest."""
    return max(1, (os.cpu_count() or 1) - 1)
