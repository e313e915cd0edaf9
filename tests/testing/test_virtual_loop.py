"""Virtual time: timers in their order, no real waiting, and a clear end where nothing could ever go on."""

import asyncio
import time

import pytest

from perdure.testing import virtual_loop
from perdure.testing.virtual_loop import LoopClock, NothingToWaitFor, VirtualLoop, run_virtual


def test_a_day_passes_at_once_and_to_the_second() -> None:
    async def main() -> float:
        await asyncio.sleep(86_400)
        return asyncio.get_running_loop().time()

    started = time.monotonic()
    assert run_virtual(main) == 86_400
    assert time.monotonic() - started < 60


def test_timers_fire_in_the_order_of_their_times_whatever_order_they_were_set_in() -> None:
    async def main() -> list[str]:
        fired: list[str] = []
        loop = asyncio.get_running_loop()
        for delay_s, name in ((3, "last"), (1, "first"), (2, "second")):
            loop.call_later(delay_s, fired.append, name)
        await asyncio.sleep(4)
        return fired

    assert run_virtual(main) == ["first", "second", "last"]


def test_time_stands_still_while_something_can_go_on() -> None:
    async def main() -> float:
        for _ in range(1000):
            await asyncio.sleep(0)
        return asyncio.get_running_loop().time()

    assert run_virtual(main) == 0


def test_a_time_limit_expires_in_virtual_time() -> None:
    async def main() -> float:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(30):
                await asyncio.Event().wait()
        return asyncio.get_running_loop().time()

    assert run_virtual(main) == 30


def test_what_would_wait_for_ever_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(virtual_loop, "PATIENCE_S", 0.0)
    loop = VirtualLoop()

    async def main() -> None:
        await asyncio.Event().wait()

    task = loop.create_task(main())
    with pytest.raises(NothingToWaitFor):
        loop.run_until_complete(task)

    # Cancelling makes something ready, so that the loop can be wound up.
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        loop.run_until_complete(task)
    loop.close()


def test_the_clock_of_a_loop_tells_its_time_from_an_epoch_and_calls_by_it() -> None:
    async def main() -> tuple[list[int], float]:
        clock = LoopClock(asyncio.get_running_loop(), epoch_ms=5_000)
        seen: list[int] = []
        clock.call_soon(lambda: seen.append(clock.now_ms()))
        clock.call_later(2.5, lambda: seen.append(clock.now_ms()))
        clock.call_later(1.0, lambda: seen.append(-1)).cancel()
        await asyncio.sleep(3)
        return seen, clock.monotonic()

    assert run_virtual(main) == ([5_000, 7_500], 3.0)
