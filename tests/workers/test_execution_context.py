"""What an invocation may leave running, and for how long (runtime 10.5)."""

import asyncio
import logging
import os

import pytest

from perdure.model.errors import ObjectAborted, WrongType
from perdure.objects.op import Op
from perdure.objects.origin import RequestNumbers
from perdure.testing.virtual_loop import LoopClock, VirtualLoop
from perdure.workers.execution_context import Background, ExecutionContext
from perdure.workers.exports import Exports


def run(scenario):
    async def main():
        clock = LoopClock(asyncio.get_running_loop())
        background = Background(
            "hits", clock, lambda cls: f"namespace of {cls}", RequestNumbers(os.urandom), Exports("hits", {})
        )
        await scenario(background, ExecutionContext(background))

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(main())


async def record(done, seconds):
    await asyncio.sleep(seconds)
    done.append(seconds)


def test_background_work_goes_on_for_30_s_after_the_reply_and_is_then_cancelled_with_a_warning(caplog):
    async def scenario(background, ctx):
        done: list[float] = []
        ctx.wait_until(record(done, 40))  # 10 s before the reply and 29.9 after it
        ctx.wait_until(record(done, 39.9))
        ctx.waitUntil(record(done, 1))
        await asyncio.sleep(10)
        ctx.replied()

        await background.drain(grace_s=100)

        assert done == [1, 39.9]
        assert asyncio.get_running_loop().time() == pytest.approx(40)
        assert not background.tasks

    run(scenario)
    (warning,) = caplog.records
    assert warning.levelno == logging.WARNING
    assert "hits: work of wait_until() was cancelled 30 s after the reply: record" in warning.getMessage()


def test_what_is_added_after_the_reply_has_what_is_left_of_the_30_s(caplog):
    async def scenario(background, ctx):
        done: list[float] = []
        ctx.replied()
        await asyncio.sleep(20)

        ctx.wait_until(record(done, 9))
        ctx.wait_until(record(done, 11))
        await background.drain(grace_s=100)

        assert done == [9]
        assert asyncio.get_running_loop().time() == pytest.approx(30)
        ctx.wait_until(record(done, 1))
        await background.drain(grace_s=100)
        assert done == [9]

    run(scenario)
    assert len(caplog.records) == 2


def test_a_failure_is_logged_and_stops_nothing_else(caplog):
    async def fail():
        raise ValueError("no such account")

    async def scenario(background, ctx):
        done: list[float] = []
        ctx.wait_until(fail())
        ctx.wait_until(record(done, 1))
        ctx.replied()
        await background.drain(grace_s=100)

        assert done == [1]

    run(scenario)
    (record_of_it,) = caplog.records
    assert record_of_it.levelno == logging.ERROR
    assert record_of_it.exc_info is not None
    assert "no such account" in str(record_of_it.exc_info[1])
    assert "fail" in record_of_it.getMessage()


def test_an_operation_or_a_future_may_be_waited_for_as_well(caplog):
    async def scenario(background, ctx):
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        ctx.wait_until(Op(3))
        ctx.wait_until(future)
        ctx.replied()
        await background.drain(grace_s=100)

        assert future.cancelled()

    run(scenario)
    assert "Future" in caplog.text


def test_what_is_no_awaitable_is_refused_with_the_right_call():
    async def scenario(background, ctx):
        with pytest.raises(WrongType, match="takes an awaitable, not function: .*; call the function"):
            ctx.wait_until(run)

    run(scenario)


def test_pass_through_on_exception_does_nothing_and_says_so_once(caplog):
    async def scenario(background, ctx):
        ctx.pass_through_on_exception()
        ExecutionContext(background).passThroughOnException()

    run(scenario)
    (warning,) = caplog.records
    assert "there is no origin" in warning.getMessage()


def test_abort_ends_the_invocation():
    async def scenario(background, ctx):
        with pytest.raises(ObjectAborted, match="enough"):
            ctx.abort("enough")

    run(scenario)


def test_api_13_a_namespace_of_an_own_class_needs_no_binding():
    async def scenario(background, ctx):
        assert ctx.namespace(int) == "namespace of <class 'int'>"

    run(scenario)
