"""Room ahead in SQLite's write-ahead log: a commit that makes the file longer waits for the file system's journal too.

Only length is written. SQLite takes zeros behind the last frame for the end of the log and writes over them. See
tests/store/test_wal_room.py and docs/decisions/0014-the-log-has-room-ahead.md.
"""

from contextlib import suppress

import apsw

from perdure.store.bounds import WAL_ROOM_BYTES_MAX, WAL_ROOM_PAGES_MIN
from perdure.store.connection import PAGE_BYTES

_HEADER_BYTES = 32
_FRAME_BYTES = 24 + PAGE_BYTES

# SQLite's file layer takes at most 128 KiB in one write.
_ZEROS = bytes(64 * 1024)


class WalRoom:
    """How far the log of one connection reaches ahead."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self.pages = WAL_ROOM_PAGES_MIN
        """A log of more pages may have no room left. A shorter one needs none."""

    def extend(self, pages: int) -> None:
        """Gives a log of so many pages as many again, within a bound. The caller holds the database's write lock.

        Whatever goes wrong here is no error: what it means for the commit, which needs less, is SQLite's to say. The
        log is then let alone until it has grown as much by itself.
        """
        used = _HEADER_BYTES + pages * _FRAME_BYTES
        wanted = used + min(used, WAL_ROOM_BYTES_MAX)
        self.pages = _pages(wanted)
        with suppress(apsw.Error):
            self._lengthen(used, wanted)

    def _lengthen(self, used: int, wanted: int) -> None:
        flags = [apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_WAL, 0]
        file = apsw.VFSFile(self._connection.open_vfs, self._connection.filename_wal, flags)
        try:
            size = file.xFileSize()
            self.pages = max(self.pages, _pages(size))
            if size < used:
                return  # It was cut since the last commit; the next one begins it anew.
            try:
                for offset in range(size, wanted, len(_ZEROS)):
                    file.xWrite(_ZEROS, offset)
            except apsw.FullError:
                file.xTruncate(size)  # What little is left is for others too.
        finally:
            file.xClose()


def _pages(size: int) -> int:
    return (size - _HEADER_BYTES) // _FRAME_BYTES
