"""`ctx.storage.sql`: the object's own SQL database, a private SQLite in the store.

What a step writes here is part of its unit, with its keys and its alarm (API-27). See tests/objects/sql/test_exec.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from perdure.model.errors import PerdureError, WrongType, WrongValue
from perdure.objects.op import Op
from perdure.objects.sql.connection import Bindings, Result
from perdure.objects.sql.cursor import Cursor, Fetched, Make, Row, as_row
from perdure.objects.sql.database import Database
from perdure.objects.sql.off_loop import run_off_loop
from perdure.objects.sql.schema import bring_up_to_date
from perdure.objects.sql.statements import only_reads
from perdure.objects.sql.typed_rows import row_maker

if TYPE_CHECKING:
    from perdure.objects.instance import Instance

T = TypeVar("T")

SqlValue = None | int | float | str | bytes | bytearray | memoryview
"""What SQL stores: NULL, INTEGER (bool as 0 and 1), REAL, TEXT, BLOB."""


class SqlStorage:
    """The SQL database of one object. Every statement is complete when its call returns."""

    __slots__ = ("_instance", "_limit_s", "_result_bytes_max")

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        limits = instance.home.limits
        self._limit_s = limits.sql.total_seconds()
        self._result_bytes_max = limits.result_bytes

    @property
    def database_size(self) -> int:
        """Bytes of the object's database, without its free pages; 0 before anything was written to it."""
        return self._database().size_bytes

    def exec(self, query: str, /, *bindings: SqlValue, **named: SqlValue) -> Cursor[Row]:
        """Runs a statement, or several, of which the last takes the values: for `?` in order, or for `:name` by name.

        Raises SqlError if SQLite refuses it, ConstraintFailed among them; SqlInterrupted after `Limits.sql`; ResultTooLarge over
        `Limits.result_bytes`; WrongType and WrongValue for values that do not fit. Source: API-39, API-41, API-42.
        """
        return self._exec(query, bindings, named, as_row)

    def exec_as(self, type_: type[T], query: str, /, *bindings: SqlValue, **named: SqlValue) -> Cursor[T]:
        """As `exec`, each row as a `type_`: by column names for classes with fields, by position for `tuple[...]`, from the
        only column for a plain type (API-40). The cursor raises ValueMismatch with the path of the column.
        """
        return self._exec(query, bindings, named, row_maker(type_, f"exec_as({_name(type_)})"))

    def exec_many(self, query: str, rows: Iterable[Sequence[SqlValue] | Mapping[str, SqlValue]], /) -> int:
        """Runs one statement for each of `rows`, all of them or none; gives the number of rows written."""
        database = self._database()
        check_statement(query, database.label)
        self._instance.rows.write_sql()
        try:
            depth = self._instance.rows.depth
            return database.exec_many(query, rows, depth=depth, seconds_max=self._limit_s)
        except PerdureError as error:
            self._look_at(database, error)
            raise

    def run(self, query: str, /, *bindings: SqlValue, **named: SqlValue) -> Op[Cursor[Row]]:
        """As `exec`, on a thread and without limits of time and size: the object's gate is held, everybody else goes on.

        Yields, so it ends the step: what was written before is a unit of its own, unless a transaction is open (API-42).
        """
        return self._run(query, bindings, named, as_row)

    def run_as(self, type_: type[T], query: str, /, *bindings: SqlValue, **named: SqlValue) -> Op[Cursor[T]]:
        """As `run`, each row as a `type_`: see `exec_as`."""
        return self._run(query, bindings, named, row_maker(type_, f"run_as({_name(type_)})"))

    def _run(self, query: str, bindings: tuple[Any, ...], named: dict[str, Any], make: Make[T]) -> Op[Cursor[T]]:
        label = self._instance.label
        values = _values(query, bindings, named, label)
        made = partial(_cursor, make, label)
        return run_off_loop(self._instance, self._database, query, values, made)

    def _exec(self, query: str, bindings: tuple[Any, ...], named: dict[str, Any], make: Make[T]) -> Cursor[T]:
        database = self._database()
        values = _values(query, bindings, named, database.label)
        rows = self._instance.rows
        if not only_reads(query) or ";" in query:
            rows.write_sql()
        try:
            result = database.exec(
                query, values, depth=rows.depth, seconds_max=self._limit_s, bytes_max=self._result_bytes_max
            )
        except PerdureError as error:
            self._look_at(database, error)
            raise
        return _cursor(make, database.label, result)

    def _database(self) -> Database:
        instance = self._instance
        instance.touch()
        database = instance.rows.sql
        if database is None:
            database = Database(instance.label, instance.rows.stored_page, instance.home.sql_pool)
            instance.rows.sql = database
        schema = instance.home.schema
        if schema is not None and not database.has_schema:
            bring_up_to_date(schema, instance.rows, database, self)
        return database

    def make_ready(self) -> None:
        """At the activation, before the constructor: opens the database of a class with a schema and makes what is due."""
        self._database()

    def _look_at(self, database: Database, error: PerdureError) -> None:
        if database.lost:
            self._instance.break_with(error)

    # Cloudflare's name
    databaseSize = database_size


def check_statement(query: object, where: str) -> None:
    """Raises WrongType and WrongValue for what can be no text of SQL."""
    if type(query) is not str:
        raise WrongType(
            what=f"a statement of SQL must be a str, not {type(query).__name__}",
            where=where,
            next_step='write exec("SELECT ...", value, ...)',
        )
    if "\0" in query:
        raise WrongValue(
            what="a statement of SQL holds a NUL character",
            where=where,
            next_step="give the text as a value: exec('SELECT ?', text)",
        )


def _values(query: str, bindings: tuple[Any, ...], named: dict[str, Any], where: str) -> Bindings:
    check_statement(query, where)
    if named and bindings:
        raise WrongType(
            what="the statement was given values in order and by name",
            where=where,
            why="a statement has `?` or `:name`, and not both",
            next_step="use one of them",
        )
    return named or bindings


def _cursor(make: Make[T], where: str, result: Result) -> Cursor[T]:
    return Cursor(Fetched(result.names, result.rows, result.written, where), make)


def _name(type_: object) -> str:
    return type_.__qualname__ if isinstance(type_, type) else str(type_)
