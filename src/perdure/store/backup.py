"""A backup: every database of a data folder as of one instant, in one file that checks itself.

The instant is one at which the program holds the write lock of every database: no group is being committed anywhere, and read
transactions that are opened then go on seeing it. So whoever was told something by one object before another wrote finds both
in it, or neither, whether this process, another or nobody serves the folder. The file is a tar of SQLite databases, then
`manifest.json` with the size and SHA-256 of each, then `manifest.sha256`: without these two the backup did not end. See
docs/guides/storage.md and tests/store/test_backup.py.
"""

import errno
import hashlib
import io
import os
import resource
import tarfile
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import apsw
import msgspec

from perdure.model.errors import PerdureError, StoreBroken, WrongValue
from perdure.store.bounds import WRITER_BUSY_MS
from perdure.store.catalog import DATABASE as CATALOG
from perdure.store.catalog import catalog_of
from perdure.store.connection import close_untouched, keep_writers_out
from perdure.store.crash_point import passes
from perdure.store.file_image import PIECE_BYTES, FileImage
from perdure.store.files import DATABASE
from perdure.store.folders import Folders, sync_folder
from perdure.store.new_file import new_file
from perdure.store.snapshot import holds_nothing, open_read_only
from perdure.store.trouble import cannot_write, could_not_be_written

FORMAT = 1
"""Of the manifest; goes up with every change that an older Perdure would misread."""

MANIFEST, MANIFEST_SUM = "manifest.json", "manifest.sha256"

Progress = Callable[[int, int], None]
"""Told how many bytes are done, of how many in all."""

# What is read, summed and written at once; a look at the progress costs nothing against it.
_CHUNK_PIECES = 8
_CHUNK_BYTES = _CHUNK_PIECES * PIECE_BYTES

# Not in the type stubs of Python is the second: how much is copied at a time.
_TAR_OPTIONS: dict[str, Any] = {"format": tarfile.PAX_FORMAT, "copybufsize": _CHUNK_BYTES}

# Of one database while its image is made: the database and its log three times, and the index of the log.
_DESCRIPTORS = 7

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

    force: a file of that name is replaced. Raises WrongValue if there is one otherwise, also one that came meanwhile, or if this
    is no data folder; StorageFull if there is no room; StoreBroken if something cannot be read.
    """
    try:
        with new_file(file, replace=force) as made, _instant(data_folder, file_system) as sources:
            total = sum(source.size_bytes for source in sources.values())
            with made.open("xb") as out:
                scratch, empty = made.with_name("page"), Manifest(FORMAT, written_by, now_ms, {})
                manifest = _write(sources, out, scratch, empty, lambda done: progress(done, total))
                out.flush()
                os.fsync(out.fileno())
    except OSError as error:
        raise _too_many_files(data_folder, error) or cannot_write(file, error) from error
    except apsw.Error as error:
        if could_not_be_written(error):
            raise cannot_write(file, error) from error
        raise StoreBroken(
            what="the data folder cannot be backed up",
            where=str(data_folder),
            why=f"{type(error).__name__}: {error}",
            next_step="perdure doctor says what is damaged; nothing was changed",
        ) from error
    return manifest


@contextmanager
def _instant(data_folder: Path, file_system: str) -> Iterator[dict[str, FileImage]]:
    """Every database as of one instant; by paths below the folder."""
    catalog = catalog_of(data_folder)
    with ExitStack() as reading, ExitStack() as naming, ExitStack() as writing, _descriptors_wanted():
        # The catalog first: while its lock is held no class is made, renamed or deleted.
        connection = _lock(catalog, file_system, naming)
        images = {CATALOG: _image(catalog, file_system, reading)}
        folders = Folders(data_folder, passes)
        for (namespace,) in connection.execute("SELECT id FROM namespace ORDER BY id").fetchall():
            path = folders.of_store(str(namespace)) / DATABASE
            # Else nobody has opened it yet; while its lock is held nobody makes its tables.
            if path.exists() and not holds_nothing(_lock(path, file_system, writing)):
                images[str(path.relative_to(data_folder))] = _image(path, file_system, reading)
        writing.close()
        for image in images.values():
            image.open()
        naming.close()
        yield images


@contextmanager
def _descriptors_wanted() -> Iterator[None]:
    """An error of SQLite's for want of a file descriptor, of which it does not tell, becomes the OSError that says so."""
    try:
        yield
    except apsw.Error:
        with ExitStack() as opened:  # while what was opened before is open still
            for _ in range(_DESCRIPTORS):
                opened.enter_context(open(os.devnull))
        raise


def _too_many_files(data_folder: Path, error: OSError) -> PerdureError | None:
    if error.errno not in (errno.EMFILE, errno.ENFILE):
        return None
    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return StoreBroken(
        what="too many files are open to back up the data folder",
        where=str(data_folder),
        why=f"a backup has up to {_DESCRIPTORS} open for each class while it lasts, of {most} in this process",
        next_step="raise the limit (ulimit -n), then try again; nothing was changed",
    )


def _lock(database: Path, file_system: str, locks: ExitStack) -> apsw.Connection:
    connection = apsw.Connection(str(database), vfs=file_system, flags=apsw.SQLITE_OPEN_READWRITE)
    locks.callback(close_untouched, connection)
    connection.set_busy_timeout(WRITER_BUSY_MS)
    keep_writers_out(connection)
    return connection


def _image(database: Path, file_system: str, readers: ExitStack) -> FileImage:
    connection = open_read_only(database, file_system)
    readers.callback(close_untouched, connection)
    with ExitStack() as closes:
        other = apsw.Connection(str(database), vfs=file_system, flags=apsw.SQLITE_OPEN_READWRITE)
        closes.callback(close_untouched, other)
        image = FileImage(connection, other, database, file_system)
    readers.callback(image.close)
    return image


def _write(
    sources: dict[str, FileImage],
    out: io.BufferedWriter,
    scratch: Path,
    manifest: Manifest,
    progress: Callable[[int], None],
) -> Manifest:
    done = 0
    with tarfile.open(fileobj=out, mode="w", **_TAR_OPTIONS) as tar:
        for name, source in sources.items():
            with _Content(source.read(scratch), partial(_step, progress, done)) as content:
                tar.addfile(_info(name, source.size_bytes, manifest), content)
                manifest.files[name] = Member(source.size_bytes, content.sha256())
            done += source.size_bytes
        text = msgspec.json.format(msgspec.json.encode(manifest)) + b"\n"
        sum = f"{hashlib.sha256(text).hexdigest()}  {MANIFEST}\n".encode()
        for name, body in ((MANIFEST, text), (MANIFEST_SUM, sum)):
            tar.addfile(_info(name, len(body), manifest), io.BytesIO(body))
    return manifest


def _info(name: str, size: int, manifest: Manifest) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.mtime = size, manifest.created_ms // 1000
    return info


def _step(progress: Callable[[int], None], before: int, done: int) -> None:
    progress(before + done)


class _Content(io.RawIOBase):
    """A database as a file to read from, and the sum of what was read."""

    def __init__(self, pieces: Iterator[bytes], progress: Callable[[int], None]) -> None:
        self._pieces = pieces
        self._progress = progress
        self._done = 0
        self._sum = _Sum()

    def read(self, size: int = -1) -> bytes:
        """size: of a chunk, or of what is left, as tarfile asks for them."""
        piece = b"".join(islice(self._pieces, _CHUNK_PIECES))
        self._sum.add(piece)
        self._done += len(piece)
        self._progress(self._done)
        return piece

    def sha256(self) -> str:
        return self._sum.hex()

    def close(self) -> None:
        self._sum.close()
        super().close()


class _Sum:
    """A SHA-256 that is made on a thread of its own while the next piece is read and written."""

    def __init__(self) -> None:
        self._sum = hashlib.sha256()
        self._thread = ThreadPoolExecutor(1)
        self._last: Future[None] | None = None

    def add(self, piece: bytes | memoryview) -> None:
        if self._last is not None:
            self._last.result()  # one piece is summed while one is read: no more of them are in memory
        self._last = self._thread.submit(self._sum.update, piece)

    def hex(self) -> str:
        if self._last is not None:
            self._last.result()
        return self._sum.hexdigest()

    def close(self) -> None:
        self._thread.shutdown()


def verify_backup(file: Path, *, progress: Progress = lambda *_: None) -> Manifest:
    """Reads the whole backup and gives what it holds. Raises StoreBroken if it is not what was written."""
    return _read(file, None, progress)


def restore_backup(file: Path, data_folder: Path, *, progress: Progress = lambda *_: None) -> Manifest:
    """Makes the data folder of a backup, which appears whole, on disk, or not at all.

    Raises WrongValue unless the folder is missing or empty; StorageFull if there is no room; StoreBroken if the backup is not
    what was written, or the folder cannot be.
    """
    # A link would be in the way in the end: what was made gets its name by a rename.
    if data_folder.is_symlink() or (data_folder.exists() and (not data_folder.is_dir() or any(data_folder.iterdir()))):
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
        with file.open("rb", buffering=0) as content, tarfile.open(file, mode="r:") as tar:
            for info in tar:
                # Read to its end before the next header is looked for: what a damaged one says leads nowhere.
                content.seek(info.offset_data)
                if info.type != tarfile.REGTYPE:
                    raise _damaged(file, f"{info.name} is not a file")
                if info.name in (MANIFEST, MANIFEST_SUM):
                    if info.size > _MANIFEST_BYTES_MAX:
                        raise _damaged(file, f"{info.name} is far too large")
                    texts[info.name] = content.read(info.size)
                    continue
                if not _is_ours(info.name) or info.name in found:
                    raise _damaged(file, f"{info.name!r} does not belong in a backup")
                told = partial(_step_of, progress, info.offset_data, total)
                found[info.name] = _take(content, info.size, None if into is None else into / info.name, told)
        manifest = _manifest_of(file, texts)
    except PerdureError:
        raise
    except (tarfile.TarError, OSError, EOFError, msgspec.MsgspecError) as error:
        raise _damaged(file, f"{type(error).__name__}: {error}") from error
    for name in sorted(manifest.files.keys() | found.keys()):
        if manifest.files.get(name) != found.get(name):
            raise _damaged(file, f"{name} is not what was written")
    progress(total, total)
    return manifest


def _step_of(progress: Progress, before: int, total: int, done: int) -> None:
    progress(before + done, total)


def _is_ours(name: str) -> bool:
    """A path inside a data folder that a backup has; never one that leads elsewhere."""
    parts = name.split("/")
    namespace = len(parts) == 4 and parts[0] == "namespaces" and parts[2:] == ["0", DATABASE]
    return name == CATALOG or (namespace and parts[1].isalnum() and parts[1].isascii())


def _take(content: io.FileIO, size: int, target: Path | None, progress: Callable[[int], None]) -> Member:
    """What is there of so many bytes, written to `target`, where it is on disk."""
    done = 0
    with ExitStack() as files:
        sum = files.enter_context(closing(_Sum()))
        out = None
        if target is not None:
            with _writing(target):
                target.parent.mkdir(parents=True, exist_ok=True)
                out = files.enter_context(target.open("xb", buffering=0))
        # One is summed while the other is read and written.
        pieces = cycle([memoryview(bytearray(_CHUNK_BYTES)) for _ in range(2)])
        while count := content.readinto(piece := next(pieces)[: size - done]):
            sum.add(piece[:count])
            done += count
            if out is not None and target is not None:
                with _writing(target):
                    _write_all(out, piece[:count])
            progress(done)
        if out is not None and target is not None:
            with _writing(target):
                os.fsync(out.fileno())
        return Member(done, sum.hex())


@contextmanager
def _writing(target: Path) -> Iterator[None]:
    """What fails here says nothing of the backup that is being read."""
    try:
        yield
    except OSError as error:
        raise cannot_write(target, error) from error


def _write_all(out: io.FileIO, piece: memoryview) -> None:
    while piece:
        piece = piece[out.write(piece) :]


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
