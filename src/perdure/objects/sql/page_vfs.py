"""SQLite's way to a `PageFile`: a virtual file system with one file in it, the database that is being opened.

There are no journals (they are in memory), no temporary files and no locks. Time is the runtime's, so that
`datetime('now')` follows the clock that the object's code follows. See tests/objects/sql/test_page_file.py.
"""

from collections.abc import Callable
from itertools import count
from typing import Any

import apsw

from perdure.core.page_change import PAGE_BYTES
from perdure.objects.sql.page_file import PageFile

_JULIAN_MS_OF_UNIX_EPOCH = 210_866_760_000_000
_numbers = count()


class PageVfs(apsw.VFS):
    """One for each runtime; registered with SQLite while it is referred to."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self.name = f"perdure-pages-{next(_numbers)}"
        self._now_ms = now_ms
        self._opening: PageFile | None = None
        super().__init__(self.name, "")

    def connect(self, file: PageFile, *, statements_cached: int) -> apsw.Connection:
        # Opening runs Python, and so may run a finaliser that opens another.
        before, self._opening = self._opening, file
        try:
            return apsw.Connection("object", vfs=self.name, statementcachesize=statements_cached)
        finally:
            self._opening = before

    def xOpen(self, name: Any, flags: list[int]) -> Any:  # apsw's own kind of file would need one beneath
        if self._opening is None or not flags[0] & apsw.SQLITE_OPEN_MAIN_DB:
            raise apsw.CantOpenError("an object has one database and no other file")
        return OpenPageFile(self._opening)

    def xAccess(self, pathname: str, flags: int) -> bool:
        return False

    def xDelete(self, filename: str, syncdir: bool) -> None:
        pass

    def xFullPathname(self, name: str) -> str:
        return name

    def xCurrentTimeInt64(self) -> int:
        return self._now_ms() + _JULIAN_MS_OF_UNIX_EPOCH

    def xCurrentTime(self) -> float:
        return self.xCurrentTimeInt64() / 86_400_000


class OpenPageFile:
    """What SQLite calls. It reads and writes whole pages, but for a look at the header of a database that it opens."""

    def __init__(self, file: PageFile) -> None:
        self._file = file
        self.excepthook = None

    def xRead(self, amount: int, offset: int) -> bytes:
        number, start = divmod(offset, PAGE_BYTES)
        page = self._file.page(number)
        if page is None:
            return b""
        return page if amount == PAGE_BYTES else page[start : start + amount]

    def xWrite(self, data: bytes, offset: int) -> None:
        self._file.write(offset // PAGE_BYTES, bytes(data))

    def xFileSize(self) -> int:
        return self._file.database_bytes

    def xTruncate(self, newsize: int) -> None:
        self._file.truncate(newsize // PAGE_BYTES)

    def xSync(self, flags: int) -> None:
        pass

    def xLock(self, level: int) -> None:
        pass

    def xUnlock(self, level: int) -> None:
        pass

    def xCheckReservedLock(self) -> bool:
        return False

    def xSectorSize(self) -> int:
        return PAGE_BYTES

    def xDeviceCharacteristics(self) -> int:
        return 0

    def xFileControl(self, op: int, ptr: int) -> bool:
        return False

    def xClose(self) -> None:
        pass
