"""What is damaged in a data folder, by object and key, and what to do about each.

Must stay true: every page of every database is read and passes its checksum, every value and every row of the log is decoded,
and every object's SQL database is checked by SQLite itself; nothing is written; what is damaged hides nothing that is whole.
Reads what is there at one moment, also while a process serves it. See tests/host/test_doctor.py.
"""

from collections.abc import Callable, Iterator
from contextlib import closing, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apsw
import msgspec

from perdure.core.entry import Entry, ObjectRecord
from perdure.core.page_change import PAGE_BYTES, changed_page, database_bytes
from perdure.host.stored_object import StoredClass, stored_classes
from perdure.model.errors import PerdureError, ValueMismatch, WrongValue
from perdure.model.value import decode
from perdure.objects.sql.page_file import PageFile
from perdure.objects.sql.page_vfs import PageVfs
from perdure.store.catalog import DATABASE as CATALOG
from perdure.store.file_system import checksummed_file_system
from perdure.store.folder_lock import HOLDER, Holder, try_lock
from perdure.store.folders import NAMESPACES
from perdure.store.log import UNAPPLIED, DamagedLog, LogCodec
from perdure.store.page_id import page_id, page_ids, place_of
from perdure.store.snapshot import read_only

_OTHER_TABLES = {
    "meta": "what the store knows of itself",
    "retired": "what is to be swept",
    "kept": "what objects left",
    "undo_mark": "what undoes writes",
    "undo_row": "what undoes writes",
    "undo_page": "what undoes writes",
    "undo_pin": "bookmarks",
    "undo_size": "the size of what undoes writes",
    "restoring": "objects that go back when they start",
}
_BACKUP = "take it from a backup: perdure backup restore FILE DIR"

# Rows that are named one by one; of more, it is said how many there are.
_NAMED_MAX = 20


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is damaged."""

    where: str
    """`WORKER/CLASS`, or the catalog."""
    what: str
    why: str
    next_step: str
    object: str | None = None
    """Its id."""
    name: str | None = None
    key: str | None = None

    def __str__(self) -> str:
        return f"{self.where}: {self.what}: {self.why}; {self.next_step}"


@dataclass(frozen=True, slots=True)
class Examination:
    """What a look at a whole folder gave."""

    served_by: str | None
    """The process that has the folder open."""
    objects: int
    findings: list[Finding]


def examine(data_folder: Path, *, now_ms: int, looking_at: Callable[[str], None] = lambda _: None) -> Examination:
    """Looks at all of it. looking_at: told each class before it is looked at. Raises WrongValue if it is no data folder."""
    served_by = _holder(data_folder, now_ms) if data_folder.is_dir() else None
    findings: list[Finding] = []
    objects = 0
    try:
        classes = stored_classes(data_folder)
    except WrongValue:
        raise
    except PerdureError as error:
        what = "the catalog cannot be read, so no class can be told from another"
        return Examination(served_by, 0, [Finding(CATALOG, what, error.why or error.what, _BACKUP)])
    with read_only(data_folder / CATALOG, checksummed_file_system()) as catalog:
        findings += _structure(catalog, CATALOG)
    vfs = PageVfs(lambda: now_ms)
    known = {each.row.id for each in classes}
    folders = (data_folder / NAMESPACES).iterdir() if (data_folder / NAMESPACES).is_dir() else ()
    for folder in sorted(folders):
        if folder.is_dir() and folder.name not in known:
            what = f"the folder {NAMESPACES}/{folder.name} belongs to no class"
            next_step = "move it away if it may be needed: the next start deletes it"
            findings.append(Finding(CATALOG, what, "the catalog does not name it", next_step))
    for each in classes:
        label = f"{each.row.worker}/{each.row.class_name}"
        looking_at(label)
        if each.database.exists():  # else nobody has opened it yet
            found = _Store(each, label, vfs)
            findings += found.findings()
            objects += found.objects
    return Examination(served_by, objects, findings)


def _holder(data_folder: Path, now_ms: int) -> str | None:
    held = try_lock(data_folder, now_ms=now_ms)
    if held is not None:
        held.release()
        return None
    try:
        holder = msgspec.json.decode((data_folder / HOLDER).read_bytes(), type=Holder)
    except (OSError, msgspec.DecodeError):
        return "a process that does not say which"
    return f"process {holder.pid} ({holder.program})"


def _structure(connection: apsw.Connection, where: str) -> list[Finding]:
    """What SQLite says of the file: pages in no tree, rows out of order, an index that misses one."""
    try:
        said = [str(row[0]) for row in connection.execute(f"PRAGMA integrity_check({_NAMED_MAX})")]
    except apsw.Error as error:
        said = [_why(error)]
    return [] if said == ["ok"] else [Finding(where, "the file is damaged", "; ".join(said), _BACKUP)]


class _Store:
    """One store, in a read transaction."""

    def __init__(self, of: StoredClass, label: str, vfs: PageVfs) -> None:
        self.objects = 0
        self._vfs = vfs
        self._of = of
        self._label = label
        self._found: list[Finding] = []
        self._records: dict[bytes, ObjectRecord | None] = {}
        self._pages: dict[int, dict[int, list[bytes]]] = {}
        """Of the log: what the tables do not have yet."""

    def findings(self) -> list[Finding]:
        try:
            with read_only(self._of.database, checksummed_file_system()) as connection:
                self._connection = connection
                self._look()
        except PerdureError as error:
            self._report(error.what, error.why, error.next_step)
        except apsw.Error as error:
            self._report("the store cannot be read", _why(error), _BACKUP)
        return self._found

    def _look(self) -> None:
        tables = {
            str(name) for (name,) in self._connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
        }
        self._read_log()
        registry_whole = self._look_at_objects()
        for table, about in (("alarm", "alarm"), ("dead_alarm", "dead alarm")):
            self._look_at_alarms(table, about)
        for table in _OTHER_TABLES.keys() & tables:
            self._read_all(table)
        if registry_whole:
            # A seek may meet what is damaged; that has been named then.
            with suppress(apsw.Error) if self._found else nullcontext():
                self._look_for_strays(tables)
        if not self._found:
            self._found += _structure(self._connection, self._label)

    # The log

    def _read_log(self) -> None:
        try:
            for group in LogCodec().groups(self._connection.execute(UNAPPLIED)):
                for entry in group.entries:
                    self._note(entry)
        except (apsw.Error, DamagedLog) as error:
            why = str(error) if isinstance(error, DamagedLog) else _why(error)
            self._report(
                "the log is damaged: the class does not start, and its newest writes are in there",
                why,
                f"{_BACKUP}; perdure objects export still gives what is whole",
            )

    def _note(self, entry: Entry) -> None:
        if entry.record is not None or entry.removed:
            self._records[entry.object] = entry.record
        for number, change in (entry.pages or {}).items():
            self._pages.setdefault(entry.generation, {}).setdefault(number, []).append(change)

    # Objects

    def _look_at_objects(self) -> bool:
        rows = _Rows(self._connection, "object", "id", "generation, name, created_ms, written_ms")
        for object, generation, name, created_ms, _ in rows:
            if object not in self._records:
                self._look_at_object(object, ObjectRecord(generation, name, created_ms))
        for object, record in self._records.items():
            if record is not None:
                self._look_at_object(object, record)
        for damage in rows.damages:
            self._report(
                f"registry rows of objects {damage}",
                rows.why,
                f"these objects cannot be started; {_BACKUP}",
                object=damage.only.hex() if isinstance(damage.only, bytes) else None,
            )
        return not rows.damages

    def _look_at_object(self, object: bytes, record: ObjectRecord) -> None:
        self.objects += 1
        shown = f"object {object.hex()}" + (f" ({record.name!r})" if record.name is not None else "")
        about = {"object": object.hex(), "name": record.name}
        rows = _Rows(self._connection, "kv", "key", "value", "generation = ?", (record.generation,))
        for key, value in rows:
            try:
                decode(value)
            except ValueMismatch as error:
                self._report(f"key {key!r} of {shown}", error.why, "write it anew, or delete it", key=key, **about)
        for damage in rows.damages:
            next_step = "write the key anew, or go back to a bookmark; else " + _BACKUP
            only = damage.only if isinstance(damage.only, str) else None
            what = f"key {only!r} of {shown}" if only is not None else f"keys {damage} of {shown}"
            self._report(what, rows.why, next_step, key=only, **about)
        pages = _Rows(self._connection, "page", "id", "body", "id BETWEEN ? AND ?", page_ids(record.generation))
        for _ in pages:
            pass
        for damage in pages.damages:
            only = f"page {place_of(damage.only)[1]}" if isinstance(damage.only, int) else "pages"
            next_step = f"go back to a bookmark; else {_BACKUP}"
            self._report(f"{only} of the SQL database of {shown}", pages.why, next_step, **about)
        if not pages.damages:
            self._look_at_sql(record.generation, shown, about)

    def _look_at_sql(self, generation: int, shown: str, about: dict[str, Any]) -> None:
        changes = self._pages.get(generation, {})

        def page(number: int) -> bytes | None:
            stored = self._connection.execute("SELECT body FROM page WHERE id = ?", (page_id(generation, number),)).get
            return changed_page(stored, changes.get(number, ()))

        first = page(0)
        if first is None:
            return
        try:
            with closing(
                self._vfs.connect(PageFile(page, bytes_max=database_bytes(first) + PAGE_BYTES), statements_cached=0)
            ) as database:
                said = [str(row[0]) for row in database.execute(f"PRAGMA integrity_check({_NAMED_MAX})")]
        except apsw.Error as error:
            said = [_why(error)]
        if said != ["ok"]:
            next_step = f"go back to a bookmark; else {_BACKUP}"
            self._report(f"the SQL database of {shown}", "; ".join(said), next_step, **about)

    # The rest

    def _look_at_alarms(self, table: str, about: str) -> None:
        keys = "object" if table == "alarm" else "object, at_ms"
        rows = _Rows(self._connection, table, keys, "*")
        for _ in rows:
            pass
        for damage in rows.damages:
            only = damage.only[0] if isinstance(damage.only, tuple) else damage.only
            shown = (
                f"the {about} of object {only.hex()}" if isinstance(only, bytes) else f"{about}s of objects {damage}"
            )
            next_step = "set it again from the object's code; else " + _BACKUP
            self._report(shown, rows.why, next_step, object=only.hex() if isinstance(only, bytes) else None)

    def _read_all(self, table: str) -> None:
        try:
            for _ in self._connection.execute(f"SELECT * FROM {table}"):
                pass
        except apsw.Error as error:
            what = f"{_OTHER_TABLES[table]} (table {table})"
            next_step = f"objects serve on; to have it whole again, {_BACKUP}"
            self._report(what, _why(error), next_step)

    def _look_for_strays(self, tables: set[str]) -> None:
        """Rows that nobody will ever read, and alarms of nobody."""
        left = [table for table in ("retired", "kept") if table in tables]
        known = " AND ".join(f"generation NOT IN (SELECT generation FROM {table})" for table in ["object", *left])
        live = {record.generation for record in self._records.values() if record is not None}
        highest = self._connection.execute("SELECT value FROM meta WHERE key = 'generation'").get or 0
        seen = self._connection.execute("SELECT max(generation) FROM object").get or 0
        if seen > highest:
            self._report("the count of generations is too low", f"{seen} is in use, {highest} is noted", _BACKUP)
        for generation in self._generations():
            free = self._connection.execute(f"SELECT ? AS generation WHERE {known}", (generation,)).fetchall()
            if free and generation not in live:
                why = "no object has it and nothing sweeps it"
                self._report(
                    f"rows of generation {generation} belong to no object", why, "they do no harm but take room"
                )
        orphans = "SELECT object FROM alarm WHERE object NOT IN (SELECT id FROM object) LIMIT 100"
        rows: list[Any] = self._connection.execute(orphans).fetchall()
        for (object,) in rows:
            if object not in self._records:
                what = f"the alarm of object {object.hex()}"
                self._report(what, "the object stores nothing", "it wakes the object once", object=object.hex())

    def _generations(self) -> Iterator[int]:
        """Those that have rows or pages; asked one after the other, whatever their number."""
        for first in (
            "SELECT min(generation) FROM kv WHERE generation > ?",
            "SELECT id >> 24 FROM page WHERE id >= (? + 1) << 24 ORDER BY id LIMIT 1",
        ):
            generation: Any = -1
            while (generation := self._connection.execute(first, (generation,)).get) is not None:
                yield generation

    def _report(self, what: str, why: str, next_step: str, **about: Any) -> None:
        self._found.append(Finding(self._label, what, why, next_step, **about))


@dataclass(frozen=True, slots=True)
class _Damage:
    """Rows that cannot be read: one, or those between two that can."""

    only: Any = None
    after: Any = None
    before: Any = None

    def __str__(self) -> str:
        if self.only is not None:
            return _shown(self.only)
        first = "from the first" if self.after is None else f"after {_shown(self.after)}"
        last = "to the last" if self.before is None else f"before {_shown(self.before)}"
        return f"{first} {last}"


class _Rows:
    """The rows of a table that can be read, in order of their keys; then, which ones cannot."""

    def __init__(
        self,
        connection: apsw.Connection,
        table: str,
        keys: str,
        columns: str,
        where: str = "1",
        bindings: tuple[Any, ...] = (),
    ) -> None:
        self.why = ""
        """What SQLite said of the last one that cannot."""
        self._connection = connection
        self._table, self._keys, self._columns, self._where = table, keys, columns, where
        self._bindings = bindings
        self._count = len(keys.split(","))
        self.damages: list[_Damage] = []
        """A page that cannot be read hides the keys in it: then a range is all that is known, and the last."""

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        last: Any = None
        try:
            for row in self._select(f"{self._keys}, {self._columns}"):
                last = self._key(row)
                yield row
            return
        except apsw.Error as error:
            self.why = _why(error)
        while len(self.damages) < _NAMED_MAX:
            try:
                for row in self._scan(f"{self._keys}, {self._columns}", last):
                    last = self._key(row)
                    yield row
                return  # what failed before was a seek, which met a damaged row of others
            except apsw.Error as error:
                self.why = _why(error)
            try:
                damaged = next(map(self._key, self._scan(self._keys, last)), None)
            except apsw.Error:
                self.damages.append(_Damage(after=last, before=self._first_behind()))
                return
            self.damages.append(_Damage(only=damaged) if damaged is not None else _Damage(after=last))
            last = damaged
            if damaged is None:
                return

    def _first_behind(self) -> Any:
        first = None
        # Suppressed: it ends at the damage, from the other side.
        with suppress(apsw.Error):
            for row in self._scan(self._keys, None, order=" DESC"):
                first = self._key(row)
        return first

    def _select(self, columns: str) -> Iterator[tuple[Any, ...]]:
        statement = f"SELECT {columns} FROM {self._table} WHERE {self._where} ORDER BY {self._keys}"
        return self._connection.cursor().execute(statement, self._bindings)

    def _scan(self, columns: str, after: Any, order: str = "") -> Iterator[tuple[Any, ...]]:
        """The table from its one end, after a key: to seek, SQLite reads whole rows on the way, damaged ones among them."""
        names = [name.strip() for name in self._keys.split(",")]
        where, bindings = self._where.replace("generation", "+generation"), self._bindings
        if after is not None:
            where += f" AND ({', '.join(f'+{name}' for name in names)}) > ({', '.join('?' * len(names))})"
            bindings = (*bindings, *(after if isinstance(after, tuple) else (after,)))
        by = ", ".join(f"{name}{order}" for name in (["generation"] if self._table == "kv" else []) + names)
        statement = f"SELECT {columns} FROM {self._table} WHERE {where} ORDER BY {by}"
        return self._connection.cursor().execute(statement, bindings)

    def _key(self, row: tuple[Any, ...]) -> Any:
        return row[0] if self._count == 1 else row[: self._count]


def _shown(key: Any) -> str:
    if isinstance(key, tuple):
        key = key[0]
    return key.hex() if isinstance(key, bytes) else repr(key)


def _why(error: apsw.Error) -> str:
    return f"{type(error).__name__}: {error}"
