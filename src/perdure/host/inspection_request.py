"""What may be asked of a data folder: by commands, of the process that has it open, or of themselves.

Must stay true: a request and its answer are plain values, so that it makes no difference who answers. See
tests/host/test_inspection.py.
"""

from typing import Annotated, Literal, TypeAlias

import msgspec

LISTED_MAX = 10_000
"""Of what is listed in one answer: more would keep the loop of a process that serves for too long."""

_Limit = Annotated[int, msgspec.Meta(ge=1, le=LISTED_MAX)]


class _Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag=True):
    """A class is named `Room`, or `worker/Room` where two Workers of the folder have one; an object by its name or its id."""


class ListObjects(_Request, frozen=True):
    """`{"objects": [...], "cursor": text or None}`: those of a class, or of all."""

    class_name: str | None = None
    like: str | None = None
    """Of the name: `*`, `?` and `[...]` as in file names."""
    limit: _Limit = 100
    after: str | None = None
    """The cursor of the page before."""


class ShowObject(_Request, frozen=True):
    """One object as `ListObjects` has it, with `keys`, `keys_left_out` and `tables`."""

    class_name: str
    object: str


class RunSql(_Request, frozen=True):
    """`{"columns": [...], "rows": [[...]], "written": n}` of the last of the statements."""

    class_name: str
    object: str
    statement: str
    write: bool = False


class DeleteObject(_Request, frozen=True):
    """`{"class", "name", "id", "bookmark"}`."""

    class_name: str
    object: str


class RestoreObject(_Request, frozen=True):
    """`{"class", "name", "id", "bookmark", "exists"}`: `exists` is False if it stored nothing then."""

    class_name: str
    object: str
    at: str
    """A bookmark of it, or a time: ISO 8601 with a time zone."""


class ForkObject(_Request, frozen=True):
    """`{"class", "name", "id", "bookmark", "alarm"}` of the new one: `alarm` is what the other one has, which was not copied."""

    class_name: str
    object: str
    to: str
    replace: bool = False
    at: str | None = None
    """None: now."""


class ImportFile(_Request, frozen=True):
    """`{"class", "name", "id", "bookmark"}`: `bookmark` takes one that was replaced back, None for a new one."""

    class_name: str
    object: str
    file: str
    """An absolute path, for the process that answers."""
    replace: bool = False
    named_by: Literal["name", "id"] | None = None
    """None: either."""


class ListAlarms(_Request, frozen=True):
    """`{"alarms": [...], "more": bool}`: by class, pending ones by when they are due, given up ones by object."""

    dead: bool = False
    limit: _Limit = 1000


class RetryAlarm(_Request, frozen=True):
    """`{"class", "name", "id", "alarm"}`: makes an alarm due now: the one that waits for a retry, or that was given up."""

    class_name: str
    object: str
    dead: bool = False


class DropAlarm(_Request, frozen=True):
    """`{"class", "name", "id", "dropped"}`: the object is not woken, or all its given up alarms are forgotten."""

    class_name: str
    object: str
    dead: bool = False


class Query(_Request, frozen=True):
    """`{"columns", "rows", "left_out": [...], "cursor": text or None}`: a part of the rows; each begins with name and id."""

    class_name: str
    statement: str
    like: str | None = None
    limit: int = 1000
    """Rows at most."""
    after: str | None = None


_Write: TypeAlias = DeleteObject | RestoreObject | ForkObject | ImportFile | RetryAlarm | DropAlarm
Request: TypeAlias = ListObjects | ShowObject | RunSql | ListAlarms | Query | _Write


def writes(request: Request) -> bool:
    """Whether it may change something, so that to ask twice is not the same as to ask once."""
    return isinstance(request, _Write) or (isinstance(request, RunSql) and request.write)
