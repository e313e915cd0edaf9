"""What storage can refuse or fail at. Those with `object_reset` come when a commit failed; the others leave all as it
was.

See tests/model/test_errors.py.
"""

import errno
from datetime import datetime

from perdure.model.errors.base import PerdureError


class StorageBroken(PerdureError):
    """A commit failed, and the object was reset. Whether its writes count is known when the object has started again.

    Replies that depended on them were not sent. Read the state through a new call before repeating the work. If it
    comes again, the message's cause names what the disk said.
    """

    object_reset = True


class StorageFull(StorageBroken, OSError):
    """The disk, or the 10 GB that one object may hold, is full; the unit was not stored and the object was reset.

    Free space on the disk that holds the data folder, or delete data in the object. Nothing stored earlier is lost.
    """

    errno: int | None = errno.ENOSPC


class StoreBroken(StorageBroken):
    """The store of a whole namespace is off after an input/output error; the rest of the process serves on.

    Check the disk and the file system of the data folder, then start the process again: what was acknowledged is there.
    """


class StoreTooNew(PerdureError):
    """This data folder was written by a newer Perdure, named in `written_by`, in a format this one does not know.

    Nothing was changed. Run that version or a later one, or open another folder.
    """

    written_by: str

    def __init__(self, *, what: str, where: str = "", why: str = "", next_step: str = "", written_by: str) -> None:
        self.written_by = written_by
        super().__init__(what=what, where=where, why=why, next_step=next_step)


class DataFolderLocked(PerdureError, OSError):
    """Another process has this data folder open: `program`, process `pid`, since `since`. One process owns a folder.

    Stop that one, or use another folder. Run one worker process (`uvicorn --workers 1`); what other processes need of
    its objects they ask its Worker for, over HTTP.
    """

    errno: int | None = errno.EAGAIN
    pid: int
    program: str
    since: datetime

    def __init__(
        self,
        *,
        what: str,
        where: str = "",
        why: str = "",
        next_step: str = "",
        pid: int,
        program: str,
        since: datetime,
    ) -> None:
        self.pid = pid
        self.program = program
        self.since = since
        super().__init__(what=what, where=where, why=why, next_step=next_step)


class ForkedChild(PerdureError, RuntimeError):
    """A process that was forked from the one that opened the data folder touched it, which would corrupt it.

    Open the folder after the fork, in one process, or start children with the `spawn` method.
    """


class WrongThread(PerdureError, RuntimeError):
    """An object's storage was touched from a thread. Only the thread of the loop may, within the object's gate.

    Give the thread the values it needs and store what it returns: `result = await asyncio.to_thread(work, value)`.
    """


class OutsideGate(PerdureError, RuntimeError):
    """An object's storage was touched in a plain callback while a critical section or transaction of it is open.

    Do the work in a task (`asyncio.create_task`) or with `ctx.wait_until`: these pass the object's gate first.
    """


class TransactionEnded(PerdureError, RuntimeError):
    """A transaction was used after its block ended or after its `rollback()`. Use `ctx.storage`, or open another."""


class AwaitInTransaction(PerdureError, RuntimeError):
    """Code inside `transaction_sync()` awaited something that has to wait; the block was rolled back.

    Fetch what you need before the block, or use `async with storage.transaction()`.
    """


class TooLarge(PerdureError, ValueError):
    """A key, value, message or other thing is larger than its limit; nothing was written or sent.

    `size` and `limit` are bytes, or elements where the limit counts those. Split it, or store a part of it elsewhere.
    """

    size: int
    limit: int

    def __init__(
        self, *, what: str, where: str = "", why: str = "", next_step: str = "", size: int, limit: int
    ) -> None:
        self.size = size
        self.limit = limit
        super().__init__(what=what, where=where, why=why, next_step=next_step)


class UnitTooLarge(TooLarge):
    """One step wrote more than 64 MiB, which would have to become durable at once; none of it was stored.

    Write in parts with a wait between them (`await ctx.storage.sync()`): each part is stored whole or not at all.
    """
