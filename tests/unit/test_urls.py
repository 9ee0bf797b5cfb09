"""The one parser of callers' URLs: strict, and never of two minds."""

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ferrotype.errors import InvalidURL
from ferrotype.gate.urls import MAX_LENGTH, Location, follow, parse


@pytest.mark.parametrize(
    ("url", "scheme", "host", "port", "target"),
    [
        ("http://example.com", "http", "example.com", 80, "/"),
        ("HTTPS://Example.COM/A?b=C#d", "https", "example.com", 443, "/A?b=C"),
        ("https://example.com?b", "https", "example.com", 443, "/?b"),
        ("https://a_b.example.com:8443/x%20y", "https", "a_b.example.com", 8443, "/x%20y"),
        ("http://1.2.3.4/", "http", "1.2.3.4", 80, "/"),
        ("http://[2606:4700::1]:81/", "http", "2606:4700::1", 81, "/"),
        ("http://example.com/a@b:c//d", "http", "example.com", 80, "/a@b:c//d"),
        ("http://localhost:8000/1.png", "http", "localhost", 8000, "/1.png"),
    ],
)
def test_what_is_understood(url: str, scheme: str, host: str, port: int, target: str) -> None:
    found = parse(url)
    assert (found.scheme, found.host, found.port, found.target) == (scheme, host, port, target)
    assert parse(str(found)) == found


def test_addresses_are_seen() -> None:
    assert parse("http://1.2.3.4/").address == IPv4Address("1.2.3.4")
    found = parse("http://[2606:4700:0::1]/")
    assert found.address == IPv6Address("2606:4700::1")
    assert found.netloc == "[2606:4700::1]"
    assert parse("http://example.com/").address is None


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.com",
        "//example.com/",
        "http:/example.com/",
        "http:example.com",
        "http://",
        "http:///path",
        "file:///etc/passwd",
        "ftp://example.com/",
        "gopher://example.com/",
        "javascript://example.com/",
        " http://example.com/",
        "http://example.com/ ",
        "http://exa mple.com/",
        "ht\ttp://example.com/",
        "http://example.com/\r\nHost: other",
        "http://example.com/\0",
        "http://example.com\\@evil.com/",
        "http:\\\\example.com/",
        "http://example.com/\\..",
        "http://user@example.com/",
        "http://user:password@example.com/",
        "http://@example.com/",
        "http://example.com:80@evil.com/",
        "http://evil.com%2f@example.com/",
        "http://example.com:/",
        "http://example.com:0/",
        "http://example.com:080/",
        "http://example.com:65536/",
        "http://example.com:80:80/",
        "http://example.com:８０/",
        "http://%31%32%37.0.0.1/",
        "http://127.0.0.1%00.example.com/",
        "http://ｅxample.com/",
        "http://例子.中国/",
        "http://①②⑦.⓪.⓪.①/",
        "http://example。com/",
        "http://.example.com/",
        "http://example..com/",
        "http://example.com./",
        "http://127.0.0.1./",
        "http://-example.com/",
        "http://example-.com/",
        "http://" + "a" * 64 + ".com/",
        "http://" + "a." * 127 + "com/",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://0x7f.0.0.1/",
        "http://0177.0.0.1/",
        "http://127.1/",
        "http://127.0.1/",
        "http://127.0.0.01/",
        "http://127.0.0.256/",
        "http://1.2.3.4.5/",
        "http://example.0x7f/",
        "http://example.1/",
        "http://0/",
        "http://[::1/",
        "http://::1/",
        "http://[fe80::1%25eth0]/",
        "http://[fe80::1%eth0]/",
        "http://[127.0.0.1]/",
        "http://[::1].example.com/",
        "http://[v1.x]/",
        "http://example.com/<script>",
        "http://example.com/" + "a" * MAX_LENGTH,
        "http://example.com/图.png",
    ],
)
def test_what_is_refused(url: str) -> None:
    with pytest.raises(InvalidURL, match=r"^The provided URL is not valid: "):
        parse(url)


BASE = parse("https://example.com/a/b?c")


@pytest.mark.parametrize(
    ("reference", "url"),
    [
        ("d", "https://example.com/a/d"),
        ("/d?e", "https://example.com/d?e"),
        ("//other.com/d", "https://other.com/d"),
        ("http://other.com:81/d", "http://other.com:81/d"),
        ("?e", "https://example.com/a/b?e"),
    ],
)
def test_redirects_are_followed_from_where_we_are(reference: str, url: str) -> None:
    assert str(follow(BASE, reference)) == url


@pytest.mark.parametrize(
    "reference",
    [
        "",
        "\\\\evil.com",
        "/\\evil.com",
        "//user@evil.com",
        "file:///etc/passwd",
        "//evil.com\t/",
        "https:\n//evil.com",
        "//0x7f.1/",
        "data:image/png;base64,AAAA",
        "//[::1%25lo]/",
    ],
)
def test_redirects_that_are_refused(reference: str) -> None:
    with pytest.raises(InvalidURL):
        follow(BASE, reference)


@settings(deadline=None)
@given(st.text(alphabet="htps:/\\@.[]%?#0x127fa-_ \t\n例", max_size=40))
def test_any_text_is_a_location_or_refused(text: str) -> None:
    try:
        found = parse("http://" + text)
    except InvalidURL:
        return
    assert isinstance(found, Location)
    assert not set(found.host) & set("/\\@%?# \t\n例")
    assert parse(str(found)) == found
