"""A subclass of a plain kind crosses as that kind: `StrEnum` and `HTTPStatus` aside, `OrderedDict`, named tuples,
`Row`.

What the subclass is made of is taken, not what its own `__int__`, `__str__` or `__iter__` would make of it; dicts alone
are asked for their `items()`, because an OrderedDict keeps its order apart. See tests/model/test_value_roundtrip.py.
"""

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from perdure.model.foreign import Map


def _whole(kind: type[Any]) -> Callable[[Any], Any]:
    return lambda value: kind.__getitem__(value, slice(None))


def _datetime(value: datetime) -> datetime:
    return datetime.combine(_date(value), _time(value.timetz()))


def _date(value: date) -> date:
    return date(value.year, value.month, value.day)


def _time(value: time) -> time:
    return time(value.hour, value.minute, value.second, value.microsecond, value.tzinfo, fold=value.fold)


# datetime before date and Map before dict, which they derive from.
_BASES: Final[tuple[tuple[type, Callable[[Any], Any]], ...]] = (
    (str, str.__str__),
    (int, int.__int__),
    (float, float.__float__),
    (bytes, _whole(bytes)),
    (bytearray, _whole(bytearray)),
    (list, _whole(list)),
    (tuple, _whole(tuple)),
    (Map, lambda value: Map(value.items())),
    (dict, lambda value: dict(value.items())),
    (set, lambda value: set().union(set.__iter__(value))),
    (frozenset, lambda value: frozenset().union(frozenset.__iter__(value))),
    (datetime, _datetime),
    (date, _date),
    (time, _time),
    (timedelta, lambda value: timedelta(value.days, value.seconds, value.microseconds)),
    (Decimal, Decimal),
    (UUID, lambda value: UUID(int=value.int)),
)


def as_base(value: Any) -> Any:
    """`value` as an instance of exactly the plain kind that its class derives from; None if there is none."""
    for kind, convert in _BASES:
        if isinstance(value, kind):
            made: Any = value  # as Any again: the checkers took the types of the table for its own
            return convert(made)
    return None
