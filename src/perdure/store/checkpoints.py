"""Checkpoints of one store: what SQLite's log holds goes into the database, beside the writer as long as that keeps up.

A log that grows faster than it is copied never begins anew, for a checkpoint cannot finish while there is more of it; from
`WAL_PAGES_MAX` on one is made while the writer holds still. See tests/store/test_upkeep.py and test_wal_room.py.
"""

from collections.abc import Callable
from functools import partial

import apsw

from perdure.store.bounds import CHECKPOINT_PAGES_MIN, WAL_PAGES_MAX
from perdure.store.committer import Lane
from perdure.store.connections import Connections
from perdure.store.crash_point import At, CrashPoint
from perdure.store.interface import StoreCounters
from perdure.store.writer import Writer


class Checkpoints:
    """When one is worth it, and the job that makes it. `done` is told on the loop what went wrong, if anything did."""

    def __init__(self, connections: Connections, lane: Lane, at: At, counters: StoreCounters) -> None:
        self._connections = connections
        self._lane = lane
        self._at = at
        self._counters = counters
        self._tried = 0
        """How long the log was at the last one. What that had to leave, as somebody reads it, goes along with the next."""
        self._whole_tried = 0
        """How long the log was when the writer held still for one."""

    def is_worth_it(self, writer: Writer) -> bool:
        """Whether there is enough in the log for one beside the writer."""
        if writer.wal_pages < self._tried:
            self.begin_anew()
        return writer.wal_pages - self._tried >= CHECKPOINT_PAGES_MIN and not self._lane.busy

    def must_be_whole(self, writer: Writer) -> bool:
        """Whether the log is too long, so that checkpoints do not catch up with the writer: it must hold still for one."""
        return (
            writer.wal_pages >= WAL_PAGES_MAX
            and writer.wal_pages - self._whole_tried >= CHECKPOINT_PAGES_MIN
            and not self._lane.busy
        )

    def begin_anew(self) -> None:
        """The log did."""
        self._tried = self._whole_tried = 0

    def make(self, done: Callable[[BaseException | None], None], *, whole: bool) -> None:
        """whole: nothing is written until `done` is called."""
        if whole:
            self._whole_tried = self._wal_pages

        def job() -> tuple[int, int]:
            self._at(CrashPoint.BEFORE_CHECKPOINT)
            pages = self._connections.background_tables().connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
            self._at(CrashPoint.AFTER_CHECKPOINT)
            return pages

        self._lane.submit(job, partial(self._made, done))

    def _made(self, done: Callable[[BaseException | None], None], result: tuple[int, int] | BaseException) -> None:
        if isinstance(result, BaseException):
            self._tried = self._wal_pages  # Nothing is lost, the log is still there; and this one is not tried again.
            done(result)
        else:
            self._counters.checkpoints += 1
            self._tried = result[0]
            done(None)

    @property
    def _wal_pages(self) -> int:
        writer = self._connections.writer
        return writer.wal_pages if writer is not None else 0
