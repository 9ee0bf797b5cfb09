import pytest

from ferrotype.errors import InvalidParameter
from ferrotype.http.host import Hosts


def base(hosts: Hosts, named: str, peer: str = "192.0.2.1", **more: str) -> str:
    headers = {b"host": named.encode("latin-1")}
    headers |= {f"x-forwarded-{name}".encode(): value.encode() for name, value in more.items()}
    return hosts.visit(peer, "http", headers).base


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


SINGAPORE = Hosts(region="ap-southeast-1")


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("ap-southeast-1", "dashscope-intl.aliyuncs.com"),
        ("ap-southeast-1", "vpc-ap-southeast-1.dashscope.aliyuncs.com"),
        ("cn-beijing", "dashscope.aliyuncs.com"),
        ("cn-beijing", "vpc-cn-beijing.dashscope.aliyuncs.com"),
        ("us-east-1", "dashscope-us.aliyuncs.com"),
        ("cn-hongkong", "cn-hongkong.dashscope.aliyuncs.com"),
        ("eu-central-1", "llm-1.eu-central-1.maas.aliyuncs.com"),
    ],
)
def test_a_region_answers_by_its_own_vendor_names_when_asked_to(region: str, host: str) -> None:
    assert base(Hosts(region=region), f"{host}:8765") == f"http://{host}:8765"
    for other in (Hosts(), Hosts(region="ap-northeast-1")):
        with pytest.raises(InvalidParameter):
            base(other, host)


@pytest.mark.parametrize(
    ("host", "workspace"),
    [
        ("LLM-1a_b.ap-southeast-1.maas.aliyuncs.com", "llm-1a_b"),
        (f"{'w' * 64}.ap-southeast-1.maas.aliyuncs.com:1", "w" * 64),
        ("llm-1.ap-southeast-1.maas.aliyuncs.com.", "llm-1"),
        ("dashscope-intl.aliyuncs.com", ""),
        ("localhost", ""),
    ],
)
def test_a_workspace_may_be_part_of_the_host_name(host: str, workspace: str) -> None:
    headers = {b"host": host.encode()}
    assert SINGAPORE.visit("192.0.2.1", "http", headers).workspace == workspace


@pytest.mark.parametrize(
    "host",
    [
        "ap-southeast-1.maas.aliyuncs.com",
        ".ap-southeast-1.maas.aliyuncs.com",
        "_llm.ap-southeast-1.maas.aliyuncs.com",
        "a.b.ap-southeast-1.maas.aliyuncs.com",
        f"{'w' * 65}.ap-southeast-1.maas.aliyuncs.com",
        "llm-1.cn-beijing.maas.aliyuncs.com",
        "llm-1.ap-southeast-1.maas.aliyuncs.com.evil.example",
        "llm-1.ap-southeast-1.maas.aliyuncs.com@evil.example",
        "dashscope-intl.aliyuncs.com.evil.example",
        "dashscope-us.aliyuncs.com",
    ],
)
def test_what_only_resembles_a_name_of_the_region_is_refused(host: str) -> None:
    with pytest.raises(InvalidParameter):
        base(SINGAPORE, host)
