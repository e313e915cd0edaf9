"""A file system that loses power: SQLite's own over a real folder, remembering which writes no sync has confirmed yet.

At a cut the folder is rebuilt elsewhere as a disk might have left it: what a completed sync covered is there, and of
everything since each sector of 512 bytes has, by seed, any of the contents it was given, in any order, or none of them.
Before that it can be told to fail, to be full, or to fail in a sync and lie afterwards, as disks do. That it loses what
is not synced, and nothing else, is tested in tests/store/test_power_cut_disk.py; the store has to fail on it with
`synchronous=OFF` (tests/store/test_power_cut.py).
"""

import contextlib
import ctypes
import errno
import itertools
import random
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum, auto
from pathlib import Path
from typing import TypeVar

import apsw

from perdure.store.file_system import checksummed_file_system

SECTOR_BYTES = 512
"""What a disk writes whole or not at all."""


_T = TypeVar("_T")


class Operation(Enum):
    """What can be told to fail."""

    WRITE = auto()
    SYNC = auto()
    TRUNCATE = auto()


class DiskError(Enum):
    """How it fails."""

    FULL = auto()
    IO = auto()


class PowerIsOff(apsw.IOError):
    """The cut has happened; whoever still runs writes to nothing."""


@dataclass(slots=True)
class _Fault:
    operation: Operation
    error: DiskError
    skip: int
    files: str


@dataclass(slots=True)
class _Image:
    """One file: what is surely on disk, what the operating system shows, and what happened in between."""

    durable: bytearray
    current: bytearray
    entry_durable: bool
    """The folder surely knows the file."""
    versions: dict[int, list[tuple[int, bytes]]] = field(default_factory=dict)
    """Of each sector not surely on disk: (when, content), oldest first."""
    sizes: list[tuple[int, int]] = field(default_factory=list)
    doomed: set[int] = field(default_factory=set)
    """Sectors that a failed sync has marked clean: later syncs pass over them until they are written again."""
    failed_syncs: int = 0
    """As Linux does it, every descriptor that was open when a sync failed hears of it once; later ones do not."""

    def write(self, when: int, offset: int, data: bytes) -> None:
        end = offset + len(data)
        if end > len(self.current):
            self.current.extend(bytes(end - len(self.current)))
            self.sizes.append((when, end))
        self.current[offset:end] = data
        for sector in range(offset // SECTOR_BYTES, (end - 1) // SECTOR_BYTES + 1):
            content = bytes(self.current[sector * SECTOR_BYTES : (sector + 1) * SECTOR_BYTES])
            self.versions.setdefault(sector, []).append((when, content))
            self.doomed.discard(sector)

    def truncate(self, when: int, size: int) -> None:
        del self.current[size:]
        self.current.extend(bytes(size - len(self.current)))
        self.sizes.append((when, size))

    def sync(self) -> None:
        size = len(self.current)
        _resize(self.durable, size)
        for sector, versions in list(self.versions.items()):
            if sector not in self.doomed or sector * SECTOR_BYTES >= size:
                _put(self.durable, sector, versions[-1][1], size)
                del self.versions[sector]
        self.sizes.clear()
        self.entry_durable = True

    def sync_failed(self) -> None:
        self.doomed.update(self.versions)
        self.failed_syncs += 1

    def after_cut(self, rng: random.Random, cut_at: int | None) -> bytes | None:
        """The file as the disk left it, None if it is not there; with `cut_at`, exactly what was written up to then."""
        if not self.entry_durable and rng.random() < 0.3:
            return None
        content = bytearray(self.durable)
        _resize(content, _chosen([(0, len(self.durable)), *self.sizes], rng, cut_at))
        for sector, versions in self.versions.items():
            before = bytes(self.durable[sector * SECTOR_BYTES : (sector + 1) * SECTOR_BYTES])
            _put(content, sector, _chosen([(0, before), *versions], rng, cut_at), len(content))
        return bytes(content)


def _chosen(versions: list[tuple[int, _T]], rng: random.Random, cut_at: int | None) -> _T:
    if cut_at is None:
        return rng.choice(versions)[1]
    return [content for when, content in versions if when <= cut_at][-1]


def _resize(content: bytearray, size: int) -> None:
    del content[size:]
    content.extend(bytes(size - len(content)))


def _put(content: bytearray, sector: int, data: bytes, size: int) -> None:
    start = sector * SECTOR_BYTES
    if start < size:
        fitting = data[: size - start]
        content[start : start + len(fitting)] = fitting


class PowerCutDisk:
    """A folder on a disk whose power can be cut. `file_system` is what the store is opened with."""

    def __init__(self, folder: Path, *, base: str | None = None) -> None:
        self.folder = folder.resolve()
        self.file_system = f"power-cut {self.folder}"
        self.full = False
        """While True, nothing can be written that makes a file longer."""
        self.syncs = 0
        self.writes = 0
        self._off = False
        self._lock = threading.RLock()
        self._time = itertools.count(1)
        self._now = 0
        self._images: dict[Path, _Image] = {}
        self._deleted: dict[Path, _Image] = {}
        self._faults: list[_Fault] = []
        self._vfs = _PowerCutVfs(self, base if base is not None else checksummed_file_system())

    def close(self) -> None:
        """Takes the file system off SQLite's list; open connections go on with it."""
        self._vfs.unregister()

    # Faults

    def fail_next(self, operation: Operation, error: DiskError, *, skip: int = 0, files: str = "") -> None:
        """The next such operation, after `skip` others, on a file whose name ends with `files`, fails once."""
        self._faults.append(_Fault(operation, error, skip, files))

    @property
    def faults_left(self) -> int:
        """Faults that were planned and have not happened."""
        return len(self._faults)

    def _fail_if_planned(self, operation: Operation, path: Path) -> None:
        for fault in self._faults:
            if fault.operation is operation and path.name.endswith(fault.files):
                if fault.skip == 0:
                    self._faults.remove(fault)
                    raise _error(operation, fault.error)
                fault.skip -= 1
                return

    @contextmanager
    def shared_memory_fails(self, *, times: int = 1) -> Iterator[None]:
        """In the block, that many mappings of shared memory (SQLite's index of its log) fail, anywhere in this process."""
        number, size = ctypes.c_int, ctypes.c_size_t
        prototype = ctypes.CFUNCTYPE(
            ctypes.c_ssize_t, ctypes.c_void_p, size, number, number, number, ctypes.c_ssize_t, use_errno=True
        )
        address = self._vfs.xGetSystemCall("mmap")
        assert address is not None
        original = prototype(address)
        left = [times]

        def refuse(*arguments: int) -> int:
            if left[0] == 0:
                return int(original(*arguments))
            left[0] -= 1
            ctypes.set_errno(errno.ENOMEM)
            return -1  # MAP_FAILED

        replacement = prototype(refuse)
        self._vfs.xSetSystemCall("mmap", ctypes.cast(replacement, ctypes.c_void_p).value or 0)
        try:
            yield
        finally:
            self._vfs.xSetSystemCall("mmap", address)

    # The cut

    def cut(self, seed: int, into: Path) -> None:
        """Cuts the power: makes `into` the folder as the disk left it. Whoever still uses this one gets errors."""
        rng = random.Random(seed)
        with self._lock:
            self._off = True
            self._let_connections_go()
            cut_at = self._cut_at(rng)
            shutil.copytree(self.folder, into, ignore=shutil.ignore_patterns("*-shm", "*-wal", "*.db", "*.sock"))
            for path, image in [*self._deleted.items(), *self._images.items()]:
                deleted = path not in self._images
                if deleted and rng.random() < 0.5:
                    continue
                content = image.after_cut(rng, cut_at)
                if content is not None:
                    (into / path.relative_to(self.folder)).write_bytes(content)

    def _let_connections_go(self) -> None:
        """Connections that are closed or collected after the cut would write, and complain to nobody."""
        for connection in apsw.connections():
            # One that is busy on another thread, or closed meanwhile, gets its error there.
            with contextlib.suppress(apsw.ThreadingViolationError, apsw.ConnectionClosedError):
                if connection.open_vfs == self.file_system:
                    connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)

    def _cut_at(self, rng: random.Random) -> int | None:
        """Nothing unsynced is there, all of it is, everything up to some moment, or (None) any of it."""
        return rng.choice([0, self._now, rng.randint(0, self._now), None, None, None])

    # Reported by the file system

    def _begin(self, operation: Operation, path: Path) -> int:
        if self._off:
            raise PowerIsOff("the power is off")
        self._fail_if_planned(operation, path)
        self._now = next(self._time)
        return self._now

    def _image(self, path: Path) -> _Image:
        image = self._images.get(path)
        if image is None:
            content = path.read_bytes() if path.exists() else b""
            image = self._images[path] = _Image(bytearray(content), bytearray(content), bool(content))
            self._deleted.pop(path, None)
        return image

    def _forget(self, path: Path, *, synced: bool) -> None:
        image = self._images.pop(path, None)
        if image is not None and not synced:
            self._deleted[path] = image

    def _folder_synced(self, folder: Path) -> None:
        for path in [path for path in self._deleted if path.parent == folder]:
            del self._deleted[path]
        for path, image in self._images.items():
            image.entry_durable |= path.parent == folder


class _PowerCutVfs(apsw.VFS):
    def __init__(self, disk: PowerCutDisk, base: str) -> None:
        self._disk = disk
        self._base = base
        super().__init__(disk.file_system, base)

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:
        if name is None:
            return apsw.VFSFile(self._base, name, flags)
        filename = name if isinstance(name, str) else name.filename()
        return _PowerCutFile(self._disk, Path(filename), self._base, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:
        with self._disk._lock:
            if self._disk._off:
                raise PowerIsOff("the power is off")
            super().xDelete(filename, syncdir)
            self._disk._forget(Path(filename), synced=syncdir)


class _PowerCutFile(apsw.VFSFile):
    def __init__(
        self, disk: PowerCutDisk, path: Path, base: str, name: str | apsw.URIFilename, flags: list[int]
    ) -> None:
        self._disk = disk
        self._path = path
        self._kept = disk._image(path)
        self._failed_syncs = self._kept.failed_syncs
        # SQLite syncs the folder with the first sync of such a file, lest a cut takes the file itself.
        self._syncs_folder = bool(flags[0] & (apsw.SQLITE_OPEN_WAL | apsw.SQLITE_OPEN_MAIN_JOURNAL))
        super().__init__(base, name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:
        disk = self._disk
        with disk._lock:
            when = disk._begin(Operation.WRITE, self._path)
            if disk.full and offset + len(data) > len(self._kept.current):
                raise _error(Operation.WRITE, DiskError.FULL)
            super().xWrite(data, offset)
            # The file system below adds checksums on the way: what counts is what arrived.
            self._kept.write(when, offset, super().xRead(len(data), offset))
            disk.writes += 1

    def xTruncate(self, newsize: int) -> None:
        with self._disk._lock:
            when = self._disk._begin(Operation.TRUNCATE, self._path)
            super().xTruncate(newsize)
            self._kept.truncate(when, newsize)

    def xSync(self, flags: int) -> None:
        with self._disk._lock:
            try:
                self._disk._begin(Operation.SYNC, self._path)
            except apsw.Error:
                self._kept.sync_failed()
                self._failed_syncs = self._kept.failed_syncs
                raise
            if self._failed_syncs < self._kept.failed_syncs:
                self._failed_syncs = self._kept.failed_syncs
                raise _error(Operation.SYNC, DiskError.IO)
            super().xSync(flags)
            self._kept.sync()
            if self._syncs_folder:
                self._disk._folder_synced(self._path.parent)
                self._syncs_folder = False
            self._disk.syncs += 1


_RESULTS = {
    Operation.WRITE: apsw.SQLITE_IOERR_WRITE,
    Operation.SYNC: apsw.SQLITE_IOERR_FSYNC,
    Operation.TRUNCATE: apsw.SQLITE_IOERR_TRUNCATE,
}


def _error(operation: Operation, error: DiskError) -> apsw.Error:
    if error is DiskError.FULL:
        return apsw.FullError("no space left on the disk (planned)")
    failure = apsw.IOError(f"{operation.name.lower()} failed (planned)")
    vars(failure)["extendedresult"] = _RESULTS[operation]
    return failure
