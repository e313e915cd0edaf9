"""The file system under every database: SQLite's own, with a checksum in each page that every read verifies.

A flipped bit on the disk is an error at the read that meets it, never a wrong value. The checksums come from SQLite's
`cksumvfs`, which every wheel of apsw brings along (docs/decisions/0010-pages-carry-checksums.md). See
tests/store/test_damage.py.
"""

from pathlib import Path

import apsw
import apsw.sqlite_extra

from perdure.model.errors import StoreBroken

CHECKSUMMED = "cksmvfs"
"""The name under which the extension registers itself."""

RESERVED_BYTES = 8
"""At the end of each page, where the checksum lives; the extension is idle in a database with any other number."""

# SQLite's file layer takes at most 128 KiB in one write.
_REWRITE_BYTES = 64 * 1024


def checksummed_file_system() -> str:
    """The name of the checksumming file system, registered in this process if it was not yet."""
    if CHECKSUMMED not in apsw.vfs_names():
        _register()
    return CHECKSUMMED


def _register() -> None:
    # The extension makes itself the default of the process. Perdure is a guest in other people's programs: put it back.
    default = apsw.vfs_names()[0]
    connection = apsw.Connection(":memory:")
    try:
        apsw.sqlite_extra.load(connection, "cksumvfs")
    except (apsw.Error, LookupError, apsw.sqlite_extra.NotAvailable) as error:
        raise StoreBroken(
            what="SQLite's checksum file system is missing",
            where=f"apsw {apsw.apsw_version()}",
            why=str(error),
            next_step="install apsw from its wheel: pip install --force-reinstall --only-binary apsw apsw",
        ) from error
    finally:
        connection.close()
        apsw.set_default_vfs(default)


def make_log_durable(database: Path, file_system: str) -> None:
    """Writes the write-ahead log that an earlier run left once more, as it is, and syncs it, before SQLite opens it.

    After a sync has failed, Linux shows pages that are not on disk and takes them for clean: a later sync "succeeds"
    without writing them. To recover from such a log, or to checkpoint it over the database, would build on nothing.
    """
    path = f"{database}-wal"
    if not Path(path).exists():
        return
    file = apsw.VFSFile(file_system, path, [apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_WAL, 0])
    try:
        size = file.xFileSize()
        for offset in range(0, size, _REWRITE_BYTES):
            file.xWrite(file.xRead(min(_REWRITE_BYTES, size - offset), offset), offset)
        if size:
            file.xSync(apsw.SQLITE_SYNC_FULL)
    finally:
        file.xClose()
