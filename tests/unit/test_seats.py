"""Seats: how many jobs at once, and which of them alone."""

import asyncio

import pytest

from ferrotype.errors import Busy, Conflict
from ferrotype.worker.patience import persist
from ferrotype.worker.seats import AWAY, Seats


async def free(seats: Seats) -> bool:
    """Tell whether another job may go in now."""
    waiting = asyncio.create_task(seats.one_free())
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait({waiting})
    return not waiting.cancelled()


async def test_as_many_as_the_room_takes() -> None:
    seats = Seats(lambda: 2)
    assert seats.empty
    first = seats.take()
    assert await free(seats)
    seats.take()
    assert not await free(seats)
    first.leave()
    first.leave()
    assert await free(seats)
    seats.take()
    assert not await free(seats)


async def test_a_job_that_must_be_alone_keeps_the_others_out() -> None:
    seats = Seats(lambda: 4)
    lonely = seats.take()
    lonely.stay_alone()
    assert not await free(seats)
    lonely.leave()
    seats.take()
    assert await free(seats)


async def test_after_a_shared_crash_its_jobs_go_in_one_by_one() -> None:
    seats = Seats(lambda: 4)
    crashed = [seats.take(), seats.take()]
    for seat in crashed:
        seat.share_blame()
        seat.leave()
    for _ in crashed:
        seat = seats.take()
        assert not await free(seats)
        seat.leave()
    seats.take()
    assert await free(seats)


async def test_whoever_waits_for_a_seat_is_woken() -> None:
    seats = Seats(lambda: 1)
    seat = seats.take()
    waiting = asyncio.create_task(seats.one_free())
    await asyncio.sleep(0)
    seat.leave()
    await asyncio.wait_for(waiting, 5)


async def test_a_busy_ledger_is_asked_again_as_long_as_it_is_worth_it() -> None:
    answers = iter([Busy(), OSError("cut"), "done"])

    async def ask() -> str:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return str(answer)

    assert await persist(ask, lambda: True) == "done"
    answers = iter([Busy(), "never asked for"])
    with pytest.raises(Busy):
        await persist(ask, lambda: False)
    answers = iter([Conflict(), "never asked for"])
    with pytest.raises(Conflict):
        await persist(ask, lambda: True)


async def test_a_lent_seat_serves_others_and_comes_back() -> None:
    seats, fetched = Seats(lambda: 1), asyncio.Event()
    first = seats.take()
    lending = asyncio.create_task(first.lend(fetched.wait()))
    await asyncio.sleep(0)
    assert await free(seats)
    second = seats.take()
    fetched.set()
    await asyncio.sleep(0)
    assert not lending.done()
    second.leave()
    assert await lending
    assert not await free(seats)
    first.leave()
    assert await free(seats)


async def test_a_lent_seat_is_given_back_once_when_the_work_fails() -> None:
    async def fail() -> None:
        raise OSError("unreachable")

    seats = Seats(lambda: 1)
    seat = seats.take()
    with pytest.raises(OSError):
        await seat.lend(fail())
    seat.leave()
    assert seats.empty
    assert await free(seats)


async def test_who_must_be_alone_comes_back_to_an_empty_room() -> None:
    seats, fetched = Seats(lambda: 4), asyncio.Event()
    lonely = seats.take()
    lonely.stay_alone()
    lending = asyncio.create_task(lonely.lend(fetched.wait()))
    await asyncio.sleep(0)
    other = seats.take()
    fetched.set()
    await asyncio.sleep(0.01)
    assert not lending.done()
    other.leave()
    assert await lending
    assert not await free(seats)


async def test_no_more_seats_are_lent_than_may_come_back() -> None:
    seats, fetched = Seats(lambda: 1), asyncio.Event()
    lent = []
    for _ in range(AWAY):
        lent.append(asyncio.create_task(seats.take().lend(fetched.wait())))
        await asyncio.sleep(0)
    kept = asyncio.create_task(seats.take().lend(fetched.wait()))
    await asyncio.sleep(0)
    assert not await free(seats)
    for one in (*lent, kept):
        one.cancel()
    await asyncio.wait({*lent, kept})
