"""Values of other languages that Python has no type for; they come back as what they were when written again.

See tests/model/test_value_roundtrip.py.
"""

from typing import Any, Final, final


class Map(dict[Any, Any]):
    """A JavaScript Map in data that came from there; stays one when it is written back. In Python it is a dict."""


@final
class Undefined:
    """The type of `UNDEFINED`, of which there is one."""

    __slots__ = ()

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return "UNDEFINED"

    def __reduce__(self) -> str:
        return "UNDEFINED"  # copies and pickles are the one of this module


UNDEFINED: Final = Undefined()
"""JavaScript's undefined, in data that came from there: false, like None, but told apart from null, which is None."""
