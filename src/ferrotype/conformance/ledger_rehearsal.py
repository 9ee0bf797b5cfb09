"""The book of a rehearsal: rules that all processes see, and that strike as often as they say."""

import asyncio

import pytest

from ferrotype.conformance.ledger_base import LedgerTests
from ferrotype.errors import AllocationQuotaExceeded
from ferrotype.ports.full_ledger import FullLedger


class RehearsalTests(LedgerTests):
    """The port `Book`."""

    async def test_rules_are_kept_in_order(self, ledger: FullLedger) -> None:
        first = await ledger.write_rule(b'{"a":1}', None, None)
        second = await ledger.write_rule(b'{"b":2}', 3, None)
        kept = [(one.id, one.rule, one.left) for one in await ledger.rules()]
        assert kept == [(first, b'{"a":1}', None), (second, b'{"b":2}', 3)]

    async def test_a_counted_rule_strikes_as_often_as_it_says(self, ledger: FullLedger) -> None:
        rule = await ledger.write_rule(b"{}", 3, None)
        struck = await asyncio.gather(*(ledger.take_rule(rule) for _ in range(5)))
        assert sorted(struck) == [False, False, True, True, True]
        assert await ledger.rules() == []

    async def test_a_rule_ends_by_the_ledgers_clock(self, ledger: FullLedger) -> None:
        await ledger.write_rule(b"{}", None, 60.0)
        assert len(await ledger.rules()) == 1
        await ledger.set_clock_offset(61)
        assert await ledger.rules() == []

    async def test_rules_are_erased(self, ledger: FullLedger) -> None:
        one, two, three = [await ledger.write_rule(b"{}", None, None) for _ in range(3)]
        assert await ledger.erase_rules(two) == 1
        assert await ledger.erase_rules(two) == 0
        assert [rule.id for rule in await ledger.rules()] == [one, three]
        assert await ledger.erase_rules() == 2
        assert not await ledger.take_rule(one)

    async def test_there_is_an_end_to_rules(self, ledger: FullLedger) -> None:
        with pytest.raises(AllocationQuotaExceeded):
            for _ in range(200):
                await ledger.write_rule(b"{}", None, None)
        assert len(await ledger.rules()) >= 50
