"""Many objects as files, each as `perdure objects export` writes it, in one folder with an index.

Must stay true: all objects of a class are as of one instant; the folder is there whole or not at all; memory does not grow with
the number of objects or their size. See tests/host/test_export_all.py.
"""

import errno
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import apsw

from perdure.core.entry import Entry
from perdure.host.contents import Progress
from perdure.host.export import readable, write_object
from perdure.host.export_index import INDEX, Line, file_name, folder_name, is_export, write_head, write_line
from perdure.host.stored_object import StoredClass
from perdure.host.version import VERSION
from perdure.model.errors import PerdureError, StoreBroken, WrongValue
from perdure.model.object_id import ObjectId
from perdure.store.file_system import checksummed_file_system
from perdure.store.folders import sync_folder
from perdure.store.log import DamagedLog
from perdure.store.new_file import folder_beside
from perdure.store.reader import Reader
from perdure.store.registry import every_object
from perdure.store.snapshot import ObjectSnapshot, groups_of, read_only

LEFT_OUT_MAX = 1_000
"""That are named; more are counted."""

Json = dict[str, Any]


@dataclass(slots=True)
class Exported:
    """What became of it."""

    objects: int = 0
    bytes: int = 0
    left_out: list[Json] = field(default_factory=list)
    """The first ones: class, name, id and error of each."""
    left_out_count: int = 0

    def leave_out(self, class_name: str, name: str | None, id: str | None, error: PerdureError) -> None:
        self.left_out_count += 1
        if len(self.left_out) < LEFT_OUT_MAX:
            why = f"{error.what}: {error.why}" if error.why else error.what
            self.left_out.append({"class": class_name, "name": name, "id": id, "error": why})


def export_objects(
    classes: Sequence[StoredClass], folder: Path, *, force: bool, progress: Progress = lambda *_: None
) -> Exported:
    """Writes all objects of these classes to a new folder, on disk when this returns; what cannot be read is left out, named.

    force: the folder of an earlier export is replaced, once the new one is whole. progress: of objects. Raises WrongValue for
    a folder that holds anything else; OSError for a disk that is full.
    """
    folder = folder.absolute()
    _check(folder, force=force)
    folder.parent.mkdir(parents=True, exist_ok=True)
    exported = Exported()
    with folder_beside(folder) as beside:
        made = beside / "made"
        made.mkdir()
        with (made / INDEX).open("w", encoding="ascii") as index:
            write_head(index, VERSION)
            _Exporting(classes, made, index, exported, progress).run()
            index.flush()
            os.fsync(index.fileno())
        for each in [*(path for path in made.iterdir() if path.is_dir()), made]:
            sync_folder(each)
        _check(folder, force=force)
        _put(made, folder, old=beside / "old")
        sync_folder(folder.parent)
    return exported


def _check(folder: Path, *, force: bool) -> None:
    if folder.is_symlink():
        why = "it is a link"
    elif not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    elif not force:
        why = "it is not an empty folder"
    elif not is_export(folder):
        why = "it is no earlier export of objects"
    else:
        return
    raise WrongValue(
        what=f"{folder.name or folder} is there already",
        where=str(folder),
        why=why,
        next_step="give the name of a new folder" + ("" if force else ", or --force to replace an earlier export"),
    )


def _put(made: Path, folder: Path, *, old: Path) -> None:
    """What is there is moved to `old` first; an empty folder is replaced as it is."""
    if folder.exists() and any(folder.iterdir()):
        os.replace(folder, old)
    try:
        os.replace(made, folder)
    except OSError:
        if old.exists():
            os.replace(old, folder)
        raise


class _Exporting:
    def __init__(
        self, classes: Sequence[StoredClass], part: Path, index: IO[str], exported: Exported, progress: Progress
    ) -> None:
        self._classes = [of for of in classes if of.database.exists()]  # else nobody has opened it yet
        self._part = part
        self._index = index
        self._exported = exported
        self._progress = progress
        self._total = 0

    def run(self) -> None:
        names = [of.row.class_name for of in self._classes]
        taken = {INDEX}
        for of in self._classes:
            own = of.row.class_name
            class_name = own if names.count(own) == 1 else f"{of.row.worker}/{own}"
            folder = self._part / folder_name(class_name, taken)
            folder.mkdir()
            try:
                with read_only(of.database, checksummed_file_system()) as connection:
                    self._write_class(of, class_name, folder, connection)
            except (apsw.Error, DamagedLog) as error:
                _raise_if_full(error)
                self._exported.leave_out(class_name, None, None, _broken(of, error))

    def _write_class(self, of: StoredClass, class_name: str, folder: Path, connection: apsw.Connection) -> None:
        groups = groups_of(connection)
        entries: dict[bytes, list[Entry]] = {}
        for group in groups:
            for entry in group.entries:
                entries.setdefault(entry.object, []).append(entry)
        before = self._exported.objects + self._exported.left_out_count
        self._total = before + connection.execute("SELECT count(*) FROM object").get
        for object, name in every_object(Reader(connection), groups):
            snapshot = ObjectSnapshot(connection, object, entries.get(object, ()))
            self._write(of, class_name, folder, name, snapshot)
            done = self._exported.objects + self._exported.left_out_count
            self._progress(done, max(done, self._total))

    def _write(
        self, of: StoredClass, class_name: str, folder: Path, name: str | None, snapshot: ObjectSnapshot
    ) -> None:
        id = snapshot.object.hex()
        file = folder / file_name(name, id)
        try:
            write_object(readable(snapshot, of, ObjectId(id, name)), file)
        except (apsw.Error, WrongValue) as error:
            file.unlink(missing_ok=True)
            _raise_if_full(error)
            refusal = error if isinstance(error, PerdureError) else _broken(of, error)
            self._exported.leave_out(class_name, name, id, refusal)
            return
        size = file.stat().st_size
        self._exported.objects += 1
        self._exported.bytes += size
        write_line(self._index, Line(class_name, name, id, f"{folder.name}/{file.name}", size))


def _raise_if_full(error: BaseException) -> None:
    """All that follows would not fit either."""
    if isinstance(error, apsw.FullError):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from error


def _broken(of: StoredClass, error: BaseException) -> StoreBroken:
    return StoreBroken(
        what="what it stored cannot be read",
        where=str(of.database),
        why=f"{type(error).__name__}: {error}",
        next_step="perdure doctor says what is damaged",
    )
