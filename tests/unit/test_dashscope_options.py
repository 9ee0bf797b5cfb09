"""What a recipe may say of an upstream."""

import re
from typing import Any

import msgspec
import pytest

from ferrotype.engines.dashscope.options import Options


def options(**said: Any) -> Options:
    return msgspec.convert({"key": "sk-1", **said}, Options)


def test_regions_have_the_vendors_hosts() -> None:
    named = options(regions=["singapore", "virginia", "beijing", "hong-kong"])
    assert list(named.problems()) == []
    assert [place.base for place in named.places()] == [
        "https://dashscope-intl.aliyuncs.com",
        "https://dashscope-us.aliyuncs.com",
        "https://dashscope.aliyuncs.com",
        "https://cn-hongkong.dashscope.aliyuncs.com",
    ]


def test_some_are_reached_by_a_workspace_only() -> None:
    frankfurt, tokyo = options(regions=["frankfurt", "tokyo"], workspace="llm-1").places()
    assert frankfurt.base == "https://llm-1.eu-central-1.maas.aliyuncs.com"
    assert tokyo.base == "https://llm-1.ap-northeast-1.maas.aliyuncs.com"
    assert frankfurt.workspace == ""  # the host says it
    [problem] = options(regions=["frankfurt"]).problems()
    assert problem == "frankfurt is reached by your workspace's own host: set workspace."


def test_each_may_have_a_key_of_its_own() -> None:
    said = options(
        regions=[
            {"region": "beijing", "key": "sk-2", "workspace": "llm-2"},
            {"url": "https://ferrotype.example/api/v1/", "key": "sk-3"},
            "http://127.0.0.1:8765",
        ]
    )
    assert [(place.base, place.key, place.workspace) for place in said.places()] == [
        ("https://dashscope.aliyuncs.com", "sk-2", "llm-2"),
        ("https://ferrotype.example", "sk-3", ""),
        ("http://127.0.0.1:8765", "sk-1", ""),
    ]


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ({"regions": ["bejing"]}, "There is no region 'bejing'"),
        ({"regions": ["http://10.0.0.5"]}, "http://10.0.0.5 would send the key in the clear"),
        ({"regions": ["http://localhost.example"]}, "in the clear"),
        ({"regions": ["ftp://host.example"]}, "is no base URL: only http and https"),
        ({"regions": ["https://u:pw@host.example"]}, "it must not contain credentials"),
        ({"regions": ["https://host.example/?a=b"]}, "leave out what begins with"),
        ({"regions": ["singapore"], "key": ""}, "singapore has no key"),
        ({"regions": ["singapore"], "key": "sk 1"}, "characters that no key has"),
        ({"regions": ["singapore"], "workspace": "../x"}, "The workspace of singapore is no id"),
        ({"regions": [{"key": "sk-2"}]}, "regions[0]: name a region or a url"),
        ({"regions": [{"region": "tokyo", "url": "https://x.example"}]}, "one of the two"),
        ({"regions": ["singapore", "singapore"]}, "stands in regions twice"),
        ({"regions": ["singapore"], "poll": {"first": 9}}, "poll.longest is less"),
    ],
)
def test_what_is_wrong_is_said(said: dict[str, Any], problem: str) -> None:
    wrong = options(**said)
    [told] = wrong.problems()
    assert problem in told
    assert "pw" not in told
    with pytest.raises(ValueError, match=re.escape(problem)):
        wrong.places()


@pytest.mark.parametrize(
    "said", [{}, {"regions": []}, {"regions": ["beijing"], "concurrency": 0}, {"colour": "red"}]
)
def test_what_is_no_option_is_refused(said: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        options(**said)
