"""Engines by name: found without being loaded, and told clearly when they cannot be."""

import sys
from collections.abc import Callable
from importlib import metadata
from importlib.metadata import EntryPoint

import pytest

from ferrotype import plugins
from ferrotype.engines.echo import Echo
from ferrotype.plugins import PluginError, engines, find_engine, load_engine

Offer = Callable[..., None]


@pytest.fixture
def offer(monkeypatch: pytest.MonkeyPatch) -> Offer:
    def others(**offered: str) -> None:
        points = [EntryPoint(name, target, plugins.GROUP) for name, target in offered.items()]
        monkeypatch.setattr(metadata, "entry_points", lambda *, group: points)

    return others


def test_our_own_engines_are_there() -> None:
    assert set(engines()) >= {"diffusers", "echo", "illustrator"}
    assert load_engine("echo") is Echo
    assert load_engine("illustrator").__name__ == "Illustrator"


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(PluginError, match=r"there are .*echo, .*\. Did you mean echo\?"):
        find_engine("eco")


def test_another_package_offers_one_by_an_entry_point(offer: Offer) -> None:
    offer(mine="ferrotype.engines.echo:Echo")
    assert load_engine("mine") is Echo


def test_nothing_is_imported_before_it_is_chosen(offer: Offer) -> None:
    offer(mine="colorsys:nothing")
    sys.modules.pop("colorsys", None)
    assert find_engine("mine").target == "colorsys:nothing"
    assert "colorsys" not in sys.modules


@pytest.mark.parametrize("target", ["no_such_module:Engine", "colorsys:NoSuchClass"])
def test_what_cannot_be_loaded_says_what_to_do(offer: Offer, target: str) -> None:
    offer(mine=target)
    with pytest.raises(PluginError, match=r"'mine' cannot be loaded .* Install its package anew\."):
        load_engine("mine")


def test_two_engines_of_one_name_are_an_error(offer: Offer) -> None:
    offer(echo="theirs:Echo")
    with pytest.raises(PluginError, match="Two engines are named 'echo'"):
        engines()
