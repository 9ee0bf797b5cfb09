"""The socket that we are called on, and the address that callers are told."""

import errno
import socket

from ferrotype.settings import Settings, SettingsError, is_loopback


def listen(chosen: Settings) -> socket.socket:
    """Bind and listen for callers. Raises `SettingsError`."""
    return _listen(chosen.host, chosen.port, "choose another one by --port")


def listen_for_metrics(chosen: Settings, port: int | None = None) -> socket.socket | None:
    """Bind and listen for /metrics, if it is wanted; `port` goes before the setting.

    Raises `SettingsError`.
    """
    port = chosen.metrics_port if port is None else port
    if not port:
        return None
    remedy = "set FERROTYPE_METRICS_PORT to another one, or to 0 for none"
    return _listen(chosen.metrics_host, port, remedy)


def listen_for_colleague() -> socket.socket:
    """Bind and listen where a worker tells its counters to the API process beside it."""
    return _listen("127.0.0.1", 0, "end some process")


def _listen(host: str, port: int, remedy: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host.strip("[]"), port), family=family, backlog=2048)
    except socket.gaierror:
        raise SettingsError(f"{host} is no address of this machine.") from None
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise SettingsError(f"Port {port} is in use: {remedy}.") from None
        reason = error.strerror
        raise SettingsError(f"{host}:{port} cannot be listened on: {reason}.") from None


def root_url(host: str, port: int) -> str:
    """Return the address of a listener, without a path."""
    bracketed = f"[{host}]" if ":" in host and not host.startswith("[") else host
    return f"http://{bracketed}:{port}"


def base_url(chosen: Settings, port: int) -> str:
    """Return the API's address for clients: PUBLIC_URL, else one that the check of hosts takes."""
    known = () if is_loopback(chosen.host) else chosen.allowed_hosts
    return f"{chosen.public_url or root_url((known or (chosen.host,))[0], port)}/api/v1"
