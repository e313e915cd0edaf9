"""What `perdure objects` and `perdure backup` do, for a program that has opened the folder itself.

Must stay true: it is the commands' own code, so that a program and an operator see the same. See
tests/host/test_runtime_objects.py.
"""

import asyncio
import contextlib
import os
import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from perdure.core.instant import milliseconds_of
from perdure.host.export import export_object
from perdure.host.host import Host
from perdure.host.inspection_alarms import moment
from perdure.host.inspection_request import DeleteObject, ForkObject, ImportFile, RestoreObject
from perdure.host.stored_object import stored_class
from perdure.host.version import VERSION
from perdure.model.errors import NaiveDatetime, WrongType
from perdure.objects.sql.cursor import Row, as_row
from perdure.objects.sql.sql_storage import SqlValue, check_statement
from perdure.store.backup import create_backup
from perdure.store.file_system import checksummed_file_system
from perdure.workers.stub import Stub


class ObjectVerbs:
    """The verbs of `perdure objects`: a part of `Runtime`. An object is given as its stub."""

    _host: Host
    _path: str

    if TYPE_CHECKING:  # what Runtime has

        def _check(self) -> None: ...
        def _named(self, cls: type[Any]) -> str: ...

    async def sql(self, obj: object, query: str, /, *bindings: SqlValue, **named: SqlValue) -> list[Row]:
        """The rows of a statement that reads, of several the last one's, which gets the values; wakes no object.

        It sees whole units, all that were acknowledged, and holds the loop for up to 1 s. At most 16 MiB of rows. Raises
        SqlError, also for one that would write; WrongValue for an object that has stored nothing.
        """
        self._check()
        if bindings and named:
            raise WrongType(
                what="the statement was given values in order and by name",
                where=self._path,
                why="a statement has `?` or `:name`, and not both",
                next_step="use one of them",
            )
        check_statement(query, self._path)
        columns, rows = await self._host.inspection.read(*self._target(obj), query, named or bindings)
        return [as_row(columns, row) for row in rows]

    async def fork(self, obj: object, name: str, /, *, at: str | datetime | None = None) -> None:
        """Make an object of that name and the same class hold what this one does: its keys and its tables.

        Its alarm is not copied. at: a bookmark of it, or an aware datetime, for what it held then; it is only read. Durable when
        it returns. Raises WrongValue for a name that stores something already, also if that began meanwhile, and for a moment
        that is not kept.
        """
        self._check()
        class_name, id = self._target(obj)
        moment = None if at is None else _moment(at, self._path)
        await self._host.inspection.answer(ForkObject(class_name, id, _name(name, self._path), at=moment))

    async def restore(self, obj: object, /, *, at: str | datetime) -> str:
        """Take an object back to what it held, with its alarm, and give the bookmark that undoes it.

        at: a bookmark of it, or an aware datetime: the state of then or a little before, the longer ago the fewer are kept. If it
        is in memory it is reset, and its callers get ObjectReset; the next call starts it there. Durable when it returns. Raises
        WrongValue for a moment that is to come or not kept.
        """
        self._check()
        answer = await self._host.inspection.answer(RestoreObject(*self._target(obj), _moment(at, self._path)))
        bookmark: str = answer["bookmark"]
        return bookmark

    async def delete(self, obj: object, /) -> str:
        """Delete all that an object stored, its alarms too, and give the bookmark that undoes it.

        If it is in memory it is reset. Durable when it returns. Raises WrongValue for one that has stored nothing.
        """
        self._check()
        answer = await self._host.inspection.answer(DeleteObject(*self._target(obj)))
        bookmark: str = answer["bookmark"]
        return bookmark

    async def export(self, obj: object, file: str | os.PathLike[str], /) -> None:
        """Write an object to a new file that `sqlite3` opens: its tables as they are, its keys in `_perdure_kv`; no alarm.

        The file is what the object stored at one moment, and on disk when it returns. Raises WrongValue for a file that is there
        already, or an object that has stored nothing.
        """
        self._check()
        path = _file(file, self._path)
        class_name, id = self._target(obj)

        def export() -> None:
            of = stored_class(Path(self._path), class_name)
            export_object(of, of.id_of(id), path, force=False)

        await asyncio.to_thread(export)

    async def import_file(
        self, cls: type[Any], name: str, file: str | os.PathLike[str], /, *, replace: bool = False
    ) -> None:
        """Make an object of a file: all its tables, and its keys if it has `_perdure_kv`. Durable when it returns.

        The object is what it was until all of it is stored. replace: one that stores something becomes another, and is reset
        if it is in memory; its alarm stays. Raises WrongValue for a file that holds no object, or, without `replace`, a name that
        stores something already.
        """
        self._check()
        class_name = f"{self._host.worker.name}/{self._named(cls)}"
        path = str(_file(file, self._path))
        request = ImportFile(class_name, _name(name, self._path), path, bool(replace), "name")
        await self._host.inspection.answer(request)

    async def backup(self, file: str | os.PathLike[str], /) -> None:
        """Write the whole folder, as it is at one instant, to a new file, for `perdure backup verify` and `restore`.

        Objects go on; commits wait for the few milliseconds that the instant takes. On disk when it returns. Raises WrongValue
        for a file that is there already, StoreBroken for what cannot be read.
        """
        self._check()
        path, folder, now_ms = _file(file, self._path), Path(self._path), time.time_ns() // 1_000_000

        def backup() -> None:
            create_backup(folder, path, file_system=checksummed_file_system(), written_by=VERSION, now_ms=now_ms)

        await asyncio.to_thread(backup)

    def _target(self, obj: object) -> tuple[str, str]:
        """Class, and name or id, of the object that a stub stands for."""
        if not isinstance(obj, Stub):
            raise WrongType(
                what=f"an object is given as its stub, not as {type(obj).__name__}",
                where=self._path,
                next_step="write rt[Counter]['a'] for the object 'a'",
            )
        worker = self._host.worker
        for class_name, residents in worker.residents.items():
            if residents is obj._home.residents:
                name = obj._id.name
                # One that may be taken for an id is not said.
                return f"{worker.name}/{class_name}", obj._id.hex if name is None or len(name) == len(
                    obj._id.hex
                ) else name
        raise WrongType(
            what=f"{obj!r} is of another runtime",
            where=self._path,
            next_step="take the stub from this one: rt[Counter]['a']",
        )


def _moment(at: object, where: str) -> str:
    if isinstance(at, str):
        return at
    if not isinstance(at, datetime):
        raise WrongType(
            what=f"at= is a bookmark or a datetime, not {type(at).__name__}",
            where=where,
            next_step="write at=perdure.now() - timedelta(hours=1)",
        )
    if at.utcoffset() is None:
        raise NaiveDatetime(
            what=f"at= is a datetime without a time zone: {at.isoformat()}",
            where=where,
            why="it is another moment on every machine",
            next_step="use `perdure.now() - timedelta(...)`, or datetime(..., tzinfo=UTC)",
        )
    return moment(milliseconds_of(at))


def _name(name: object, where: str) -> str:
    if not isinstance(name, str):
        raise WrongType(
            what=f"the name of an object is a str, not {type(name).__name__}",
            where=where,
            next_step=f"use str({name!r:.40})",
        )
    return name


def _file(file: str | os.PathLike[str], where: str) -> Path:
    with contextlib.suppress(TypeError, UnicodeEncodeError):
        path = os.fspath(file)
        if isinstance(path, str) and b"\0" not in path.encode():  # SQLite takes no others
            return Path(os.path.abspath(path))  # now: the program may change its current folder
    raise WrongType(what=f"{file!r:.100} is not the path of a file", where=where, next_step="write 'room.db' or a Path")
