"""Values that cannot be stored or sent, and values that are not what a type says; both name the path to the offender.

See tests/model/test_value_refusals.py and tests/model/test_typed.py.
"""

from perdure.model.errors.base import PerdureError


class UnsupportedValue(PerdureError, TypeError):
    """A value cannot be stored or sent: `path` leads to the offender, as in `put("k")["a"][3]`. Nothing was written or
    sent.

    Supported are plain values (None, bool, int, float, str, bytes, list, tuple, dict, set, dates, Decimal, UUID),
    dataclasses, `msgspec.Struct`s, Enum members and pydantic models, up to 128 levels deep and without cycles. Convert
    the rest first.
    """

    path: str

    def __init__(self, *, what: str, where: str = "", why: str = "", next_step: str = "", path: str) -> None:
        self.path = path
        super().__init__(what=what, where=where or path, why=why, next_step=next_step)


class ValueMismatch(PerdureError, ValueError):
    """A value does not fit the type that was asked for, or bytes are no value at all; `path` leads to the field.

    Data of an older shape is the usual reason: give new fields defaults, or read it without a type and convert it.
    """

    path: str

    def __init__(self, *, what: str, where: str = "", why: str = "", next_step: str = "", path: str) -> None:
        self.path = path
        super().__init__(what=what, where=where or path, why=why, next_step=next_step)


class NaiveDatetime(PerdureError, ValueError):
    """A datetime has no time zone, so that it is another moment on every machine.

    Use `perdure.now() + timedelta(...)`, or give the zone: `datetime(2030, 1, 1, 9, tzinfo=UTC)`.
    """
