"""The real clock is the machine's and the loop's."""

import asyncio
import time

from perdure.host.clock import OpenClocks, RealClock


def test_a_timer_fires_and_never_before_its_time_by_the_clock():
    async def scenario() -> float:
        clock = RealClock()
        fired: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        started = clock.monotonic()

        clock.call_later(0.01, lambda: fired.set_result(clock.monotonic() - started))

        return await fired

    assert asyncio.run(scenario()) >= 0.01


def test_a_cancelled_timer_does_not_fire():
    async def scenario() -> list[str]:
        clock = RealClock()
        fired: list[str] = []
        over = asyncio.Event()

        clock.call_later(0, lambda: fired.append("cancelled")).cancel()
        clock.call_later(0.001, over.set)

        await over.wait()
        return fired

    assert asyncio.run(scenario()) == []


def test_a_call_soon_runs_after_what_is_ready_in_this_turn():
    async def scenario() -> list[str]:
        order: list[str] = []
        over = asyncio.Event()
        loop = asyncio.get_running_loop()

        loop.call_soon(order.append, "ready")
        RealClock().call_soon(lambda: (order.append("soon"), over.set()))

        await over.wait()
        return order

    assert asyncio.run(scenario()) == ["ready", "soon"]


def test_the_time_is_the_machines_in_milliseconds():
    async def scenario() -> int:
        return RealClock().now_ms()

    before = time.time_ns() // 1_000_000
    now = asyncio.run(scenario())

    assert before <= now <= time.time_ns() // 1_000_000


def test_the_clock_of_a_runtime_that_nobody_closed_goes_with_its_loop():
    clocks = OpenClocks()

    async def scenario() -> bool:
        clock = RealClock()
        clocks.join(clock)
        return clocks.only() is clock

    assert asyncio.run(scenario())
    assert clocks.only() is None
    assert asyncio.run(scenario())
