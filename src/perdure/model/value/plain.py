"""Which values msgspec writes exactly as they are, found out without a visit to each element.

See tests/model/test_value_roundtrip.py.
"""

from itertools import chain
from types import NoneType
from typing import Any, Final

from perdure.model.limits import VALUE_DEPTH_MAX

SCALARS: Final = frozenset({NoneType, bool, int, float, str, bytes})
"""Exact types that msgspec writes exactly, but for ints beyond 64 bits and text with lone surrogates, which it refuses."""
TEXT: Final = frozenset({str})
_CONTAINERS: Final = frozenset({list, dict})


def is_plain(value: object, elements_max: int) -> bool:
    """Whether `value` is lists, str-keyed dicts and scalars throughout, so that msgspec can write it as it is.

    Looks at all elements of one level at a time, in C: five times faster for a list of records than a visit to each. A
    value too deep, too large or in a cycle is not plain; the walk finds out which.
    """
    level: list[Any] = [value]
    for _ in range(VALUE_DEPTH_MAX + 1):
        kinds = set(map(type, level)) - SCALARS
        if not kinds:
            return True
        if not kinds <= _CONTAINERS:
            return False
        lists = [item for item in level if type(item) is list]
        dicts = [item for item in level if type(item) is dict]
        elements_max -= sum(map(len, lists)) + sum(map(len, dicts))
        if elements_max < 0 or not TEXT.issuperset(map(type, chain.from_iterable(dicts))):
            return False
        level = [*chain.from_iterable(lists), *chain.from_iterable(map(dict.values, dicts))]
    return False
