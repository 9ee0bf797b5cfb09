"""What a recipe may say of an upstream, and what of it can be seen to be wrong."""

import re
from collections.abc import Iterator
from ipaddress import ip_address
from typing import Annotated
from urllib.parse import urlsplit

from msgspec import Meta, Struct

from ferrotype.errors import InvalidURL
from ferrotype.gate.urls import parse

Seconds = Annotated[float, Meta(gt=0)]

CLASSIC = {
    "singapore": ("ap-southeast-1", "dashscope-intl.aliyuncs.com"),
    "virginia": ("us-east-1", "dashscope-us.aliyuncs.com"),
    "beijing": ("cn-beijing", "dashscope.aliyuncs.com"),
    "hong-kong": ("cn-hongkong", "cn-hongkong.dashscope.aliyuncs.com"),
    "frankfurt": ("eu-central-1", ""),
    "tokyo": ("ap-northeast-1", ""),
}
_API = "/api/v1"
_WORKSPACE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


class Place(Struct, frozen=True, kw_only=True):
    """Where an upstream is: a base URL without `/api/v1`, and the key and workspace for it."""

    name: str
    base: str
    key: str
    workspace: str = ""

    @property
    def host(self) -> str:
        """Return the host of its base URL, in lower case."""
        return urlsplit(self.base).hostname or ""

    @property
    def local(self) -> bool:
        """Tell whether it is on this machine's loopback."""
        return is_loopback(self.host)


class OneRegion(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A region with a key or workspace of its own: `region` is a name of the vendor's, or `url` a
    base URL."""

    region: str = ""
    url: str = ""
    key: str = ""
    workspace: str = ""


class Poll(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How often a task is asked for: `first` seconds after its create, then ever later, up to every
    `longest`; `per_second` of all tasks of one region together."""

    first: Seconds = 1.0
    longest: Seconds = 8.0
    per_second: Annotated[float, Meta(gt=0, le=1000)] = 15.0


class Timeouts(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Seconds: to `connect`, for an `answer`, for the answer of a call that waits for its result
    (`sync`), for one file up (`upload`) or down (`download`); how long copying a result is tried
    (`copy`), and after how long a region that is out is looked at again (`probe`: out of reach;
    `rest`: refuses our account), longer each time."""

    connect: Seconds = 10.0
    answer: Seconds = 60.0
    sync: Seconds = 310.0
    upload: Seconds = 600.0
    download: Seconds = 600.0
    copy: Seconds = 900.0
    probe: Seconds = 5.0
    rest: Seconds = 60.0


class Options(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The options of the engine `dashscope`.

    `regions` in the order in which they are tried: names (singapore, virginia, beijing, frankfurt,
    tokyo, hong-kong), base URLs, or tables with a key of their own. `model`: the name there, where
    it is another one. `concurrency`: tasks on their way at once. `second_submit`: send a task again
    when nobody knows whether it was accepted, which may bill it twice. `allow_hosts`: where results
    may lie besides the public Internet and the upstream's own host.
    """

    regions: Annotated[tuple[str | OneRegion, ...], Meta(min_length=1)]
    key: str = ""
    workspace: str = ""
    model: str = ""
    concurrency: Annotated[int, Meta(ge=1, le=1000)] = 200
    poll: Poll = Poll()
    timeouts: Timeouts = Timeouts()
    second_submit: bool = False
    allow_hosts: tuple[str, ...] = ()

    def problems(self) -> Iterator[str]:
        """Say what is wrong as far as it can be seen without a network, with the next step."""
        places = []
        for i, region in enumerate(self.regions):
            one = self._one(region)
            label = one.region or urlsplit(one.url).hostname or f"regions[{i}]"
            wrong = list(_problems(label, one))
            yield from wrong
            if not wrong:
                places.append(_place(one).base)
        for base in {base for base in places if places.count(base) > 1}:
            yield f"{base} stands in regions twice: remove one."
        if self.poll.longest < self.poll.first:
            yield "poll.longest is less than poll.first: make it at least as long."

    def places(self) -> tuple[Place, ...]:
        """Return the upstreams in their order. Raises `ValueError` when there are problems."""
        if wrong := list(self.problems()):
            raise ValueError(" ".join(wrong))
        return tuple(_place(self._one(region)) for region in self.regions)

    def _one(self, region: str | OneRegion) -> OneRegion:
        """Write a region in full, with the recipe's own key and workspace where it has none."""
        if isinstance(region, str):
            named = region in CLASSIC or "://" not in region
            region = OneRegion(region=region) if named else OneRegion(url=region)
        return OneRegion(
            region=region.region,
            url=region.url,
            key=region.key or self.key,
            workspace=region.workspace or self.workspace,
        )


def is_loopback(host: str) -> bool:
    """Tell whether a host says itself that it is loopback."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _problems(label: str, one: OneRegion) -> Iterator[str]:
    if bool(one.region) == bool(one.url):
        yield f"{label}: name a region or a url, one of the two."
    elif one.region and one.region not in CLASSIC:
        yield (
            f"There is no region {one.region!r}: use one of {', '.join(CLASSIC)}, "
            "or a base URL that begins with https://."
        )
    elif one.region and not CLASSIC[one.region][1] and not one.workspace:
        yield f"{label} is reached by your workspace's own host: set workspace."
    if one.url:
        yield from _url_problems(one.url)
    if not one.key:
        yield f'{label} has no key: set key, best as {{ env = "DASHSCOPE_API_KEY" }}.'
    elif not (one.key.isascii() and one.key.isprintable() and " " not in one.key):
        yield f"The key of {label} has characters that no key has: copy it anew."
    if one.workspace and not _WORKSPACE.fullmatch(one.workspace):
        yield f"The workspace of {label} is no id: letters, digits, _ and -, 64 at most."


def _url_problems(url: str) -> Iterator[str]:
    try:
        at = parse(url)
    except InvalidURL as error:
        why = error.message.partition(": ")[2]
        yield f"A url in regions is no base URL: {why} Write it as https://host."
        return
    if "?" in at.target or "#" in url:
        yield f"The url of {at.host} is no base URL: leave out what begins with ? or #."
    if at.scheme == "http" and not is_loopback(at.host):
        yield f"http://{at.netloc} would send the key in the clear: use https://."


def _place(one: OneRegion) -> Place:
    if one.url:
        base = one.url.rstrip("/").removesuffix(_API).rstrip("/")
        return Place(name=base, base=base, key=one.key, workspace=one.workspace)
    region, host = CLASSIC[one.region]
    if not host:
        base = f"https://{one.workspace}.{region}.maas.aliyuncs.com"
        return Place(name=one.region, base=base, key=one.key)
    return Place(name=one.region, base=f"https://{host}", key=one.key, workspace=one.workspace)
