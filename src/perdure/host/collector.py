"""Garbage collection that never stops the loop for long, however many instances live.

CPython's full pass visits every container there is: 0.15 s with 100,000 instances, at a moment of its own choice. Here
the oldest generation is collected by us alone, a little and often: a pass over what has grown old since the last one,
of which the survivors are frozen (no later pass visits them) once visiting them takes too long. What is frozen and then
dies in a cycle waits for a thaw: one pass over everything, made while nothing runs, and only once memory has grown so much
that it may pay. Must stay true: with 100,000 live instances no pause reaches 50 ms (`python -m
tests.host.measure_pauses`), and garbage in cycles is found in the end. See tests/host/test_collector.py.

A process has one collector: for the processes that Perdure starts itself, never for one that embeds it.
"""

import gc
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from perdure.core.clock import Cancellable, Clock

YOUNG_OBJECTS_MAX = 5_000
"""Containers made between two passes over the young: such a pass takes about 0.3 ms."""
YOUNG_PASSES_MAX = 3
"""Young passes between two over the middle generation, which so visits at most 20,000 containers: 4 ms, and 14 ms where
they come out of memory instead of a cache."""
NEVER = 1_000_000_000
"""As threshold of the oldest generation: CPython leaves it to us."""

LOOK_EVERY_S = 0.05
"""So that little more than one middle generation has grown old by then, however fast objects come, under load too."""
FREEZE_OVER_S = 0.005
"""A pass that took longer left survivors that are worth freezing, or the next would visit them again."""
THAW_OVER = 5_000_000
"""Blocks of memory allocated since the last thaw, before which another does not pay: 100,000 instances have about half as
many. Counting those costs a visit to each page; counting what is frozen would cost a visit to each container, 0.1 s."""
THAW_OVERDUE = 4
"""As many times the above, and a thaw is made under load too: a pause is better than a process without memory."""


@dataclass(slots=True)
class CollectorCounters:
    """What a collector has done so far."""

    passes: int = 0
    freezes: int = 0
    thaws: int = 0
    longest_pass_s: float = 0.0
    """In processor time: what else runs on the machine does not count."""


class Collector:
    """The process's policy of garbage collection, from `start` until `stop`. `is_idle` says whether nothing runs
    now."""

    def __init__(
        self,
        clock: Clock,
        *,
        is_idle: Callable[[], bool],
        freeze_over_s: float = FREEZE_OVER_S,
        thaw_over: int = THAW_OVER,
    ) -> None:
        self.counters = CollectorCounters()
        self._clock = clock
        self._is_idle = is_idle
        self._freeze_over_s = freeze_over_s
        self._thaw_over = thaw_over
        self._blocks_after_thaw = 0
        self._thresholds_before: tuple[int, int, int] | None = None
        self._timer: Cancellable | None = None

    def start(self) -> None:
        """Everything that is there now counts as there for good: code, configuration, the machinery itself."""
        self._thresholds_before = gc.get_threshold()
        gc.set_threshold(YOUNG_OBJECTS_MAX, YOUNG_PASSES_MAX, NEVER)
        gc.collect()
        self._freeze()
        self._blocks_after_thaw = sys.getallocatedblocks()
        self._timer = self._clock.call_later(LOOK_EVERY_S, self._look)

    def stop(self) -> None:
        """Give the collection back to CPython as it was."""
        if self._thresholds_before is not None:
            gc.set_threshold(*self._thresholds_before)
            self._thresholds_before = None
            gc.unfreeze()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        if gc.get_count()[2]:
            self._pass()
        self._timer = self._clock.call_later(LOOK_EVERY_S, self._look)

    def _pass(self) -> None:
        # As much again as there was, so that thaws stay rare however large the heap is.
        thaw_over = max(self._thaw_over, self._blocks_after_thaw)
        grown_by = sys.getallocatedblocks() - self._blocks_after_thaw
        if grown_by > (thaw_over if self._is_idle() else thaw_over * THAW_OVERDUE):
            gc.unfreeze()
            self._collect()
            self._freeze()
            self._blocks_after_thaw = sys.getallocatedblocks()
            self.counters.thaws += 1
        elif self._collect() > self._freeze_over_s:
            self._freeze()

    def _collect(self) -> float:
        begun_s = time.thread_time()
        gc.collect()
        took_s = time.thread_time() - begun_s
        self.counters.passes += 1
        self.counters.longest_pass_s = max(self.counters.longest_pass_s, took_s)
        return took_s

    def _freeze(self) -> None:
        gc.freeze()
        self.counters.freezes += 1
