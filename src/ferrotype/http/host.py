"""By which names and through which proxies we may be reached: the base of our URLs."""

import re
import tomllib
from collections.abc import Collection, Mapping
from functools import lru_cache
from importlib.resources import files
from ipaddress import ip_address, ip_network
from typing import NamedTuple

from ferrotype.errors import InvalidParameter

LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})
ANY = "*"
_HOST = re.compile(r"([a-z0-9_](?:[a-z0-9_.-]{0,252})|\[[0-9a-f:.]{2,45}\])(?::(\d{1,5}))?")
_WORKSPACE = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


class Visit(NamedTuple):
    """What a request's URLs begin with, and the workspace that its host name is of, else "".

    Host names have no case: the workspace is in lower case.
    """

    base: str
    workspace: str


class Hosts:
    """Says what URLs in an answer begin with, and refuses requests under names that are not ours.

    A name that merely points at us (DNS rebinding), or that a stranger wrote into a Host header,
    must neither open our door nor get into a URL. "*" among `allowed` takes every name.
    With a `region` we also answer for the names that the vendor's service has there.
    """

    def __init__(
        self,
        allowed: Collection[str] = (),
        public_url: str | None = None,
        trusted_proxies: Collection[str] = (),
        region: str | None = None,
    ) -> None:
        self._allowed = LOOPBACK | {name.lower() for name in allowed}
        self._workspaces = ""
        if region is not None:
            names, self._workspaces = _of_region(region.lower())
            self._allowed |= names
        self._public = public_url.rstrip("/") if public_url else None
        if self._public:
            self._allowed |= {_split(self._public.partition("://")[2].lower())}
        self._proxies = [ip_network(one, strict=False) for one in trusted_proxies]
        self._check = lru_cache(1024)(self._checked)
        self._trusts = lru_cache(1024)(self._trusted)

    def visit(self, peer: str, scheme: str, headers: Mapping[bytes, bytes]) -> Visit:
        """Return by which of our names a request came. Raises `InvalidParameter`."""
        host = headers.get(b"host", b"")
        if self._proxies and self._trusts(peer):
            host = _last(headers.get(b"x-forwarded-host")) or host
            forwarded = _last(headers.get(b"x-forwarded-proto")).lower()
            if forwarded in (b"http", b"https"):
                scheme = forwarded.decode()
        name, workspace = self._check(host)
        return Visit(self._public or f"{scheme}://{name}", workspace)

    def _checked(self, host: bytes) -> tuple[str, str]:
        text = host.decode("latin-1").lower()
        name = _split(text)
        workspace = self._workspace(name)
        known = workspace or name in self._allowed or ANY in self._allowed
        if not name or not known:
            raise InvalidParameter(
                "The Host header names a host that this service does not answer for."
            )
        return text, workspace

    def _workspace(self, name: str) -> str:
        first, _, rest = name.partition(".")
        ours = self._workspaces and rest == self._workspaces and _WORKSPACE.fullmatch(first)
        return first if ours else ""

    def _trusted(self, peer: str) -> bool:
        try:
            address = ip_address(peer)
        except ValueError:
            return False
        return any(address in network for network in self._proxies)


def _of_region(region: str) -> tuple[set[str], str]:
    """Return the vendor's names in a region, and what those of its workspaces end in.

    A region that the vendor does not have yet gets the names that all regions have.
    """
    table = tomllib.loads((files("ferrotype.http") / "regions.toml").read_text("utf-8"))
    names = {name.format(region=region) for name in table["every"]}
    if classic := table["classic"].get(region):
        names.add(classic)
    return names, table["workspaces"].format(region=region)


def _split(host: str) -> str:
    """Return the name in "name:port", or "" for what is no host."""
    match = _HOST.fullmatch(host)
    if match is None or int(match[2] or 0) > 65535:
        return ""
    return match[1].rstrip(".")


def _last(value: bytes | None) -> bytes:
    """Return what the nearest proxy added to a comma-separated header."""
    return value.rpartition(b",")[2].strip() if value else b""
