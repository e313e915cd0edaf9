"""An object made of a file, as `perdure objects export` writes it or any `sqlite3` does.

Must stay true: until the last entry the object is what it was, and after it what the file holds; no entry in between is
larger than a slice. The rows go to a generation that nobody reads and that counts as one the object has left: a crash leaves it
to be swept with the past, and only the last entry takes it back. See tests/host/test_import.py.
"""

import asyncio
import os
import shutil
from collections.abc import Iterator
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import apsw

from perdure.core.clock import Clock
from perdure.core.entry import Entry, ObjectRecord
from perdure.core.page_change import PAGE_BYTES
from perdure.host.clock import RealClock
from perdure.host.export import KEYS, Progress
from perdure.host.stored_object import stored_class
from perdure.host.version import VERSION
from perdure.model.errors import ValueMismatch, WrongValue
from perdure.model.limits import KEY_VALUE_BYTES_MAX, NAME_BYTES_MAX
from perdure.model.object_id import ObjectId
from perdure.model.value import decode
from perdure.objects.storage.keys import check_key
from perdure.store.committer import CommitterPool
from perdure.store.data_folder import DataFolder
from perdure.store.interface import Store
from perdure.store.undo_restore import until

SLICE_BYTES = 1024 * 1024
"""Of rows and pages in one entry: a group stays short for those who write at the same time."""

SCRATCH = "importing"
"""The folder inside a data folder that copies are made in: on the disk that has to hold the object anyway."""

_KEY_ROWS = f"SELECT key, value FROM {KEYS} ORDER BY key"

# Pages between two looks at the progress of a copy.
_STEP_PAGES = 4_096


@dataclass(slots=True)
class _Slice:
    rows: dict[str, bytes | None] = field(default_factory=dict)
    pages: dict[int, bytes] = field(default_factory=dict)


async def import_object(
    store: Store,
    id: ObjectId,
    file: Path,
    *,
    scratch: Path,
    replace: bool,
    clock: Clock,
    progress: Progress = lambda *_: None,
) -> None:
    """Makes the object of what `file` holds; durable when this returns. Nobody else uses the object meanwhile.

    scratch: a folder that is made and removed again, for copies of the SQL tables. replace: an object that exists becomes
    what the file holds; its alarm stays. Raises WrongValue for a file that is none, or an object that exists otherwise.
    """
    current = store.record(id.raw)
    if current is not None and not replace:
        raise WrongValue(
            what=f"{(id.name if id.name is not None else id.hex)!r} stores something already",
            where=id.hex,
            next_step="give another name, or --replace",
        )
    try:
        shutil.rmtree(scratch, ignore_errors=True)  # what a crash left
        scratch.mkdir(parents=True)
        keys, tables = await asyncio.to_thread(_separated, file, scratch)
        await _Import(store, id, current, clock).run(_slices(keys, tables, file, progress))
    except apsw.Error as error:
        raise WrongValue(
            what=f"{file.name} cannot be imported",
            where=str(file),
            why=f"{type(error).__name__}: {error}",
            next_step="give a file that sqlite3 opens, as perdure objects export writes them",
        ) from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


class _Import:
    def __init__(self, store: Store, id: ObjectId, current: ObjectRecord | None, clock: Clock) -> None:
        self._store = store
        self._id = id
        self._current = current
        self._clock = clock
        self._generation = store.new_generation()

    async def run(self, slices: Iterator[_Slice]) -> None:
        # With the pin there is a way back to before, and apply keeps the rows of the generation that this leaves.
        await self._append(self._entry(_Slice(), pin=True, retires=self._generation))
        last = _Slice()
        for following in slices:
            if last.rows or last.pages:
                await self._append(self._entry(last))
            last = following
        retires = None if self._current is None else self._current.generation
        goes_back = self._store.place_to_restore(self._id.raw) is not None
        restore = 0 if goes_back else None  # or the next start would take the object to before the import
        await self._append(self._entry(last, record=self._record(), retires=retires, restore=restore))

    async def _append(self, entry: Entry) -> None:
        # One after the other: what waits in memory is a slice.
        position = self._store.append(entry)
        await until(lambda release: self._store.when_durable(self._id.raw, position, release))
        await until(lambda release: self._store.when_room(lambda: release(None)))

    def _entry(self, slice: _Slice, **more: Any) -> Entry:
        return Entry(
            self._id.raw, self._clock.now_ms(), self._generation, slice.rows, pages=slice.pages or None, **more
        )

    def _record(self) -> ObjectRecord:
        name = self._id.name
        if name is not None and len(name.encode()) > NAME_BYTES_MAX:
            name = None
        if self._current is None:
            return ObjectRecord(self._generation, name, self._clock.now_ms())
        return ObjectRecord(self._generation, self._current.name, self._current.created_ms)


def _separated(file: Path, scratch: Path) -> tuple[Path, Path | None]:
    """A copy of the whole file, and of its tables without the keys, in pages as an object has them; None: there are none."""
    keys, tables = scratch / "keys.db", scratch / "tables.db"
    with closing(apsw.Connection(str(file), flags=apsw.SQLITE_OPEN_READONLY)) as source:
        source.execute("BEGIN")
        if not source.execute("SELECT count(*) FROM sqlite_schema").get and not file.stat().st_size:
            raise WrongValue(
                what=f"{file.name} is empty", where=str(file), next_step="give a file that sqlite3 has tables in"
            )
        with closing(_scratch_database(keys)) as copy, copy.backup("main", source, "main") as backup:
            while not backup.done:
                backup.step(_STEP_PAGES)
    with closing(_scratch_database(keys)) as copy:
        has_keys = bool(_key_table(copy))
        others = copy.execute("SELECT count(*) FROM sqlite_schema").get - has_keys
        # The index that its primary key has is no schema of the user's.
        others -= copy.execute("SELECT count(*) FROM sqlite_schema WHERE tbl_name = ? AND type = 'index'", (KEYS,)).get
        if not others:
            return keys, None
        copy.reserve_bytes(reserve=0)
        copy.pragma("journal_mode", "delete")
        copy.pragma("page_size", PAGE_BYTES)
        if not has_keys:
            copy.execute("VACUUM INTO ?", (str(tables),))
            return keys, tables
    return keys, _without_keys(keys, scratch)


def _without_keys(keys: Path, scratch: Path) -> Path:
    """The tables alone. Dropped from a copy and written anew: what the keys filled would stay as free pages."""
    dropped, tables = scratch / "dropped.db", scratch / "tables.db"
    shutil.copyfile(keys, dropped)
    with closing(_scratch_database(dropped)) as connection:
        connection.execute(f"DROP TABLE {KEYS}")
        connection.reserve_bytes(reserve=0)
        connection.pragma("page_size", PAGE_BYTES)
        connection.execute("VACUUM INTO ?", (str(tables),))
    dropped.unlink()
    return tables


def _scratch_database(path: Path) -> apsw.Connection:
    connection = apsw.Connection(str(path))
    connection.pragma("trusted_schema", False)
    connection.pragma("journal_mode", "off")
    connection.pragma("synchronous", "off")
    connection.pragma("secure_delete", False)
    return connection


def _key_table(connection: apsw.Connection) -> int:
    found: int = connection.execute("SELECT count(*) FROM sqlite_schema WHERE name = ? AND type = 'table'", (KEYS,)).get
    return found


def _slices(keys: Path, tables: Path | None, file: Path, progress: Progress) -> Iterator[_Slice]:
    total = 0 if tables is None else tables.stat().st_size
    done = 0
    slice, size = _Slice(), 0
    for key, value in _keys_of(keys, file):
        slice.rows[key] = value
        size += len(key) + len(value)
        if size >= SLICE_BYTES:
            done += size
            progress(done, total + done)
            yield slice
            slice, size = _Slice(), 0
    for number, page in _pages_of(tables):
        slice.pages[number] = page
        size += PAGE_BYTES
        if size >= SLICE_BYTES:
            done += size
            progress(done, max(total, done))
            yield slice
            slice, size = _Slice(), 0
    yield slice
    progress(done + size, done + size)


def _keys_of(keys: Path, file: Path) -> Iterator[tuple[str, bytes]]:
    with closing(_scratch_database(keys)) as connection:
        if not _key_table(connection):
            return
        for key, value in connection.execute(_KEY_ROWS):
            _check_row(key, value, file)
            yield key, value


def _check_row(key: Any, value: Any, file: Path) -> None:
    why = None
    if not isinstance(key, str) or not isinstance(value, bytes):
        why = "its key is no text, or its value no blob"
    else:
        check_key(key, KEYS)
        try:
            decode(value)
        except ValueMismatch as error:
            why = str(error)
        if len(key) + len(value) > KEY_VALUE_BYTES_MAX:
            why = f"it has more than {KEY_VALUE_BYTES_MAX:,} bytes"
    if why is not None:
        raise WrongValue(
            what=f"the row {key!r} of {KEYS} is not a key with a value",
            where=str(file),
            why=why,
            next_step="values are those that an export wrote; nothing was changed",
        )


def _pages_of(tables: Path | None) -> Iterator[tuple[int, bytes]]:
    if tables is None:
        return
    with tables.open("rb") as source:
        number = 0
        while page := source.read(PAGE_BYTES):
            yield number, page
            number += 1


async def import_into(
    data_folder: Path,
    class_name: str,
    name_or_id: str,
    file: Path,
    *,
    replace: bool,
    progress: Progress = lambda *_: None,
) -> ObjectId:
    """The same for a folder that nobody serves, which is opened for as long as it takes. Gives the object's id.

    Raises as `import_object` and `stored_class`; DataFolderLocked if a process serves the folder.
    """
    of = stored_class(data_folder, class_name)
    id = of.id_of(name_or_id)
    clock = RealClock()
    async with AsyncExitStack() as resources:
        pool = CommitterPool(asyncio.get_running_loop())
        resources.callback(pool.close)
        folder = await DataFolder.open(
            data_folder, clock=clock, committer=pool, random_bytes=os.urandom, written_by=VERSION
        )
        resources.push_async_callback(folder.close)
        store = await folder.store(of.row.id)
        scratch = data_folder / SCRATCH
        await import_object(store, id, file, scratch=scratch, replace=replace, clock=clock, progress=progress)
    return id
