"""The moments at which a crash is worth trying: before and after each transaction and each switch of what readers see.

Production passes a function that does nothing; a test passes one that kills the process, cuts the power or raises.
tests/store/test_crash_points.py counts the transactions of this folder against this list.
"""

from collections.abc import Callable
from enum import Enum, auto


class CrashPoint(Enum):
    BEFORE_LOG_COMMIT = auto()
    """A group was taken and encoded; nothing of it is on disk."""
    AFTER_LOG_COMMIT = auto()
    BEFORE_ACKNOWLEDGE = auto()
    """The loop knows that the group is durable; nothing was released yet."""
    AFTER_ACKNOWLEDGE = auto()
    BEFORE_APPLY_BEGIN = auto()
    BEFORE_APPLY_COMMIT = auto()
    AFTER_APPLY_COMMIT = auto()
    BEFORE_LAYER_REMOVAL = auto()
    AFTER_LAYER_REMOVAL = auto()
    BEFORE_CHECKPOINT = auto()
    AFTER_CHECKPOINT = auto()
    BEFORE_WAL_GROWTH = auto()
    """The file of the write-ahead log is longer, and nothing is in the new part."""
    AFTER_WAL_GROWTH = auto()
    BEFORE_FENCE = auto()
    AFTER_FENCE = auto()
    BEFORE_GENERATION_SWITCH = auto()
    """A group that moves an object to a new generation is about to commit."""
    AFTER_GENERATION_SWITCH = auto()
    BEFORE_SWEEP = auto()
    AFTER_SWEEP = auto()
    BEFORE_FORGETTING = auto()
    """A part of the past is about to be forgotten or merged."""
    AFTER_FORGETTING = auto()
    BEFORE_RESTORE = auto()
    """An object is to go back to an earlier state, and nothing has been done about it."""
    AFTER_RESTORE_SLICE = auto()
    BEFORE_RESTORE_END = auto()
    """All but the last part of the way back was appended."""
    AFTER_RESTORE_END = auto()
    BEFORE_SCHEMA_COMMIT = auto()
    """The tables of a new database are about to be there."""
    AFTER_SCHEMA_COMMIT = auto()
    BEFORE_CATALOG_COMMIT = auto()
    AFTER_CATALOG_COMMIT = auto()
    BEFORE_FOLDER_MADE = auto()
    AFTER_FOLDER_MADE = auto()
    BEFORE_FOLDER_REMOVED = auto()
    AFTER_FOLDER_REMOVED = auto()


At = Callable[[CrashPoint], None]
"""Told each point that is passed, on whichever thread passes it."""


def passes(point: CrashPoint) -> None:
    """What production does at a crash point: nothing."""
