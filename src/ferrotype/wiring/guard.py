"""The guard of all ways out."""

from ferrotype.gate.guard import Guard
from ferrotype.settings import Settings, SettingsError


def make_guard(settings: Settings, *, alone: bool = False) -> Guard:
    """Return who says where we may connect to. Loopback is for callers who are there themselves.

    `alone`: these are settings of a worker by itself, which say nothing of who can call the API.
    """
    loopback = settings.private and not alone
    try:
        return Guard(allow_loopback=loopback, allow=settings.fetch_allow_hosts)
    except ValueError as error:
        raise SettingsError(f"FETCH_ALLOW_HOSTS: {error}.") from None
