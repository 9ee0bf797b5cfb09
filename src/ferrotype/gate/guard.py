"""The guard at the way out: which hosts a caller's URL may make us connect to.

Every address of a name is checked before we connect, we connect to the very address that was
checked, and the peer of the open socket is checked again before a byte is sent. A name whose
answers are partly banned is banned whole.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from ipaddress import ip_address, ip_network

import httpcore

from ferrotype.gate.addresses import Address, Network, is_public
from ferrotype.gate.urls import PORTS, Location

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]

_MAX_ADDRESSES = 4  # tried one after the other


class Banned(Exception):
    """The guard does not let us go there. Says why, for the operator's log only."""


async def resolve(host: str, port: int) -> Sequence[str]:
    """Ask the system for a name's addresses. Raises `OSError`."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class Guard:
    """What this deployment allows.

    `allow_loopback` lets `localhost` and literal loopback addresses pass, on any port: for a
    development server that itself listens on loopback only. `allow` is the operator's list:
    `host` (its addresses may be private; ports 80 and 443), `host:port`, or a network such as
    `198.18.0.0/15` whose addresses count as public.
    """

    def __init__(
        self, *, allow_loopback: bool = False, allow: Iterable[str] = (), resolve: Resolve = resolve
    ) -> None:
        self._allow_loopback = allow_loopback
        self._hosts: set[tuple[str, int | None]] = set()
        self._networks: list[Network] = []
        self._resolve = resolve
        for entry in allow:
            if "/" in entry:
                self._networks.append(ip_network(entry))
            else:
                self._hosts.add(_host_and_port(entry))

    def check(self, location: Location) -> None:
        """Raise `Banned` when port or host can be seen to be closed before any look-up."""
        host, port = location.host, location.port
        if port not in PORTS.values() and not (
            (host, port) in self._hosts or self._is_loopback(host)
        ):
            raise Banned(f"port {port} is not allowed")

    async def addresses(self, host: str, port: int) -> Sequence[Address]:
        """Return the addresses of a host, every one of them checked. Raises `Banned`."""
        literal = _address(host)
        try:
            found = [literal] if literal else [_address(a) for a in await self._resolve(host, port)]
        except (OSError, UnicodeError) as error:
            raise Banned(f"{host} has no address: {error}") from None
        checked = [address for address in found if address is not None]
        if not checked or len(checked) < len(found):
            raise Banned(f"{host} has no address, or one that is none")
        for address in checked:
            self._check_address(host, port, address)
        return checked[:_MAX_ADDRESSES]

    def check_peer(
        self, host: str, port: int, wanted: Address, stream: httpcore.AsyncNetworkStream
    ) -> None:
        """Raise `Banned` unless the open socket leads to the wanted address, and not to us."""
        peer = _address(str(stream.get_extra_info("server_addr")[0]))
        here = _address(str(stream.get_extra_info("client_addr")[0]))
        if peer is None or peer != wanted:
            raise Banned(f"connected to {peer} instead of {wanted}")
        self._check_address(host, port, peer)
        # Who connects to an address of its own machine does so from that same address.
        if peer == here and not (self._is_named(host, port) or self._is_loopback(host)):
            raise Banned(f"{peer} is this machine")

    def _check_address(self, host: str, port: int, address: Address) -> None:
        if self._is_named(host, port) or is_public(address):
            return
        if address.is_loopback and self._is_loopback(host):
            return
        if any(address in network for network in self._networks):
            return
        raise Banned(f"{host} has the closed address {address}")

    def _is_named(self, host: str, port: int) -> bool:
        return (host, port) in self._hosts or (
            port in PORTS.values() and (host, None) in self._hosts
        )

    def _is_loopback(self, host: str) -> bool:
        """Tell whether a host says itself that it is loopback, where that is allowed.

        A name of the public DNS that points to 127.0.0.1 does not say so.
        """
        literal = _address(host)
        named = host == "localhost" or host.endswith(".localhost")
        return self._allow_loopback and (literal.is_loopback if literal else named)


class GuardedBackend(httpcore.AsyncNetworkBackend):
    """Opens connections for httpcore, and only such as the guard lets pass."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._plain = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the first address of the host that answers. TLS comes on top, by name."""
        for address in await self._guard.addresses(host, port):
            try:
                stream = await self._plain.connect_tcp(
                    str(address), port, timeout, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
            try:
                self._guard.check_peer(host, port, address, stream)
            except BaseException:
                await stream.aclose()
                raise
            return stream
        raise httpcore.ConnectError(f"no address of {host} answers")

    async def sleep(self, seconds: float) -> None:
        """Wait, as httpcore asks for between tries."""
        await asyncio.sleep(seconds)


def _address(text: str) -> Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None


def _host_and_port(entry: str) -> tuple[str, int | None]:
    """Read `host`, `host:port`, `[v6]` or `[v6]:port` of the operator's list."""
    if _address(entry):
        return str(ip_address(entry)), None
    host, _, port = entry.rpartition(":") if not entry.endswith("]") else (entry, "", "")
    if not host:
        host, port = port, ""
    host = host.strip("[]").lower()
    literal = _address(host)
    return str(literal) if literal else host, int(port) if port else None
