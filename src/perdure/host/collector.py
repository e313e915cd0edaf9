"""Garbage collection that never stops the loop for long, however many instances live.

CPython's full pass visits every container there is: 0.15 s with 100,000 instances, at a moment of its own choice. Here
the oldest generation is collected by us alone, a little and often: a pass over what has grown old since the last one,
of which the survivors are frozen (no later pass visits them) once visiting them takes too long. What is frozen and then
dies in a cycle waits for a thaw: one pass over everything, made while nothing runs, and only once so much was frozen
that it may pay. Must stay true: with 100,000 live instances no pause reaches 100 ms (`python -m
tests.host.measure_pauses`), and garbage in cycles is found in the end. See tests/host/test_collector.py.

A process has one collector: for the processes that Perdure starts itself, never for one that embeds it.
"""

import gc
import time
from collections.abc import Callable
from dataclasses import dataclass

from perdure.core.clock import Cancellable, Clock

YOUNG_OBJECTS_MAX = 5_000
"""Containers made between two passes over the young: such a pass takes about 0.3 ms."""
YOUNG_PASSES_MAX = 10
"""Young passes between two over the middle generation, which so visits at most 50,000 containers, in about 4 ms."""
NEVER = 1_000_000_000
"""As threshold of the oldest generation: CPython leaves it to us."""

LOOK_EVERY_S = 0.25
OVERDUE = 2
"""Middle generations grown old: at up to 50,000 containers each, a pass then takes about 30 ms, and is made under load
too."""
FREEZE_OVER_S = 0.010
"""A pass that took longer left survivors that are worth freezing."""
THAW_OVER = 2_000_000
"""Containers frozen since the last thaw, before which another does not pay: 100,000 instances have about half as
many."""
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
        self._frozen_after_thaw = 0
        self._frozen = 0
        self._thresholds_before: tuple[int, int, int] | None = None
        self._timer: Cancellable | None = None

    def start(self) -> None:
        """Everything that is there now counts as there for good: code, configuration, the machinery itself."""
        self._thresholds_before = gc.get_threshold()
        gc.set_threshold(YOUNG_OBJECTS_MAX, YOUNG_PASSES_MAX, NEVER)
        gc.collect()
        self._freeze()
        self._frozen_after_thaw = self._frozen
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
        grown_old = gc.get_count()[2]
        idle = self._is_idle()
        if grown_old >= (1 if idle else OVERDUE):
            self._pass(idle)
        self._timer = self._clock.call_later(LOOK_EVERY_S, self._look)

    def _pass(self, idle: bool) -> None:
        # As much again as there was, so that thaws stay rare however large the heap is.
        thaw_over = max(self._thaw_over, self._frozen_after_thaw)
        if self._frozen - self._frozen_after_thaw > (thaw_over if idle else thaw_over * THAW_OVERDUE):
            gc.unfreeze()
            self._collect()
            self._freeze()
            self._frozen_after_thaw = self._frozen
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
        self._frozen = gc.get_freeze_count()
        self.counters.freezes += 1
