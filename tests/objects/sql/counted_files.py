"""A file system that counts the bytes which the store hands to and gets from the one that production uses."""

from typing import Any

import apsw

from perdure.store.file_system import checksummed_file_system


class CountedFiles(apsw.VFS):
    """Of bytes read, and of those written to the write-ahead log."""

    def __init__(self) -> None:
        self.name = f"counted {id(self)}"
        self.base = checksummed_file_system()
        self.read = self.written_to_log = 0
        super().__init__(self.name, self.base)

    def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:
        return CountedFile(self, name, flags)


class CountedFile(apsw.VFSFile):
    def __init__(self, files: CountedFiles, name: Any, flags: list[int]) -> None:
        self.files = files
        self.is_log = bool(flags[0] & apsw.SQLITE_OPEN_WAL)
        super().__init__(files.base, name, flags)

    def xRead(self, amount: int, offset: int) -> bytes:
        self.files.read += amount
        return super().xRead(amount, offset)

    def xWrite(self, data: bytes, offset: int) -> None:
        if self.is_log:
            self.files.written_to_log += len(data)
        super().xWrite(data, offset)
