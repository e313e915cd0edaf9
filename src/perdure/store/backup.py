"""A backup: every database of a data folder as of one instant, in one file that checks itself.

The instant is one at which the program holds the write lock of every database: no group is being committed anywhere, and read
transactions that are opened then go on seeing it. So whoever was told something by one object before another wrote finds both
in it, or neither, whether this process, another or nobody serves the folder. The file is a tar of SQLite databases, then
`manifest.json` with the size and SHA-256 of each, then `manifest.sha256`: without these two the backup did not end. See
docs/guides/storage.md and tests/store/test_backup.py.
"""

import hashlib
import io
import os
import tarfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import IO, Any

import apsw
import msgspec

from perdure.model.errors import PerdureError, StoreBroken, WrongValue
from perdure.store.bounds import BACKGROUND_CACHE_KIB, WRITER_BUSY_MS
from perdure.store.catalog import DATABASE as CATALOG
from perdure.store.connection import close_untouched, keep_writers_out, open_connection
from perdure.store.crash_point import passes
from perdure.store.files import DATABASE
from perdure.store.folders import Folders, sync_folder
from perdure.store.snapshot import open_read_only

FORMAT = 1
"""Of the manifest; goes up with every change that an older Perdure would misread."""

MANIFEST, MANIFEST_SUM = "manifest.json", "manifest.sha256"

Progress = Callable[[int, int], None]
"""Told how many bytes are done, of how many in all."""

# Pages in one step of a copy: 1 MiB, which is also what a look at the progress costs nothing against.
_STEP_PAGES = 256
_CHUNK_BYTES = 1024 * 1024

# Not in the type stubs of Python is the second: how much is copied at a time.
_TAR_OPTIONS: dict[str, Any] = {"format": tarfile.PAX_FORMAT, "copybufsize": _CHUNK_BYTES}

# A manifest has a line a class; this is far more than any folder has, and less than would hurt.
_MANIFEST_BYTES_MAX = 64 * 1024 * 1024


class Member(msgspec.Struct, frozen=True):
    """One database in a backup."""

    bytes: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True):
    """What a backup holds."""

    format: int
    written_by: str
    created_ms: int
    files: dict[str, Member]
    """By their paths below the data folder."""


def create_backup(
    data_folder: Path,
    file: Path,
    *,
    file_system: str,
    written_by: str,
    now_ms: int,
    force: bool = False,
    progress: Progress = lambda *_: None,
) -> Manifest:
    """Writes the backup of a folder that anybody may be serving; it is on disk under its name when this returns.

    Needs as much room beside `file` as the largest store takes, twice. Raises WrongValue if `file` is there and `force` is
    not given, or if this is no data folder; StoreBroken if something cannot be read.
    """
    if file.exists() and not force:
        raise WrongValue(
            what=f"{file.name} is there already",
            where=str(file),
            next_step="give another name, or --force to replace it",
        )
    part, copy = file.with_name(f"{file.name}.part"), file.with_name(f"{file.name}.copy")
    try:
        with _instant(data_folder, file_system) as sources:
            total = sum(_size_of(connection) for connection in sources.values())
            with part.open("wb") as out:
                manifest = _write(
                    sources,
                    out,
                    copy,
                    file_system,
                    Manifest(FORMAT, written_by, now_ms, {}),
                    lambda done: progress(done, total),
                )
                out.flush()
                os.fsync(out.fileno())
        os.replace(part, file)
        sync_folder(file.absolute().parent)
    except apsw.Error as error:
        raise StoreBroken(
            what="the data folder cannot be backed up",
            where=str(data_folder),
            why=f"{type(error).__name__}: {error}",
            next_step="perdure doctor says what is damaged; nothing was changed",
        ) from error
    finally:
        part.unlink(missing_ok=True)
        copy.unlink(missing_ok=True)
    return manifest


@contextmanager
def _instant(data_folder: Path, file_system: str) -> Iterator[dict[str, apsw.Connection]]:
    """A connection to every database, all in read transactions of one instant; by paths below the folder."""
    catalog = data_folder / CATALOG
    if not catalog.is_file():
        raise WrongValue(
            what="there is no data folder",
            where=str(data_folder),
            why=f"it has no {CATALOG}",
            next_step="give the folder with --data",
        )
    with ExitStack() as reading, ExitStack() as writing:
        # The catalog first: while its lock is held no class is made, renamed or deleted.
        _lock(catalog, file_system, writing)
        connections = {CATALOG: _open(catalog, file_system, reading)}
        folders = Folders(data_folder, passes)
        for (namespace,) in connections[CATALOG].execute("SELECT id FROM namespace ORDER BY id").fetchall():
            path = folders.of_store(str(namespace)) / DATABASE
            if path.exists():  # else nobody has opened it yet
                _lock(path, file_system, writing)
                connections[str(path.relative_to(data_folder))] = _open(path, file_system, reading)
        writing.close()
        yield connections


def _lock(database: Path, file_system: str, locks: ExitStack) -> None:
    connection = apsw.Connection(str(database), vfs=file_system, flags=apsw.SQLITE_OPEN_READWRITE)
    locks.callback(close_untouched, connection)
    connection.set_busy_timeout(WRITER_BUSY_MS)
    keep_writers_out(connection)


def _open(database: Path, file_system: str, readers: ExitStack) -> apsw.Connection:
    connection = open_read_only(database, file_system)
    readers.callback(close_untouched, connection)
    return connection


def _size_of(connection: apsw.Connection) -> int:
    size: int = connection.pragma("page_count") * connection.pragma("page_size")
    return size


def _write(
    sources: dict[str, apsw.Connection],
    out: io.BufferedWriter,
    copy: Path,
    file_system: str,
    manifest: Manifest,
    progress: Callable[[int], None],
) -> Manifest:
    done = 0
    with tarfile.open(fileobj=out, mode="w", **_TAR_OPTIONS) as tar:
        for name, source in sources.items():
            _copy(source, copy, file_system, partial(_step, progress, done))
            with copy.open("rb") as content:
                hashed = _Hashed(content)
                info = tarfile.TarInfo(name)
                info.size = copy.stat().st_size
                info.mtime = manifest.created_ms // 1000
                tar.addfile(info, hashed)
            copy.unlink()
            manifest.files[name] = Member(info.size, hashed.sha256)
            done += info.size
            progress(done)
        text = msgspec.json.format(msgspec.json.encode(manifest)) + b"\n"
        sum = f"{hashlib.sha256(text).hexdigest()}  {MANIFEST}\n".encode()
        for name, body in ((MANIFEST, text), (MANIFEST_SUM, sum)):
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(body), manifest.created_ms // 1000
            tar.addfile(info, io.BytesIO(body))
    return manifest


def _step(progress: Callable[[int], None], before: int, done: int) -> None:
    progress(before + done)


def _copy(source: apsw.Connection, copy: Path, file_system: str, progress: Callable[[int], None]) -> None:
    """The database as its read transaction sees it; every page of it passes its checksum on the way."""
    copy.unlink(missing_ok=True)
    with closing(open_connection(copy, file_system, cache_kib=BACKGROUND_CACHE_KIB)) as target:
        target.pragma("journal_mode", "off")
        target.pragma("synchronous", "off")
        page_bytes = source.pragma("page_size")
        with target.backup("main", source, "main") as backup:
            while not backup.done:
                backup.step(_STEP_PAGES)
                progress((backup.page_count - backup.remaining) * page_bytes)
        # The copy has been made one with a rollback journal: a store that is opened is expected to have its own kind.
        target.pragma("journal_mode", "wal")


class _Hashed(io.RawIOBase):
    """A file that is being read, and the sum of what has been read so far."""

    def __init__(self, content: io.BufferedReader) -> None:
        self._content = content
        self._sum = hashlib.sha256()

    @property
    def sha256(self) -> str:
        return self._sum.hexdigest()

    def read(self, size: int = -1) -> bytes:
        chunk = self._content.read(size)
        self._sum.update(chunk)
        return chunk


def verify_backup(file: Path, *, progress: Progress = lambda *_: None) -> Manifest:
    """Reads the whole backup and gives what it holds. Raises StoreBroken if it is not what was written."""
    return _read(file, None, progress)


def restore_backup(file: Path, data_folder: Path, *, progress: Progress = lambda *_: None) -> Manifest:
    """Makes the data folder of a backup, which appears whole, on disk, or not at all.

    Raises WrongValue unless the folder is missing or empty; StoreBroken if the backup is not what was written.
    """
    if data_folder.exists() and (not data_folder.is_dir() or any(data_folder.iterdir())):
        raise WrongValue(
            what=f"{data_folder.name} is there and is not an empty folder",
            where=str(data_folder),
            next_step="give the name of a new folder",
        )
    folder = data_folder.absolute()
    part = folder.with_name(f"{folder.name}.part")
    if part.exists():
        raise WrongValue(
            what="an earlier restore did not end",
            where=str(part),
            next_step="delete that folder, then try again",
        )
    part.mkdir(parents=True)
    try:
        manifest = _read(file, part, progress)
        for made in [part, *(path for path in part.rglob("*") if path.is_dir())]:
            sync_folder(made)
        os.replace(part, folder)  # over an empty folder as well
        sync_folder(folder.parent)
    finally:
        if part.exists():
            _remove(part)
    return manifest


def _remove(folder: Path) -> None:
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    folder.rmdir()


def _read(file: Path, into: Path | None, progress: Progress) -> Manifest:
    found: dict[str, Member] = {}
    texts: dict[str, bytes] = {}
    try:
        total = file.stat().st_size
        # As a stream: what a damaged header says is never jumped to.
        with file.open("rb") as source, tarfile.open(fileobj=source, mode="r|", bufsize=_CHUNK_BYTES) as tar:
            for info in tar:
                content = tar.extractfile(info)
                if content is None:
                    raise _damaged(file, f"{info.name} is not a file")
                if info.name in (MANIFEST, MANIFEST_SUM):
                    if info.size > _MANIFEST_BYTES_MAX:
                        raise _damaged(file, f"{info.name} is far too large")
                    texts[info.name] = content.read()
                    continue
                if not _is_ours(info.name) or info.name in found:
                    raise _damaged(file, f"{info.name!r} does not belong in a backup")
                found[info.name] = _take(content, None if into is None else into / info.name)
                progress(source.tell(), total)
        manifest = _manifest_of(file, texts)
    except (tarfile.TarError, OSError, EOFError, msgspec.MsgspecError) as error:
        raise _damaged(file, f"{type(error).__name__}: {error}") from error
    for name in sorted(manifest.files.keys() | found.keys()):
        if manifest.files.get(name) != found.get(name):
            raise _damaged(file, f"{name} is not what was written")
    progress(total, total)
    return manifest


def _is_ours(name: str) -> bool:
    """A path inside a data folder that a backup has; never one that leads elsewhere."""
    parts = name.split("/")
    namespace = len(parts) == 4 and parts[0] == "namespaces" and parts[2:] == ["0", DATABASE]
    return name == CATALOG or (namespace and parts[1].isalnum() and parts[1].isascii())


def _take(content: IO[bytes], target: Path | None) -> Member:
    sum, size = hashlib.sha256(), 0
    with ExitStack() as files:
        out = None
        if target is not None:
            target.parent.mkdir(parents=True, exist_ok=True)
            out = files.enter_context(target.open("xb"))
        while chunk := content.read(_CHUNK_BYTES):
            sum.update(chunk)
            size += len(chunk)
            if out is not None:
                out.write(chunk)
        if out is not None:
            out.flush()
            os.fsync(out.fileno())
    return Member(size, sum.hexdigest())


def _manifest_of(file: Path, texts: dict[str, bytes]) -> Manifest:
    text, sum = texts.get(MANIFEST), texts.get(MANIFEST_SUM)
    if text is None or sum is None:
        raise _damaged(file, "it has no manifest: it was not written to its end")
    if sum.decode("ascii", "replace").split() != [hashlib.sha256(text).hexdigest(), MANIFEST]:
        raise _damaged(file, f"{MANIFEST} is not what was written")
    manifest = msgspec.json.decode(text, type=Manifest)
    if manifest.format > FORMAT:
        raise WrongValue(
            what=f"the backup was written by a newer Perdure ({manifest.written_by})",
            where=str(file),
            why=f"its format is {manifest.format}, this program knows up to {FORMAT}",
            next_step="run that version or a later one",
        )
    return manifest


def _damaged(file: Path, why: str) -> PerdureError:
    return StoreBroken(
        what="this is not a whole backup",
        where=str(file),
        why=why,
        next_step="use another copy of it; nothing was changed",
    )
