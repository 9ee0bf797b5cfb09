"""Which addresses a caller may lead us to."""

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ferrotype.gate.addresses import is_public

CLOSED = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "10.255.255.255",
    "100.64.0.1",
    "100.100.100.200",
    "100.127.255.255",
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",
    "169.254.0.1",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.0.192",
    "192.0.2.1",
    "192.31.196.1",
    "192.52.193.1",
    "192.88.99.1",
    "192.168.0.1",
    "192.168.255.255",
    "192.175.48.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:8.8.8.8",
    "::ffff:0:8.8.8.8",
    "64:ff9b::7f00:1",
    "64:ff9b::808:808",
    "64:ff9b:1::1",
    "100::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fec0::1",
    "ff02::1",
    "2001::1",
    "2001:0:53aa:64c::1",
    "2001:2::1",
    "2001:10::1",
    "2001:20::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:808:808::",
    "2620:4f:8000::1",
    "3ffe::1",
    "3fff::1",
    "5f00::1",
    "2606:4700::5efe:7f00:1",
    "2606:4700::200:5efe:a00:1",
]

OPEN = [
    "1.1.1.1",
    "8.8.8.8",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.0",
    "169.253.255.255",
    "172.15.255.255",
    "172.32.0.0",
    "192.0.1.0",
    "198.17.255.255",
    "198.20.0.0",
    "223.255.255.255",
    "2001:4860:4860::8888",
    "2606:4700:4700::1111",
    "2400:3200::1",
    "2a00:1450:4001:80b::200e",
    "2001:200::1",
]


@pytest.mark.parametrize("text", CLOSED)
def test_closed_addresses(text: str) -> None:
    assert not is_public(ip_address(text))


@pytest.mark.parametrize("text", OPEN)
def test_public_addresses(text: str) -> None:
    assert is_public(ip_address(text))


def test_an_address_with_a_zone_is_closed() -> None:
    assert not is_public(IPv6Address("2606:4700::1%eth0"))


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_what_is_public_is_global_ipv4(number: int) -> None:
    address = IPv4Address(number)
    assert not is_public(address) or (address.is_global and not address.is_multicast)


@settings(deadline=None)
@given(st.integers(0, 2**128 - 1))
def test_what_is_public_is_global_ipv6(number: int) -> None:
    address = IPv6Address(number)
    assert not is_public(address) or (
        address.is_global
        and address.ipv4_mapped is None
        and address.sixtofour is None
        and address.teredo is None
    )


@settings(deadline=None)
@given(st.ip_addresses(v=4))
def test_no_form_of_ipv6_carries_an_ipv4_address_past_the_guard(inner: IPv4Address) -> None:
    number = int(inner)
    carriers = (
        number,  # compatible
        0xFFFF << 32 | number,  # mapped
        0x64_FF9B << 96 | number,  # NAT64
        0x2002 << 112 | number << 80,  # 6to4
        0x2001_0000 << 96 | ~number & 0xFFFF_FFFF,  # Teredo
        0x2606_4700 << 96 | 0x5EFE << 32 | number,  # ISATAP
    )
    assert not any(is_public(IPv6Address(carrier)) for carrier in carriers)
