"""What the writer of a store does next: a group, a slice of apply or sweep, or nothing.

Groups come first, for somebody waits for each of them; but apply must keep up. Below half the bound of the layers it
gets a third of the writer's time while there is more than a little to do, above half it gets two thirds, and in a quiet
moment all it wants. See tests/core/test_writer_turns.py.
"""

from enum import Enum, auto

_SHARE_BELOW_HALF = 1 / 3
_SHARE_ABOVE_HALF = 2 / 3


class Turn(Enum):
    GROUP = auto()
    APPLY = auto()
    SWEEP = auto()
    NOTHING = auto()


class WriterTurns:
    """The time that groups and the rest have had, and whose turn it is."""

    def __init__(self, *, apply_bytes_min: int, layers_bytes_max: int, slice_s: float) -> None:
        self._apply_bytes_min = apply_bytes_min
        self._half_bytes = layers_bytes_max // 2
        self._slice_s = slice_s
        self._owed_s = 0.0
        """Of the writer's time, to everything that is not a group; negative: it had more than its share."""

    def next(self, *, group: bool, apply_bytes: int, applying: bool, sweep: bool, quiet: bool) -> Turn:
        """Who has the next turn.

        group: there is one to write.  apply_bytes: of durable groups not yet applied, 0 if apply is not possible now.
        applying: a batch is half in the tables.  sweep: a retired generation waits.  quiet: nothing was appended
        lately.
        """
        pressing = applying or apply_bytes >= self._apply_bytes_min or (quiet and apply_bytes > 0)
        rest = Turn.APPLY if pressing else Turn.SWEEP if sweep else Turn.NOTHING
        if not group:
            return rest
        return rest if rest is not Turn.NOTHING and self._owed_s > 0 else Turn.GROUP

    def spent(self, turn: Turn, seconds: float, apply_bytes: int) -> None:
        """That turn took so long."""
        if turn is Turn.GROUP:
            share = _SHARE_ABOVE_HALF if apply_bytes > self._half_bytes else _SHARE_BELOW_HALF
            self._owed_s = min(self._owed_s + seconds * share / (1 - share), self._slice_s)
        else:
            self._owed_s = max(self._owed_s - seconds, -self._slice_s)
