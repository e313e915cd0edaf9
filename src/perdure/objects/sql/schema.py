"""The steps that bring an object's database to what its class says: each once per object, in order (API-43).

Which ones an object has is written in its own database, so that a restore, a copy or delete_all takes them along. Must stay
true: all that are due are made or none; a step that was made is never made again, nor taken for another; an object that only
has its schema does not exist. See tests/objects/sql/test_schema.py.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from perdure.model.errors import PerdureError, SchemaMismatch
from perdure.objects.sql.database import Database

if TYPE_CHECKING:
    from perdure.objects.rows import Rows
    from perdure.objects.sql.sql_storage import SqlStorage

SchemaStep = str | Callable[["SqlStorage"], object]
"""Text of SQL, one statement or several; or a plain function that is given `storage.sql`."""

_CHARACTERS_SHOWN = 60
_APPLIED = "SELECT step FROM _perdure_schema ORDER BY number"
_EXISTS = "SELECT count(*) FROM sqlite_schema WHERE name = '_perdure_schema'"
_CREATE = "CREATE TABLE _perdure_schema(number INTEGER PRIMARY KEY, step TEXT NOT NULL)"
_NOTE = "INSERT INTO _perdure_schema(step) VALUES(?)"


@dataclass(frozen=True, slots=True)
class Step:
    """One step as it is known for ever: a text by its content, a function by its name."""

    made_of: SchemaStep
    source: str
    """Where it is from, for messages: `schema[2]`, or a file."""

    @property
    def known_as(self) -> str:
        if isinstance(self.made_of, str):
            return "sha256:" + hashlib.sha256(self.made_of.encode()).hexdigest()
        return f"function:{self.made_of.__qualname__}"

    @property
    def shown(self) -> str:
        if not isinstance(self.made_of, str):
            return f"{self.made_of.__qualname__}()"
        line = " ".join(self.made_of.split())
        return f"`{line[:_CHARACTERS_SHOWN]}...`" if len(line) > _CHARACTERS_SHOWN else f"`{line}`"


class Schema:
    """The steps of one class."""

    __slots__ = ("_known_as", "steps")

    def __init__(self, steps: Sequence[Step]) -> None:
        self.steps = tuple(steps)
        self._known_as = [step.known_as for step in steps]

    def due(self, applied: Sequence[str], label: str) -> Sequence[Step]:
        """Those that are still to be made. Raises SchemaMismatch if `applied` is not how the list begins."""
        for number, known_as in enumerate(applied):
            if number >= len(self.steps):
                raise SchemaMismatch(
                    what=f"the object has {len(applied)} schema steps and the class lists {len(self.steps)}",
                    where=label,
                    why="a newer version of the class made steps that this one does not know",
                    next_step="put the missing steps back, or restore the object to a time before them",
                    step=number,
                )
            if known_as != self._known_as[number]:
                raise SchemaMismatch(
                    what=f"{self.steps[number].source} is not the step that the object was made with",
                    where=label,
                    why=f"it is now {self.steps[number].shown}; a step is made once for each object and never again",
                    next_step="put it back as it was, and add a step at the end that changes what it made",
                    step=number,
                )
        return self.steps[len(applied) :]


def bring_up_to_date(schema: Schema, rows: Rows, database: Database, sql: SqlStorage) -> None:
    """Makes the steps that are due, in the running unit. Raises what a step raises, with none of them made."""
    database.has_schema = True  # first: a step that is a function comes here again
    try:
        applied = _applied(database)
        due = schema.due(applied, database.label)
        if due:
            _make(due, creates=not applied, rows=rows, database=database, sql=sql)
    except BaseException:
        database.has_schema = False
        raise


def _applied(database: Database) -> list[str]:
    if not database.own(_EXISTS)[0][0]:
        return []
    return [step for (step,) in database.own(_APPLIED)]


def _make(due: Sequence[Step], *, creates: bool, rows: Rows, database: Database, sql: SqlStorage) -> None:
    unit = rows.unit
    savepoint = rows.begin(spans_steps=False)
    try:
        if creates and not database.own(_EXISTS)[0][0]:
            database.own(_CREATE, depth=rows.depth)
        for step in due:
            _make_one(step, rows, database, sql)
            database.own(_NOTE, (step.known_as,), depth=rows.depth)
    except BaseException:
        if rows.holds(savepoint):
            rows.roll_back(savepoint)
        raise
    rows.commit(savepoint)
    if rows.generation is None:
        database.keep_back()
        rows.unit = unit
    else:
        rows.write_sql()


def _make_one(step: Step, rows: Rows, database: Database, sql: SqlStorage) -> Any:
    try:
        if isinstance(step.made_of, str):
            database.exec(step.made_of, (), depth=rows.depth)
        else:
            step.made_of(sql)
    except PerdureError as error:
        error.add_note(f"in {step.source} of {database.label}: {step.shown}")
        raise
