"""An operation is awaited like anything else in asyncio (API-18)."""

import asyncio
import gc
import logging

import pytest

from perdure.objects.op import Op
from perdure.testing.virtual_loop import run_virtual


def later(value=7):
    op: Op[int] = Op()
    asyncio.get_running_loop().call_later(0.005, op.resolve, value)
    return op


def failing():
    op: Op[int] = Op()
    asyncio.get_running_loop().call_later(0.005, op.reject, ValueError("no"))
    return op


async def in_task_group(op):
    async with asyncio.TaskGroup() as group:
        task = group.create_task(op)
    return task.result()


async def in_wait(op):
    done, _ = await asyncio.wait([asyncio.ensure_future(op)])
    return done.pop().result()


async def with_timeout(op):
    async with asyncio.timeout(1):
        return await op


WAYS = {
    "await": lambda op: op,
    "create_task": lambda op: asyncio.create_task(op),
    "gather": lambda op: _first(asyncio.gather(op)),
    "TaskGroup": in_task_group,
    "wait": in_wait,
    "wait_for": lambda op: asyncio.wait_for(op, 1),
    "shield": lambda op: asyncio.shield(op),
    "timeout": with_timeout,
}


async def _first(many):
    return (await many)[0]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("ready", [True, False], ids=["ready", "pending"])
def test_api_18_an_operation_is_accepted_by(way, ready):
    async def main():
        op = Op(7) if ready else later()
        return await WAYS[way](op)

    assert run_virtual(main) == 7


@pytest.mark.parametrize("way", WAYS)
def test_api_18_a_failure_comes_out_of(way):
    async def main():
        with pytest.raises(ValueError, match="no") as caught:
            await WAYS[way](failing())
        return caught

    try:
        run_virtual(main)
    except BaseExceptionGroup:
        assert way == "TaskGroup"


def test_asyncio_run_takes_an_operation():
    assert asyncio.run(Op(3)) == 3


def test_an_operation_is_awaited_as_often_as_wanted():
    async def main():
        op = later()
        return [await op, await op, op.result()]

    assert run_virtual(main) == [7, 7, 7]


def test_api_18_any_number_of_tasks_may_be_made_of_one_operation():
    async def main():
        op = later()
        tasks = [asyncio.create_task(op) for _ in range(2)]
        return [*[await task for task in tasks], await asyncio.create_task(op)]

    assert run_virtual(main) == [7, 7, 7]


def test_an_operation_can_be_waited_for_again_after_a_wait_for_it_timed_out():
    async def main():
        op = later()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.ensure_future(op), 0.001)
        return await asyncio.wait_for(asyncio.ensure_future(op), 1)

    assert run_virtual(main) == 7


def test_who_gave_up_waiting_does_not_count_as_waiting():
    async def main():
        op = later()
        task = asyncio.create_task(op)
        await asyncio.sleep(0)
        waited = op.awaited
        task.cancel()
        await asyncio.sleep(0)
        return waited, op.awaited

    assert run_virtual(main) == (True, False)


def test_a_failure_that_was_awaited_leaves_no_cycle_behind():
    async def main():
        gc.collect()
        gc.disable()
        try:
            for _ in range(50):
                with pytest.raises(ValueError, match="no"):
                    await failing()
            return gc.collect()
        finally:
            gc.enable()

    assert run_virtual(main) < 50


def test_several_waiters_get_the_same_result():
    async def main():
        op = later()
        return await asyncio.gather(*(with_timeout(op) for _ in range(3)))

    assert run_virtual(main) == [7, 7, 7]


def test_cancelling_one_wait_gives_up_that_wait_only():
    async def main():
        op = later()
        first, second = asyncio.create_task(with_timeout(op)), asyncio.create_task(with_timeout(op))
        await asyncio.sleep(0)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        return await second

    assert run_virtual(main) == 7


def test_awaiting_one_that_is_done_does_not_yield_to_the_loop():
    async def main():
        turns = []
        asyncio.get_running_loop().call_soon(turns.append, 1)
        await Op(1)
        return list(turns)

    assert run_virtual(main) == []


def test_the_result_of_a_pending_one_is_an_invalid_state():
    op: Op[int] = Op()

    assert not op.done()
    with pytest.raises(asyncio.InvalidStateError, match="await it"):
        op.result()


def test_a_second_outcome_changes_nothing():
    op: Op[int] = Op()
    op.resolve(1)

    op.resolve(2)
    op.reject(ValueError())

    assert op.done() and op.result() == 1


def test_a_failure_that_nobody_looked_at_is_logged(caplog):
    op: Op[int] = Op()
    with caplog.at_level(logging.ERROR, logger="perdure.op"):
        op.reject(ValueError("lost"))
        del op
        gc.collect()

    assert "nobody awaited it: ValueError: lost" in caplog.text


def test_a_failure_that_somebody_saw_is_not_logged(caplog):
    op: Op[int] = Op()
    op.reject(ValueError("seen"))
    with pytest.raises(ValueError, match="seen"):
        op.result()
    del op
    gc.collect()

    assert not caplog.text


def test_an_operation_says_its_state():
    pending: Op[int] = Op()
    failed: Op[int] = Op()
    failed.reject(ValueError())
    with pytest.raises(ValueError):
        failed.result()

    said = (repr(pending), repr(Op(1)), repr(failed))
    assert said == ("<Op pending: await it>", "<Op done: await it>", "<Op failed: await it>")
