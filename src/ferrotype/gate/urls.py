"""The one parser of URLs that come from outside. What it does not understand, it refuses.

Nobody follows a URL that this has not taken apart: what it says is the host is what we resolve,
check, connect to and name in TLS, so no two parsers can disagree. The catalogue looks at a URL
before that, only to refuse at the create what can be none; it hands on the text as it came.
"""

import re
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from urllib.parse import urljoin

from ferrotype.errors import InvalidURL
from ferrotype.gate.addresses import Address

MAX_LENGTH = 8192
PORTS = {"http": 80, "https": 443}

_VISIBLE = re.compile(r"[\x21-\x7e]+")
_FORBIDDEN = frozenset('\\"<>')
_URL = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://"
    r"(?P<authority>[^/?#]*)"
    r"(?P<path>[^?#]*)(?P<query>\?[^#]*)?(?:#.*)?"
)
_AUTHORITY = re.compile(
    r"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<name>[A-Za-z0-9._-]+))(?::(?P<port>[1-9][0-9]{0,4}))?"
)
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")


@dataclass(frozen=True, slots=True)
class Location:
    """Where a URL leads. `host` in lower case, without brackets; `target` is path and query."""

    scheme: str
    host: str
    port: int
    target: str
    address: Address | None = None  # when the host is an address itself

    @property
    def netloc(self) -> str:
        """Return host and port as the Host header writes them."""
        host = f"[{self.host}]" if isinstance(self.address, IPv6Address) else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.netloc}{self.target}"


def parse(url: str) -> Location:
    """Take an absolute http(s) URL apart, or raise `InvalidURL` that says why not."""
    _check_characters(url)
    match = _URL.fullmatch(url)
    if match is None:
        raise _invalid("it must be an absolute http or https URL")
    scheme = match["scheme"].lower()
    if scheme not in PORTS:
        raise _invalid("only http and https are allowed")
    if "@" in match["authority"]:
        raise _invalid("it must not contain credentials")
    authority = _AUTHORITY.fullmatch(match["authority"])
    if authority is None:
        raise _invalid("its host or port is not valid")
    port = int(authority["port"] or PORTS[scheme])
    if port > 65535:
        raise _invalid("its host or port is not valid")
    host, address = _host(authority["name"], authority["six"])
    return Location(
        scheme=scheme,
        host=host,
        port=port,
        target=(match["path"] or "/") + (match["query"] or ""),
        address=address,
    )


def follow(base: Location, reference: str) -> Location:
    """Return where a redirect's `Location` leads from here, or raise `InvalidURL`."""
    _check_characters(reference)
    return parse(urljoin(str(base), reference))


def _check_characters(url: str) -> None:
    if len(url) > MAX_LENGTH:
        raise _invalid(f"it is longer than {MAX_LENGTH} characters")
    if _VISIBLE.fullmatch(url) is None or not _FORBIDDEN.isdisjoint(url):
        raise _invalid("it contains characters that must be percent-encoded")


def _host(name: str | None, six: str | None) -> tuple[str, Address | None]:
    if name is None:
        try:
            address = IPv6Address(six or "")
        except AddressValueError:
            raise _invalid("its host or port is not valid") from None
        return str(address), address
    name = name.lower()
    labels = name.split(".")
    if len(name) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise _invalid("its host or port is not valid")
    if _NUMBER.fullmatch(labels[-1]) is None:
        return name, None
    # Octal, hexadecimal, short and integer forms mean one address to one parser and another
    # to the next: only the four plain decimal numbers are an address.
    try:
        return name, IPv4Address(name)
    except AddressValueError:
        raise _invalid("its host or port is not valid") from None


def _invalid(why: str) -> InvalidURL:
    return InvalidURL(f"The provided URL is not valid: {why}.")
