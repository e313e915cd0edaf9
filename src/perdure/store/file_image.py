"""The file of a database as a read transaction sees it, page by page, while others write and checkpoint.

Must stay true: what is read is what SQLite would read in that transaction, and every page has its checksum. A page that
stands in the write-ahead log, up to the last commit that the transaction sees, is taken from there; every other one from the
database itself, where nobody changes it as long as the transaction lasts: a checkpoint copies no page of later commits while
somebody reads an earlier state. SQLite's own copy makes a database file; this one makes none, so that what is read goes
where it is wanted in one pass. See tests/store/test_file_image.py.
"""

import struct
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import apsw

from perdure.store.connection import PAGE_BYTES

# Not a power of two: what looks like a page is verified as one. SQLite's file layer takes at most 128 KiB at once.
_PIECE_PAGES = 31
PIECE_BYTES = _PIECE_PAGES * PAGE_BYTES

_VERIFY = "SELECT " + " AND ".join(
    f"verify_checksum(substr(?1, {start + 1}, {PAGE_BYTES}))" for start in range(0, PIECE_BYTES, PAGE_BYTES)
)

_HEADER_BYTES = 100
_LOG_HEADER_BYTES = 32
_FRAME_HEADER_BYTES = 24
_FRAME_BYTES = _FRAME_HEADER_BYTES + PAGE_BYTES

# Where SQLite keeps its locks; what a database has there is never read.
_LOCK_PAGE = 0x40000000 // PAGE_BYTES + 1


class FileImage:
    """Made while nobody can commit, opened while nobody can remove it; read afterwards, by anybody's leave. To be closed."""

    def __init__(self, reading: apsw.Connection, other: apsw.Connection, database: Path, file_system: str) -> None:
        """reading: in a read transaction, which the caller keeps as long as this is used. other: in none. Between the start of
        that transaction and this nobody may have committed."""
        self._database = database
        self._file_system = file_system
        self._files = ExitStack()
        self._reading = reading
        self.pages: int = reading.pragma("page_count")
        # Asked after the transaction began: if all was copied to the database by then, the log may be begun anew, and the
        # database stays as it is; if not, the log stays. A connection knows of the log once it has read.
        other.pragma("page_count")
        frames, copied = other.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_NOOP)
        self._frames = frames if copied < frames else 0

    def open(self) -> None:
        """It is read from what has these names now, whoever removes them later."""
        # By SQLite's own means: to close a descriptor of one's own would end the locks of the whole process. To be written,
        # though nothing is: so SQLite takes one that a connection to it has left, of which there are few.
        self._file = self._open(self._database, apsw.SQLITE_OPEN_MAIN_DB | apsw.SQLITE_OPEN_READWRITE, self._files)
        if self._frames:
            log = Path(f"{self._database}-wal")
            self._log = self._open(log, apsw.SQLITE_OPEN_WAL | apsw.SQLITE_OPEN_READONLY, self._files)

    def close(self) -> None:
        """Before the transaction ends."""
        self._files.close()

    @property
    def size_bytes(self) -> int:
        """Its size."""
        return self.pages * PAGE_BYTES

    def read(self, scratch: Path) -> Iterator[bytes]:
        """Its content in pieces of PIECE_BYTES, the last one shorter; scratch: a file to be made and removed.

        Raises apsw.Error where a page of the database fails its checksum, or the disk.
        """
        with ExitStack() as files:
            file = self._file
            size = file.xFileSize() // PAGE_BYTES
            if size:
                # The file system verifies nothing before it has met the header. No whole page: that one may be changing.
                file.xRead(_HEADER_BYTES, 0)
            logged = self._logged_pages()
            summed = self._scratch(scratch, logged, files) if logged else file

            def page(number: int) -> bytes:
                if number in logged:
                    summed.xWrite(_read(self._log, PAGE_BYTES, logged[number]), PAGE_BYTES)
                    return summed.xRead(PAGE_BYTES, PAGE_BYTES)
                if number > size or number == _LOCK_PAGE:
                    return bytes(PAGE_BYTES)
                return _read(file, PAGE_BYTES, (number - 1) * PAGE_BYTES)

            for first in range(1, self.pages + 1, _PIECE_PAGES):
                numbers = range(first, min(first + _PIECE_PAGES, self.pages + 1))
                piece = None
                if len(numbers) == _PIECE_PAGES and numbers[-1] <= size and logged.keys().isdisjoint(numbers):
                    piece = file.xRead(PIECE_BYTES, (first - 1) * PAGE_BYTES)
                if piece is None or not self._reading.execute(_VERIFY, (piece,)).get:
                    piece = b"".join(map(page, numbers))  # one by one, each verified by who reads it
                yield piece

    def _open(self, path: Path, how: int, files: ExitStack) -> apsw.VFSFile:
        file = apsw.VFSFile(self._file_system, str(path), [how, 0])
        files.callback(file.xClose)
        return file

    def _logged_pages(self) -> dict[int, int]:
        """Where in the log those are that stand in it, by their numbers."""
        places: dict[int, int] = {}
        for frame in range(self._frames):
            offset = _LOG_HEADER_BYTES + frame * _FRAME_BYTES
            (number,) = struct.unpack(">I", _read(self._log, 4, offset))
            places[number] = offset + _FRAME_HEADER_BYTES
        return places

    def _scratch(self, path: Path, logged: dict[int, int], files: ExitStack) -> apsw.VFSFile:
        """Pages get their checksums on the way into a database, one that begins as such: in the log they have none."""
        files.callback(path.unlink, missing_ok=True)
        how = apsw.SQLITE_OPEN_MAIN_DB | apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE
        database = self._open(path, how, files)
        first = _read(self._log, PAGE_BYTES, logged[1]) if 1 in logged else _read(self._file, PAGE_BYTES, 0)
        database.xWrite(first, 0)
        return database


def _read(file: apsw.VFSFile, amount: int, offset: int) -> bytes:
    found = file.xRead(amount, offset)
    if len(found) < amount:  # which apsw does not say
        raise apsw.IOError(f"{len(found)} bytes instead of {amount}, {offset} from the beginning: the file was cut")
    return found
