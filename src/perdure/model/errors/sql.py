"""What SQL can be refused for or fail at. Those with `object_reset` ended the instance; after the others all is as it was.

See tests/model/test_errors.py and tests/objects/sql/.
"""

from perdure.model.errors.base import PerdureError
from perdure.model.errors.storage import TooLarge


class SqlError(PerdureError):
    """SQLite refused a statement. `sqlite_code` is its code, as `SQLITE_ERROR`; `statement` the text that was run.

    `offset` is where in it the error is, in UTF-8 bytes, None where SQLite does not say. Only this statement was undone:
    what the step wrote before is still written, unless `object_reset` is set.
    """

    sqlite_code: str
    offset: int | None
    statement: str

    def __init__(
        self,
        *,
        what: str,
        where: str = "",
        why: str = "",
        next_step: str = "",
        sqlite_code: str,
        offset: int | None = None,
        statement: str,
    ) -> None:
        self.sqlite_code = sqlite_code
        self.offset = offset
        self.statement = statement
        super().__init__(what=what, where=where, why=why, next_step=next_step)


class ConstraintFailed(SqlError):
    """A statement would have broken a constraint: UNIQUE, NOT NULL, CHECK, a foreign key. It alone was undone.

    A deferred constraint is looked at when the step ends; if it is still broken then, `object_reset` is set: the object was
    reset and the step's writes were dropped.
    """


class SqlInterrupted(SqlError, TimeoutError):
    """A statement of `exec` ran longer than `Limits.sql` and was stopped, as nothing else can run meanwhile.

    If it was writing, `object_reset` is set: the object was reset and the step's writes were dropped. Look at its plan with
    EXPLAIN QUERY PLAN, or run it on a thread: `await ctx.storage.sql.run(...)`.
    """


class NotOneRow(PerdureError, ValueError):
    """`Cursor.one()` found no row, or more than one. `first()` takes the first or None, `to_list()` all.

    `rows` is how many were left: 0, or 2 for more than one.
    """

    rows: int

    def __init__(self, *, what: str, where: str = "", why: str = "", next_step: str = "", rows: int) -> None:
        self.rows = rows
        super().__init__(what=what, where=where, why=why, next_step=next_step)


class ResultTooLarge(TooLarge):
    """The rows of one statement are larger than `Limits.result_bytes` together.

    Ask for fewer (`LIMIT`, fewer columns), or page through them: `WHERE id > ? ORDER BY id LIMIT 1000`.
    If it was writing (RETURNING), `object_reset` is set: the object was reset and the step's writes were dropped.
    """


class IntOutOfRange(PerdureError, OverflowError):
    """An int for SQL needs more than 64 bits, which is what SQLite has. Store it as text, or in key-value storage."""


class StorageBusy(PerdureError, RuntimeError):
    """SQL was used by something that ran inside a statement of the same object: a finaliser, most likely.

    Do not touch storage in `__del__` or in a weak reference's callback; leave such work to the object's methods.
    """


class SchemaMismatch(PerdureError):
    """What an object has applied of its class's `schema` is not the beginning of what the class lists now.

    An applied step was changed, moved or removed. Put it back as it was, and add a step that changes what it made. `step`
    is the place in the list at which they part, from 0 on.
    """

    step: int

    def __init__(self, *, what: str, where: str = "", why: str = "", next_step: str = "", step: int) -> None:
        self.step = step
        super().__init__(what=what, where=where, why=why, next_step=next_step)
