"""Every setting of a deployment: one frozen object, read once and handed down."""

from ferrotype.settings.defaults import default_data_dir
from ferrotype.settings.reference import reference
from ferrotype.settings.sources import load
from ferrotype.settings.table import Settings
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
