"""By which names and through which proxies we may be reached: the base of our URLs."""

import re
from collections.abc import Collection, Mapping
from functools import lru_cache
from ipaddress import ip_address, ip_network

from ferrotype.errors import InvalidParameter

LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})
ANY = "*"
_HOST = re.compile(r"([a-z0-9_](?:[a-z0-9_.-]{0,252})|\[[0-9a-f:.]{2,45}\])(?::(\d{1,5}))?")


class Hosts:
    """Says what URLs in an answer begin with, and refuses requests under names that are not ours.

    A name that merely points at us (DNS rebinding), or that a stranger wrote into a Host header,
    must neither open our door nor get into a URL. "*" among `allowed` takes every name.
    """

    def __init__(
        self,
        allowed: Collection[str] = (),
        public_url: str | None = None,
        trusted_proxies: Collection[str] = (),
    ) -> None:
        self._allowed = LOOPBACK | {name.lower() for name in allowed}
        self._public = public_url.rstrip("/") if public_url else None
        if self._public:
            self._allowed |= {_split(self._public.partition("://")[2].lower())}
        self._proxies = [ip_network(one, strict=False) for one in trusted_proxies]
        self._check = lru_cache(1024)(self._checked)
        self._trusts = lru_cache(1024)(self._trusted)

    def base(self, peer: str, scheme: str, headers: Mapping[bytes, bytes]) -> str:
        """Return scheme and host for this request's URLs. Raises `InvalidParameter`."""
        host = headers.get(b"host", b"")
        if self._proxies and self._trusts(peer):
            host = _last(headers.get(b"x-forwarded-host")) or host
            forwarded = _last(headers.get(b"x-forwarded-proto")).lower()
            if forwarded in (b"http", b"https"):
                scheme = forwarded.decode()
        name = self._check(host)
        return self._public or f"{scheme}://{name}"

    def _checked(self, host: bytes) -> str:
        text = host.decode("latin-1").lower()
        name = _split(text)
        if not name or (name not in self._allowed and ANY not in self._allowed):
            raise InvalidParameter(
                "The Host header names a host that this service does not answer for."
            )
        return text

    def _trusted(self, peer: str) -> bool:
        try:
            address = ip_address(peer)
        except ValueError:
            return False
        return any(address in network for network in self._proxies)


def _split(host: str) -> str:
    """Return the name in "name:port", or "" for what is no host."""
    match = _HOST.fullmatch(host)
    if match is None or int(match[2] or 0) > 65535:
        return ""
    return match[1].rstrip(".")


def _last(value: bytes | None) -> bytes:
    """Return what the nearest proxy added to a comma-separated header."""
    return value.rpartition(b",")[2].strip() if value else b""
