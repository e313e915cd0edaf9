"""What went wrong in a statement, as the object's code is told: SQLite's own words, its code, and what to do.

See tests/objects/sql/test_errors.py and tests/mistakes/.
"""

import re
from typing import Any, Final, NamedTuple

import apsw

from perdure.model.errors import (
    ConstraintFailed,
    IntOutOfRange,
    PerdureError,
    SqlError,
    SqlInterrupted,
    StorageFull,
    UnitTooLarge,
    WrongType,
    WrongValue,
)
from perdure.model.limits import UNIT_BYTES_MAX
from perdure.objects.sql.authorizer import Authorizer

_SHOWN_CHARACTERS: Final = 200
_NOT_ALLOWED: Final = ("not authorized", "access to ", "authorization denied")
_BAD_BINDING: Final = re.compile(r"argument #(\d+): type (.+)")
_COUNTS: Final = re.compile(r"uses (\d+) and there are (\d+) supplied")

_CONVERTED: Final = {
    "datetime": "value.isoformat()",
    "date": "value.isoformat()",
    "time": "value.isoformat()",
    "timedelta": "value.total_seconds()",
    "Decimal": "str(value)",
    "UUID": "str(value)",
}


class Failed(NamedTuple):
    """The statement, and what is known of its end."""

    text: str
    bindings: Any
    where: str
    authorizer: Authorizer
    unit_full: bool
    lost: bool
    """SQLite has rolled back all that the step wrote."""


def explained(error: Exception, failed: Failed) -> PerdureError:
    """The error to raise; with `object_reset` if the unit is lost."""
    told = _explained(error, failed)
    if failed.lost:
        told.object_reset = True
    return told


def _explained(error: Exception, failed: Failed) -> PerdureError:
    match error:
        case PerdureError():
            return error
        case apsw.FullError() if failed.unit_full:
            return UnitTooLarge(
                what=f"one step wrote more than {UNIT_BYTES_MAX:,} bytes of SQL",
                where=failed.where,
                why="the writes of one step become durable at once; all of this step were dropped, the object was reset",
                next_step="write in parts and wait between them: `await ctx.storage.sync()`",
                size=UNIT_BYTES_MAX,
                limit=UNIT_BYTES_MAX,
            )
        case apsw.FullError():
            return StorageFull(
                what="the object's database has reached 10 GB",
                where=failed.where,
                why="more does not fit into one object; the step's writes were dropped, the object was reset",
                next_step="delete what is not needed, or spread the data over more objects",
            )
        case apsw.BindingsError():
            return _wrong_number(error, failed)
        case apsw.Error():
            return _refused(error, failed)
        case OverflowError():
            return IntOutOfRange(
                what="an int among the values has more than 64 bits",
                where=failed.where,
                why="SQLite's integers have 64",
                next_step="store it as text: str(value)",
            )
        case UnicodeEncodeError():
            return WrongValue(
                what="the statement or a str among its values is not valid Unicode: it holds a lone surrogate",
                where=failed.where,
                next_step="store bytes, or value.encode(errors='surrogatepass')",
            )
        case UnicodeDecodeError():
            return WrongValue(
                what=f"the statement gives text that is not UTF-8: {error.object!r:.100}",
                where=failed.where,
                why=_shown(failed.text),
                next_step="read it as bytes: CAST(column AS BLOB)",
            )
        case BufferError():
            return WrongValue(
                what=f"a value does not give its bytes: {error}",
                where=failed.where,
                next_step="store bytes(value)",
            )
        case KeyError():
            return WrongValue(
                what=f"the statement has a parameter :{error.args[0]} and no such value was given",
                where=failed.where,
                why=_shown(failed.text),
                next_step=f"add {error.args[0]}=... to the call",
            )
        case TypeError():
            return _wrong_type(error, failed)
    raise error


def _refused(error: apsw.Error, failed: Failed) -> SqlError:
    code, offset = _code_of(error), _offset_of(error)
    kind: type[SqlError] = SqlError
    why = f"{code} in {_shown(failed.text)}"
    next_step = "only this statement was undone; what the step wrote before it stays"
    if isinstance(error, apsw.ConstraintError):
        kind = ConstraintFailed
    elif isinstance(error, apsw.InterruptError):
        kind = SqlInterrupted
        next_step = (
            "look at EXPLAIN QUERY PLAN for a missing index, or run it on a thread: `await storage.sql.run(...)`"
        )
    elif str(error).startswith(_NOT_ALLOWED):
        code = "SQLITE_AUTH"
        why, next_step = f"{failed.authorizer.why} (in {_shown(failed.text)})", failed.authorizer.next_step
    if failed.text == "COMMIT" and code != "SQLITE_AUTH":
        why = (
            "what the step wrote could not be committed when it ended: all of it was dropped, and the object was reset"
        )
        next_step = "do the step again"
        if kind is ConstraintFailed:
            next_step = "let the step end with whole data: `PRAGMA foreign_key_check` shows the rows that are not"
    elif failed.lost:
        why = f"{why}; SQLite rolled back all that the step wrote, so the object was reset"
        if kind is ConstraintFailed:
            next_step = "let a conflict only ABORT, which undoes its statement alone, and do the step again"
        elif kind is SqlError:
            next_step = "do the step again"
    return kind(
        what=f"{_text_of(error)}: {code}" + (f" at offset {offset}" if offset is not None else ""),
        where=failed.where,
        why=why,
        next_step=next_step,
        sqlite_code=code,
        offset=offset,
        statement=failed.text,
    )


def _text_of(error: apsw.Error) -> str:
    if isinstance(error, apsw.InterruptError):
        return "a statement ran too long and was interrupted"
    return str(error)


def _code_of(error: apsw.Error) -> str:
    extended: int | None = getattr(error, "extendedresult", None)
    primary: int | None = getattr(error, "result", None)
    name = apsw.mapping_extended_result_codes.get(extended or -1) or apsw.mapping_result_codes.get(primary or -1)
    return str(name or "SQLITE_ERROR")


def _offset_of(error: apsw.Error) -> int | None:
    offset: int = getattr(error, "error_offset", -1)
    return offset if offset >= 0 else None


def _shown(text: str) -> str:
    line = " ".join(text.split())
    return f"`{line}`" if len(line) <= _SHOWN_CHARACTERS else f"`{line[:_SHOWN_CHARACTERS]}...`"


def _wrong_number(error: apsw.Error, failed: Failed) -> WrongValue:
    found = _COUNTS.search(str(error))
    wanted, given = found.groups() if found else ("another number of", str(len(failed.bindings)))
    return WrongValue(
        what=f"the statement has {wanted} parameters and {given} values were given",
        where=failed.where,
        why=_shown(failed.text),
        next_step="give one value for each `?`; of several statements the last one takes them",
    )


def _wrong_type(error: TypeError, failed: Failed) -> WrongType:
    found = _BAD_BINDING.search(str(error))
    if found is None:
        return WrongType(
            what=f"the values do not fit the statement: {error}",
            where=failed.where,
            why=_shown(failed.text),
            next_step="give None, int, float, str, bool or bytes for each parameter",
        )
    place, name = int(found[1]), found[2].rpartition(".")[2]
    if name in ("tuple", "list"):
        next_step = "give the values one by one: exec(query, a, b) or exec(query, *values)"
    elif name == "dict":
        next_step = "give named values as keywords: exec(query, **values)"
    else:
        next_step = f"convert it first: {_CONVERTED.get(name, 'str(value), or json.dumps(value)')}"
    return WrongType(
        what=f"value {place} is of type {name}, which SQLite does not have",
        where=failed.where,
        why=f"{_shown(failed.text)} takes None, int, float, str, bool and bytes",
        next_step=next_step,
    )
