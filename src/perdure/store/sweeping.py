"""What of a store is swept, slice by slice: rows of retired generations, which nobody reads, and the past that is too old.

Generations come first. The past is passed over once in a while and as long as there is more than is kept, and stays as it
is while an object goes back to a place in it. See tests/store/test_upkeep.py and test_undo.py.
"""

from collections.abc import Callable
from typing import NamedTuple

from perdure.core.clock import Clock
from perdure.store.bounds import UNDO_PASS_MS
from perdure.store.files import Files
from perdure.store.writer import Writer


class Swept(NamedTuple):
    """What one slice came to."""

    retired: int | None
    """The generation to sweep next."""
    rows: int = 0
    """Of a generation."""
    past: tuple[bool, int] | None = None
    """Of a slice of the past: whether the pass is over, and the place before which nobody can go back now."""


class Sweeping:
    """What is left to sweep; its jobs are the writer's."""

    def __init__(self, files: Files, clock: Clock) -> None:
        self.retired = files.retired
        """A generation to sweep."""
        self.undo_from = files.undo_from
        """The place before which nobody can go back."""
        self.forgetting = False
        """A pass over the past is due, or under way."""
        self.restores = 0
        """Objects that go back right now."""
        self._clock = clock
        self._next_pass_ms = clock.now_ms() + UNDO_PASS_MS

    def adopt(self, files: Files) -> None:
        """The store was opened again."""
        self.retired, self.undo_from = files.retired, files.undo_from

    def applied(self, retired: int | None) -> None:
        """A batch is in the tables; `retired` is a generation of theirs to sweep."""
        self.retired = retired
        self.forgetting |= self._clock.now_ms() >= self._next_pass_ms

    def slice(self, writer: Writer) -> Callable[[], Swept]:
        """The job of the next one."""
        generation, now_ms = self.retired, self._clock.now_ms()

        def job() -> Swept:
            if generation is None:
                past = writer.forget_slice(now_ms)
                return Swept(writer.retired(), past=past)
            finished, rows = writer.sweep_slice(generation)
            return Swept(writer.retired() if finished else generation, rows)

        return job

    def swept(self, done: Swept) -> None:
        """That slice is on disk."""
        self.retired = done.retired
        if done.past is not None:
            finished, self.undo_from = done.past
            if finished:
                self._pass_is_over()

    def failed(self) -> None:
        """That slice is not: rows that nobody reads can wait for the next start, and the past for the next pass."""
        if self.retired is not None:
            self.retired = None
        else:
            self._pass_is_over()

    def _pass_is_over(self) -> None:
        self.forgetting = False
        self._next_pass_ms = self._clock.now_ms() + UNDO_PASS_MS
