"""Where the objects of one class are in a data folder, told without opening the folder.

Must stay true: a name that means two classes is refused, and so is an id of another class. See tests/host/test_export.py.
"""

from dataclasses import dataclass
from pathlib import Path

import apsw

from perdure.model.errors import StoreBroken, WrongValue
from perdure.model.object_id import IdKey, ObjectId
from perdure.store.catalog import NamespaceRow, catalog_of
from perdure.store.crash_point import passes
from perdure.store.file_system import checksummed_file_system
from perdure.store.files import DATABASE
from perdure.store.folders import Folders
from perdure.store.snapshot import read_only

_NAMESPACES = "SELECT id, worker, class, unique_key, created_ms FROM namespace ORDER BY worker, class"
_ID_DIGITS = 64


@dataclass(frozen=True, slots=True)
class StoredClass:
    """One class in a data folder."""

    row: NamespaceRow
    database: Path
    """Its store."""

    def id_of(self, name_or_id: str) -> ObjectId:
        """The object that is meant: 64 hexadecimal digits that are an id of this class, else a name."""
        key = IdKey(self.row.unique_key)
        if len(name_or_id) == _ID_DIGITS:
            try:
                id = ObjectId(name_or_id)
            except ValueError:
                return key.from_name(name_or_id)
            if key.owns(id):
                return id
        return key.from_name(name_or_id)


def stored_classes(data_folder: Path) -> list[StoredClass]:
    """Every class of the folder. Raises WrongValue if it is none; StoreBroken and StoreTooNew if it cannot be read."""
    catalog = catalog_of(data_folder)
    folders = Folders(data_folder, passes)
    try:
        with read_only(catalog, checksummed_file_system()) as connection:
            rows = [NamespaceRow(*row) for row in connection.execute(_NAMESPACES)]
    except apsw.Error as error:
        raise StoreBroken(
            what="the catalog cannot be read",
            where=str(catalog),
            why=f"{type(error).__name__}: {error}",
            next_step="perdure doctor says what is damaged",
        ) from error
    return [StoredClass(row, folders.of_store(row.id) / DATABASE) for row in rows]


def stored_class(data_folder: Path, class_name: str) -> StoredClass:
    """The class of that name, or `WORKER/CLASS`. Raises as `stored_classes`, and WrongValue unless it is exactly one."""
    known = stored_classes(data_folder)
    found = [each for each in known if class_name in (each.row.class_name, f"{each.row.worker}/{each.row.class_name}")]
    if len(found) == 1:
        return found[0]
    names = ", ".join(f"{each.row.worker}/{each.row.class_name}" for each in found or known)
    raise WrongValue(
        what=f"{class_name} is {'several classes' if found else 'no class of this data folder'}",
        where=str(data_folder),
        why=f"it has {names}" if names else "it has none yet",
        next_step="write one of them" if names else "",
    )
