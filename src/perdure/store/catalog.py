"""`catalog.db`: which namespaces a data folder has, whose they are, and how far each Worker has migrated.

A namespace's id never changes, so to rename or transfer a class is one row here and moves no data. All rows of one
migration change in one transaction, together with its tag. See tests/store/test_data_folder.py.
"""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apsw

from perdure.core.migrations import MigrationPlan
from perdure.model.errors import StoreBroken, WrongValue
from perdure.store.bounds import WRITER_BUSY_MS
from perdure.store.connection import open_connection, transaction
from perdure.store.crash_point import At, CrashPoint
from perdure.store.schema import CATALOG_TABLES, ensure_schema

DATABASE = "catalog.db"

_CACHE_KIB = 256
_ID_BYTES = 8
_KEY_BYTES = 32

_COLUMNS = "id, worker, class, unique_key, created_ms"


@dataclass(frozen=True, slots=True)
class NamespaceRow:
    """One namespace: all objects of one class of one Worker."""

    id: str
    """Names its folder; never changes."""
    worker: str
    class_name: str
    unique_key: str
    """What ids of this namespace are made with: random hex, or the key of a namespace whose objects were brought here."""
    created_ms: int


def catalog_of(data_folder: Path) -> Path:
    """The database of an existing folder. Raises WrongValue if it is none."""
    catalog = data_folder / DATABASE
    if not catalog.is_file():
        raise WrongValue(
            what="there is no data folder",
            where=str(data_folder),
            why=f"it has no {DATABASE}",
            next_step="give the folder with --data; with `perdure dev` it is .perdure/state beside the configuration",
        )
    return catalog


class Catalog:
    """The catalog of one data folder. Small, and used at start and at migrations: it blocks, so call it as a job."""

    def __init__(
        self, folder: Path, file_system: str, *, written_by: str, at: At, random_bytes: Callable[[int], bytes]
    ) -> None:
        path = folder / DATABASE
        self._path = path
        self._at = at
        self._random_bytes = random_bytes
        try:
            self.connection = open_connection(path, file_system, cache_kib=_CACHE_KIB, busy_ms=WRITER_BUSY_MS)
            try:
                ensure_schema(self.connection, path, CATALOG_TABLES, written_by=written_by, at=at)
            except BaseException:
                self.connection.close()
                raise
        except apsw.Error as error:
            raise self._broken("the catalog cannot be opened", error) from error

    def namespaces(self, worker: str | None = None) -> list[NamespaceRow]:
        """Those of that Worker, or all, in order of their classes."""
        where, bindings = ("", ()) if worker is None else ("WHERE worker = ?", (worker,))
        rows = self._all(f"SELECT {_COLUMNS} FROM namespace {where} ORDER BY worker, class", bindings)
        return [NamespaceRow(*row) for row in rows]

    def namespace(self, namespace_id: str) -> NamespaceRow | None:
        rows = self._all(f"SELECT {_COLUMNS} FROM namespace WHERE id = ?", (namespace_id,))
        return NamespaceRow(*rows[0]) if rows else None

    def tag(self, worker: str) -> str | None:
        """Up to where that Worker has migrated; None if it never did."""
        rows = self._all("SELECT tag FROM migration WHERE worker = ?", (worker,))
        return rows[0][0] if rows else None

    def apply(self, worker: str, plan: MigrationPlan, *, now_ms: int) -> None:
        """Does all of the plan or none of it; durable when it returns. The caller has checked it against `namespaces`.

        Deletes come first, then renames, then creates, so that a name may be taken over in one plan.
        """
        rows = {row.class_name: row for row in self.namespaces(worker)}
        deletes = [(rows[name].id,) for name in plan.deletes]
        renames = [(new, rows[old].id) for old, new in plan.renames]
        creates = [
            (self._random_bytes(_ID_BYTES).hex(), worker, name, self._random_bytes(_KEY_BYTES).hex(), now_ms)
            for name in plan.creates
        ]
        points = CrashPoint.BEFORE_CATALOG_COMMIT, CrashPoint.AFTER_CATALOG_COMMIT
        try:
            with transaction(self.connection, self._at, *points):
                self.connection.executemany("DELETE FROM namespace WHERE id = ?", deletes)
                # By way of a name that no class can have: two classes may swap theirs.
                self.connection.executemany("UPDATE namespace SET class = ? WHERE id = ?", _out_of_the_way(renames))
                self.connection.executemany("UPDATE namespace SET class = ? WHERE id = ?", renames)
                self.connection.executemany(f"INSERT INTO namespace({_COLUMNS}) VALUES(?, ?, ?, ?, ?)", creates)
                if plan.new_tag is not None:
                    self.connection.execute("INSERT OR REPLACE INTO migration VALUES(?, ?)", (worker, plan.new_tag))
        except apsw.Error as error:
            raise self._broken(f"the migration of {worker!r} was not recorded", error) from error

    def take_key(self, namespace_id: str, unique_key: str) -> NamespaceRow:
        """From now on ids of that namespace are made with this key; durable when it returns. It has no objects yet."""
        points = CrashPoint.BEFORE_CATALOG_COMMIT, CrashPoint.AFTER_CATALOG_COMMIT
        try:
            with transaction(self.connection, self._at, *points):
                self.connection.execute("UPDATE namespace SET unique_key = ? WHERE id = ?", (unique_key, namespace_id))
        except apsw.Error as error:
            raise self._broken(f"the key of namespace {namespace_id} was not recorded", error) from error
        (row,) = [row for row in self.namespaces() if row.id == namespace_id]
        return row

    def close(self) -> None:
        self.connection.close()

    def _all(self, statement: str, bindings: tuple[Any, ...]) -> list[Any]:
        try:
            return self.connection.execute(statement, bindings).fetchall()
        except apsw.Error as error:
            raise self._broken("the catalog cannot be read", error) from error

    def _broken(self, what: str, error: BaseException) -> StoreBroken:
        return StoreBroken(
            what=what,
            where=str(self._path),
            why=f"{type(error).__name__}: {error}",
            next_step="check the disk and the file's permissions, then start again",
        )


def peek(folder: Path, worker: str) -> tuple[list[str], str | None] | None:
    """A Worker's classes and its tag in a folder that another process may have open; None if they cannot be told.

    Writes nothing and waits for nobody. What it gives may be old when it is used: for a forecast, never for a decision.
    """
    try:
        with closing(apsw.Connection(str(folder / DATABASE), flags=apsw.SQLITE_OPEN_READONLY)) as connection:
            classes = connection.execute("SELECT class FROM namespace WHERE worker = ?", (worker,)).fetchall()
            tags = connection.execute("SELECT tag FROM migration WHERE worker = ?", (worker,)).fetchall()
    except apsw.Error:
        return None
    tag = tags[0][0] if tags else None
    return [str(name) for (name,) in classes], None if tag is None else str(tag)


def _out_of_the_way(renames: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(f"<{namespace_id}>", namespace_id) for _, namespace_id in renames]
