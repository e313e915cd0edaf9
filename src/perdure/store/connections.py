"""The connections of one store: the writer's, the loop's reader, and one for another thread; open only while they are used.

Each is used by one thread at a time: the writer by the job that runs, the reader by the loop, the third by the jobs of its
lane. Who takes them away makes sure that none of these is under way. See tests/store/test_upkeep.py.
"""

import contextlib
import ctypes
from functools import partial

import apsw

from perdure.store.connection import close_untouched
from perdure.store.crash_point import CrashPoint
from perdure.store.files import Files, Place, close_all, open_background, open_reader
from perdure.store.reader import Reader
from perdure.store.writer import Writer


class Connections:
    """What `open_files` gave, as long as it is open."""

    def __init__(self, place: Place, files: Files) -> None:
        self.writer: Writer | None = files.writer
        self._place = place
        self._reader: Reader | None = files.reader
        self._background: Reader | None = files.background

    @property
    def none_open(self) -> bool:
        return self.writer is None and self._reader is None and self._background is None

    def adopt(self, files: Files) -> None:
        """These are the connections from now on; those that were opened one by one meanwhile stay."""
        self.writer = files.writer
        if self._reader is None:
            self._reader = files.reader
        else:
            files.reader.close()
        if self._background is None:
            self._background = files.background
        else:
            files.background.close()

    def tables(self) -> Reader:
        """For the loop; opened here if it is not: well below 1 ms, as a store that rests has nothing to recover."""
        if self._reader is None:
            self._reader = open_reader(self._place)
        return self._reader

    def background_tables(self) -> Reader:
        """For a job of the lane, on its thread."""
        if self._background is None:
            self._background = open_background(self._place)
        return self._background

    def take_all(self) -> list[apsw.Connection]:
        """Those that are open, for the caller to close."""
        users = (self._reader, self._background, self.writer)
        self._reader = self._background = self.writer = None
        return [user.connection for user in users if user is not None]

    def leak(self) -> None:
        """In a forked child: SQLite must never see these closed, it would touch the parent's files."""
        for connection in self.take_all():
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(connection))


def close_checkpointed(connections: list[apsw.Connection], place: Place) -> None:
    """As a job: SQLite checkpoints all and removes its log when the last one closes."""
    place.at(CrashPoint.BEFORE_CHECKPOINT)
    close_all(*(connection.close for connection in connections))
    place.at(CrashPoint.AFTER_CHECKPOINT)


def close_in_trouble(connections: list[apsw.Connection]) -> None:
    """As a job: closes them and touches nothing on disk, which may fail for the reason that led here."""
    # What counts is whether the store can be opened anew.
    with contextlib.suppress(apsw.Error):
        close_all(*(partial(close_untouched, connection) for connection in connections))
