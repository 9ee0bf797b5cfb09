"""The guard of all ways out."""

from ferrotype.gate.guard import Guard
from ferrotype.settings import Settings, SettingsError


def make_guard(settings: Settings) -> Guard:
    """Return who says where we may connect to. Loopback is for callers who are there themselves."""
    try:
        return Guard(allow_loopback=settings.private, allow=settings.fetch_allow_hosts)
    except ValueError as error:
        raise SettingsError(f"FETCH_ALLOW_HOSTS: {error}.") from None
