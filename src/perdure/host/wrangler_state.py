"""What Cloudflare's local tools left of objects, `.wrangler/state/v3/do`: which files there are, and what each holds.

Must stay true: nothing there is written, nor read while somebody else writes it; a name is believed only if the id that is made
of it is the file's; what cannot be brought over is named by file and key. See tests/host/test_wrangler_import.py.
"""

import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apsw

from perdure.core.entry import Alarm, AlarmChange
from perdure.host.contents import KEYS, Contents, scratch_database
from perdure.host.import_object import contents_of_file
from perdure.model.errors import PerdureError, StorageFull, WrongValue
from perdure.model.limits import KEY_VALUE_BYTES_MAX
from perdure.model.object_id import IdKey, ObjectId
from perdure.model.v8_value import decode_v8
from perdure.model.value import encode
from perdure.objects.storage.keys import check_key, too_large
from perdure.store.trouble import cannot_write

_BELOW = (".", "do", "v3/do", "state/v3/do", ".wrangler/state/v3/do")
"""Where the folders of classes may be, of the folder that was given."""
_OBJECT_FILE = re.compile(r"[0-9a-f]{64}\.sqlite", re.ASCII)
ALARMS = "metadata.sqlite"
"""Knows the names of some objects that have an alarm."""
_PARTS = ("", "-wal", "-journal")
"""Of a database that was not closed; of the third, -shm, SQLite makes a new one."""

_NAME = "__miniflare_do_name"
_KV = "_cf_KV"
_METADATA = "_cf_METADATA"
_METADATA_ALARM = 1
_INTERNAL = rf"name = '{_NAME}' OR name LIKE '\_cf\_%' ESCAPE '\'"
_NS_IN_MS = 1_000_000


@dataclass(frozen=True, slots=True)
class LocalClass:
    """The objects of one class that the tools ran."""

    folder: Path
    files: Sequence[Path]
    """One for each object."""

    @property
    def key(self) -> str:
        """What its ids were made with: the name of the folder, `WORKER-CLASS`."""
        return self.folder.name


@dataclass(frozen=True, slots=True)
class LocalObject:
    """One object, ready to be made."""

    id: ObjectId
    """With its name, if that is known."""
    contents: Contents


def local_classes(folder: Path) -> list[LocalClass]:
    """Those in `.wrangler/state/v3/do`, any of its parents, or the folder of one class. Raises WrongValue if there are none."""
    if found := _class_in(folder):
        return [found]
    for below in _BELOW:
        try:
            inside = sorted(each for each in (folder / below).iterdir() if each.is_dir())
        except OSError:
            continue
        if classes := [found for each in inside if (found := _class_in(each)) is not None]:
            return classes
    raise WrongValue(
        what="there are no objects of Cloudflare's local tools",
        where=str(folder),
        why="they are in files .wrangler/state/v3/do/WORKER-CLASS/ID.sqlite",
        next_step="give the folder .wrangler of the project, or what --persist-to said",
    )


def _class_in(folder: Path) -> LocalClass | None:
    try:
        files = sorted(file for file in folder.iterdir() if _OBJECT_FILE.fullmatch(file.name))
    except OSError:
        return None
    return LocalClass(folder.resolve(), files) if files else None


def names_of_alarms(of: LocalClass, scratch: Path) -> list[str]:
    """Names of objects, where the tools kept them with alarms. scratch: an empty folder. Raises as `local_object`."""
    file = of.folder / ALARMS
    if not file.is_file():
        return []
    with _refusing(file, scratch), closing(_opened(_copied(file, scratch))) as connection:
        columns = connection.execute("SELECT name FROM pragma_table_info('_cf_ALARM')").fetchall()
        if ("actor_name",) not in columns:  # before 2026
            return []
        rows = connection.execute("SELECT actor_name FROM _cf_ALARM")
        return [name for (name,) in rows if isinstance(name, str)]


class LocalNames:
    """Names that objects of one class may have, by the ids that they make."""

    def __init__(self, key: str, names: Sequence[str]) -> None:
        self._ids = IdKey(key)
        self._named = {id.raw: id for id in map(self._ids.from_name, names)}

    def named(self, hex: str, said: str | None) -> ObjectId:
        """The id of these digits, with its name. said: what its file says.

        Raises WrongValue if it is none of the class: its folder was renamed.
        """
        id = ObjectId(hex)
        if not self._ids.owns(id):
            raise WrongValue(
                what=f"{hex} is no id of the class whose folder it is in",
                why="ids are made with the name of the folder, WORKER-CLASS, and this one was made with another",
                next_step="give the folder the name that it had",
            )
        if said is not None and (named := self._ids.from_name(said)) == id:
            return named
        return self._named.get(id.raw, id)


def local_object(file: Path, names: LocalNames, scratch: Path) -> LocalObject | None:
    """What the file holds; None if that is nothing. scratch: an empty folder, on the disk that has to hold the object anyway.

    Raises WrongValue, or what else a value is refused with, naming file and key; StorageFull.
    """
    with _refusing(file, scratch):
        copy = _copied(file, scratch)
        with closing(_opened(copy)) as connection:
            id = names.named(file.stem, _name_in(connection))
            alarm = _alarm_in(connection)
            keys = _bring_over(connection, file)
            for (table,) in connection.execute(
                f"SELECT name FROM sqlite_schema WHERE type = 'table' AND ({_INTERNAL})"
            ).fetchall():
                connection.execute(f'DROP TABLE "{table}"')
            others = connection.execute("SELECT count(*) FROM sqlite_schema WHERE tbl_name != ?", (KEYS,)).get
        if not keys and not others and alarm is None:
            return None
        (scratch / "contents").mkdir()
        contents = contents_of_file(copy, scratch / "contents")
        copy.unlink()
        return LocalObject(id, Contents(contents.keys, contents.tables, AlarmChange(alarm)))


@contextmanager
def _refusing(file: Path, scratch: Path) -> Iterator[None]:
    """Whatever is wrong with what the tools left is said of that file."""
    try:
        yield
    except PerdureError as error:
        error.where = error.where or str(file)
        raise
    except (apsw.Error, OSError) as error:
        if isinstance(full := cannot_write(scratch / file.name, error), StorageFull):
            raise full from error
        raise _unreadable(file, error) from error
    except UnicodeDecodeError as error:
        raise _unreadable(file, error) from error


def _unreadable(file: Path, error: BaseException) -> WrongValue:
    return WrongValue(
        what=f"{file.name} cannot be read",
        where=str(file),
        why=f"{type(error).__name__}: {error}",
        next_step="it is damaged, or none of the tools'",
    )


def _copied(file: Path, scratch: Path) -> Path:
    """To read a database with a write-ahead log is to write beside it, so a copy is read."""
    parts = [file.with_name(file.name + part) for part in _PARTS]
    before = [_state(part) for part in parts]
    for part in parts:
        if part.exists():
            shutil.copyfile(part, scratch / part.name)
    if before != [_state(part) for part in parts]:
        raise WrongValue(
            what=f"{file.name} changed while it was read",
            where=str(file),
            next_step="stop wrangler dev, and import again",
        )
    return scratch / file.name


def _state(file: Path) -> tuple[int, int] | None:
    try:
        stat = os.stat(file)
    except FileNotFoundError:
        return None
    return stat.st_size, stat.st_mtime_ns


def _opened(copy: Path) -> apsw.Connection:
    with closing(apsw.Connection(str(copy))) as connection:
        connection.pragma("trusted_schema", False)
        connection.pragma("journal_mode", "delete")
    return scratch_database(copy)


def _has_table(connection: apsw.Connection, name: str) -> bool:
    rows = connection.execute("SELECT 1 FROM sqlite_schema WHERE name = ? AND type = 'table'", (name,)).fetchall()
    return bool(rows)


def _name_in(connection: apsw.Connection) -> str | None:
    if not _has_table(connection, _NAME):
        return None
    rows = connection.execute(f"SELECT name FROM {_NAME} LIMIT 1").fetchall()
    name = rows[0][0] if rows else None
    return name if isinstance(name, str) else None


def _alarm_in(connection: apsw.Connection) -> Alarm | None:
    if not _has_table(connection, _METADATA):
        return None
    rows = connection.execute(f"SELECT value FROM {_METADATA} WHERE key = ?", (_METADATA_ALARM,)).fetchall()
    if not rows or rows[0][0] is None:
        return None
    (at_ns,) = rows[0]
    if not isinstance(at_ns, int):
        raise WrongValue(what=f"the alarm is at no time: {at_ns!r:.40}", next_step="set it anew, and import again")
    at_ms = -(-at_ns // _NS_IN_MS)  # not before its time
    return Alarm(at_ms, at_ms)


def _bring_over(connection: apsw.Connection, file: Path) -> int:
    """Puts the keys where an import looks for them; gives how many there are."""
    connection.execute(f"CREATE TABLE {KEYS}(key TEXT PRIMARY KEY, value BLOB, json TEXT)")
    if not _has_table(connection, _KV):
        return 0
    with connection:
        connection.executemany(f"INSERT INTO {KEYS} VALUES(?, ?, NULL)", _rows(connection, file))
    count: int = connection.execute(f"SELECT count(*) FROM {KEYS}").get
    return count


def _rows(connection: apsw.Connection, file: Path) -> Iterator[tuple[str, bytes]]:
    for key, value in connection.execute(f"SELECT key, value FROM {_KV}"):
        try:
            yield key, _value(key, value)
        except PerdureError as error:
            error.where = f"{file}, {error.where}"
            raise


def _value(key: Any, value: Any) -> bytes:
    path = f"get({key!r:.100})"
    if not isinstance(value, bytes):
        raise WrongValue(what="what is stored is no value", where=path, next_step="the file is damaged")
    check_key(key, path)
    encoded = encode(decode_v8(value, path=path), path=path, bytes_max=KEY_VALUE_BYTES_MAX)
    if len(key) + len(encoded) > KEY_VALUE_BYTES_MAX:
        raise too_large(key, encoded, path)
    return encoded
