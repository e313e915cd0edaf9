"""Where in an object's history a state stands: after which group, and inside of it after which pin.

One integer, so that later is greater, across restarts and generations too. A group is one position for all units that it
holds; only a pinned unit has a place of its own before the group's end. See tests/core/test_undo_place.py.
"""

from typing import Final

_BITS: Final = 16
_END: Final = (1 << _BITS) - 1

PINS_MAX: Final = _END - 1
"""Of one object in one group."""


def end_of(position: int) -> int:
    """The place after all of that group."""
    return position << _BITS | _END


def pin_of(position: int, number: int) -> int:
    """The place after the object's pin of that number in that group. number: from 1 on."""
    return position << _BITS | number


def parts_of(place: int) -> tuple[int, int]:
    """The position, and what comes after it."""
    return place >> _BITS, place & _END


def place_of(position: int, rest: int) -> int:
    """What `parts_of` took apart. Raises ValueError for numbers that are no place."""
    if not 0 < rest <= _END or position < 0:
        raise ValueError(f"no place: {position}, {rest}")
    return position << _BITS | rest
