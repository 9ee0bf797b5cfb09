"""Every setting of a deployment: one frozen object, read once and handed down."""

from ferrotype.settings.sources import load
from ferrotype.settings.table import Settings, default_data_dir, reference
from ferrotype.settings.values import SettingsError, is_loopback, seconds

__all__ = [
    "Settings",
    "SettingsError",
    "default_data_dir",
    "is_loopback",
    "load",
    "reference",
    "seconds",
]
