import pytest

from ferrotype.errors import InvalidParameter
from ferrotype.http.host import Hosts


def base(hosts: Hosts, named: str, peer: str = "192.0.2.1", **more: str) -> str:
    headers = {b"host": named.encode("latin-1")}
    headers |= {f"x-forwarded-{name}".encode(): value.encode() for name, value in more.items()}
    return hosts.base(peer, "http", headers)


@pytest.mark.parametrize(
    "host",
    ["localhost", "LOCALHOST:8765", "127.0.0.1:1", "[::1]:8765", "api.example.com", "localhost."],
)
def test_our_names_are_answered(host: str) -> None:
    assert base(Hosts(["api.example.com"]), host) == f"http://{host.lower()}"


@pytest.mark.parametrize(
    "host",
    [
        "",
        "evil.example",
        "api.example.com.evil.example",
        "evil@localhost",
        "localhost/..",
        "localhost:99999",
        "localhost:80:80",
        "localhost#",
        "local host",
        "[::1",
        "localhost\xff",
        "a" * 5000,
    ],
)
def test_other_names_are_refused(host: str) -> None:
    with pytest.raises(InvalidParameter):
        base(Hosts(["api.example.com"]), host)


def test_a_star_takes_every_name_but_no_nonsense() -> None:
    assert base(Hosts(["*"]), "what.ever:8") == "http://what.ever:8"
    with pytest.raises(InvalidParameter):
        base(Hosts(["*"]), "evil@what.ever")


def test_a_public_url_is_the_base_and_its_host_is_ours() -> None:
    hosts = Hosts(public_url="https://api.example.com:8443/")
    for host in ("api.example.com:8443", "api.example.com", "localhost:1"):
        assert base(hosts, host) == "https://api.example.com:8443"
    with pytest.raises(InvalidParameter):
        base(hosts, "evil.example")


def test_forwarded_headers_are_believed_from_our_proxies_alone() -> None:
    hosts = Hosts(["api.example.com"], trusted_proxies=["10.0.0.0/8", "::1"])
    said = {"host": "evil.example, api.example.com", "proto": "http, https"}
    assert base(hosts, "localhost", "10.1.2.3", **said) == "https://api.example.com"
    assert base(hosts, "localhost", "::1", **said) == "https://api.example.com"
    assert base(hosts, "localhost", "192.0.2.1", **said) == "http://localhost"
    assert base(hosts, "localhost", "a socket", **said) == "http://localhost"
    assert base(hosts, "localhost", "10.1.2.3", proto="javascript") == "http://localhost"
    with pytest.raises(InvalidParameter):
        base(hosts, "localhost", "10.1.2.3", host="evil.example")
