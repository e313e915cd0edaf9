"""The collector keeps pauses short by freezing what stays, and finds garbage in the end."""

import gc
import sys
import weakref
from collections.abc import Callable

import pytest

from perdure.host.collector import LOOK_EVERY_S, Collector


class Node:
    """A cycle of one."""

    def __init__(self) -> None:
        self.itself = self


class StepClock:
    """Timers that fire when the test says so."""

    def __init__(self) -> None:
        self.due: list[Callable[[], None]] = []

    def now_ms(self) -> int:
        return 0

    def monotonic(self) -> float:
        return 0.0

    def call_soon(self, fn: Callable[[], None]) -> None:
        self.due.append(fn)

    def call_later(self, delay_s: float, fn: Callable[[], None]) -> "StepClock":
        self.due.append(fn)
        return self

    def cancel(self) -> None:
        self.due.clear()

    def step(self) -> None:
        due, self.due = self.due, []
        for fn in due:
            fn()


@pytest.fixture
def clock():
    return StepClock()


@pytest.fixture
def collector_with(clock):
    started: list[Collector] = []

    def make(*, idle: bool = True, freeze_over_s: float = 1e9, thaw_over: int = 1_000_000_000) -> Collector:
        collector = Collector(clock, is_idle=lambda: idle, freeze_over_s=freeze_over_s, thaw_over=thaw_over)
        collector.start()
        started.append(collector)
        return collector

    yield make
    for collector in started:
        collector.stop()


def grow_old(*, times: int = 1) -> list[Node]:
    """Objects that survived into the oldest generation, as CPython counts it."""
    kept = []
    for _ in range(times):
        kept.extend(Node() for _ in range(10))
        gc.collect(1)
    return kept


def test_python_never_collects_the_oldest_generation_by_itself(collector_with):
    collector_with()

    assert gc.get_threshold()[2] >= 1_000_000


def test_what_is_there_at_the_start_is_frozen(collector_with):
    before = gc.get_freeze_count()

    collector_with()

    assert gc.get_freeze_count() > before


def test_garbage_that_grew_old_is_collected_when_nothing_runs(collector_with, clock):
    collector_with(idle=True)
    died = weakref.ref(grow_old()[0])

    clock.step()

    assert died() is None


def test_however_many_objects_come_to_stay_no_pass_visits_many_of_them(collector_with, clock):
    """30,000 containers take 20 ms where caches are cold; the rate is what activating objects as fast as they come makes."""
    collector_with(idle=False, freeze_over_s=0)
    visited: list[int] = []

    def count(phase: str, info: dict[str, int]) -> None:
        if phase == "start" and info["generation"]:
            visited.append(sum(len(gc.get_objects(generation)) for generation in range(info["generation"] + 1)))

    gc.callbacks.append(count)
    kept = []
    for _ in range(100):
        kept.extend(Node() for _ in range(round(60_000 * LOOK_EVERY_S)))
        clock.step()
    gc.callbacks.remove(count)

    assert visited
    assert max(visited) < 30_000


def test_nothing_grown_old_is_no_work(collector_with, clock):
    collector = collector_with()
    gc.collect()
    passes = collector.counters.passes

    clock.step()

    assert collector.counters.passes == passes


def test_what_survives_a_long_pass_is_frozen(collector_with, clock):
    collector = collector_with(freeze_over_s=0)
    frozen = gc.get_freeze_count()

    nodes = grow_old()
    clock.step()

    assert collector.counters.freezes == 2
    assert gc.get_freeze_count() >= frozen + len(nodes)


def test_frozen_garbage_is_found_once_memory_has_doubled(collector_with, clock):
    collector = collector_with(freeze_over_s=0, thaw_over=0)
    nodes = grow_old()
    clock.step()
    died = weakref.ref(nodes[0])
    del nodes
    gc.collect()
    assert died() is not None

    much: list[list[object]] = [[] for _ in range(sys.getallocatedblocks())]
    grow_old()
    clock.step()
    grow_old()
    clock.step()

    assert died() is None
    assert collector.counters.thaws == 1
    assert much


def test_a_stopped_collector_leaves_the_process_as_it_was():
    before = gc.get_threshold(), gc.get_freeze_count()
    collector = Collector(StepClock(), is_idle=lambda: True)

    collector.start()
    collector.stop()

    assert (gc.get_threshold(), gc.get_freeze_count()) == (before[0], 0)


def test_what_is_frozen_is_not_counted_while_serving(collector_with, clock, monkeypatch):
    """CPython counts by visiting each container there: 0.1 s with 100,000 instances, at every freeze."""
    collector = collector_with(freeze_over_s=0)
    counted: list[None] = []
    monkeypatch.setattr(gc, "get_freeze_count", lambda: counted.append(None) or 0)

    grow_old()
    clock.step()

    assert collector.counters.freezes == 2
    assert not counted
