"""What a failed job means for the store: each kind of trouble has one way on.

See tests/store/test_faults.py.
"""

import errno
from enum import Enum, auto
from pathlib import Path

import apsw

from perdure.model.errors import StorageBroken, StorageFull, StoreBroken
from perdure.store.log import DamagedLog


class Trouble(Enum):
    FULL = auto()
    """No space left: the group failed, nothing else is wrong; it recovers by itself."""
    BUSY = auto()
    """Another program holds the database: the group failed, nothing else is wrong."""
    DAMAGE = auto()
    """What was read is not what was written. Waiting does not help, reopening neither."""
    IO = auto()
    """What is on disk is unknown: close everything, open it anew, look."""


# The disk, what this user may have of it, and how long a file may be.
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

_DAMAGE_RESULTS = (apsw.SQLITE_IOERR_DATA, apsw.SQLITE_IOERR_CORRUPTFS)


def trouble_of(error: BaseException) -> Trouble:
    """The kind of trouble; what is not known counts as input/output trouble, the most careful one."""
    if isinstance(error, apsw.FullError):
        return Trouble.FULL
    if isinstance(error, apsw.BusyError):
        return Trouble.BUSY
    if isinstance(error, (apsw.CorruptError, apsw.NotADBError, DamagedLog)):
        return Trouble.DAMAGE
    if isinstance(error, apsw.IOError) and getattr(error, "extendedresult", None) in _DAMAGE_RESULTS:
        return Trouble.DAMAGE
    return Trouble.IO


def failed_commit(error: BaseException, where: str) -> StorageBroken:
    """What the objects of a group that failed, and those who wait for it, are told."""
    if trouble_of(error) is Trouble.FULL:
        full = StorageFull(
            what="the disk is full, the last writes were not stored",
            where=where,
            why=str(error),
            next_step="free some space; the store goes on by itself",
        )
        full.__cause__ = error
        return full
    broken = StorageBroken(
        what="a commit failed; whether its writes count is known when the object has started again",
        where=where,
        why=f"{type(error).__name__}: {error}",
        next_step="read the state through a new call before you repeat the work",
    )
    broken.__cause__ = error
    return broken


def failed_read(error: BaseException, what: str, where: str) -> StorageBroken:
    """What an object is told whose row cannot be read; others are not concerned."""
    damaged = trouble_of(error) is Trouble.DAMAGE
    broken = StorageBroken(
        what=f"{what} is damaged on disk" if damaged else f"{what} could not be read",
        where=where,
        why=f"{type(error).__name__}: {error}",
        next_step="restore it from a backup; other objects serve on" if damaged else "check the disk, then try again",
    )
    broken.__cause__ = error
    return broken


def could_not_be_written(error: apsw.Error) -> bool:
    """Whether it was writing that failed, so that it says nothing of what was read."""
    return isinstance(error, apsw.FullError) or getattr(error, "extendedresult", None) == apsw.SQLITE_IOERR_WRITE


def cannot_write(file: Path, error: OSError | apsw.Error) -> StorageBroken:
    """What somebody is told who is to have a file (a backup, an export) that cannot be written."""
    full = error.errno in _FULL if isinstance(error, OSError) else could_not_be_written(error)
    return (StorageFull if full else StoreBroken)(
        what=f"there is no room for {file.name}" if full else f"{file.name} cannot be written",
        where=str(file),
        why=str(error),
        next_step="free some space, or give a place on another disk; nothing was changed"
        if full
        else "check the disk, and that this user may write there; nothing was changed",
    )


def store_off(error: BaseException, where: str) -> StoreBroken:
    """What everybody is told once a store is off."""
    broken = StoreBroken(
        what="the store of this namespace is off",
        where=where,
        why=f"{type(error).__name__}: {error}",
        next_step="check the disk, then start again: what was acknowledged is there; other namespaces serve on",
    )
    broken.__cause__ = error
    return broken
