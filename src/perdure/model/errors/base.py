"""An error is an answer: `str()` says what, where, why and what to do next, whatever the class also derives from.

Everything that `str()` and the attributes say lives in `args` and `__dict__`, so an error can be rebuilt for another
process, or for the caller beside it, by `cls.__new__` and those two, without `__init__` (API-77). See
tests/model/test_errors.py.
"""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from perdure.model.object_id import ObjectId

_WORD_START = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def code_of(class_name: str) -> str:
    """The stable code of an error class: `StoreTooNew` -> `PERDURE_STORE_TOO_NEW`."""
    return f"PERDURE_{_WORD_START.sub('_', class_name).upper()}"


class PerdureError(Exception):
    """Every error that Perdure raises, except `ObjectAborted`. Catch it to handle whatever Perdure has to say.

    Decide by the attributes, never by the text: `retryable` (the same call may succeed later; whether it took effect is
    not known), `overloaded` (back off, a retry adds to the load), `object_reset` (the instance is gone, the next call
    starts another).
    """

    code: ClassVar[str] = code_of("PerdureError")
    retryable: bool = False
    overloaded: bool = False
    object_reset: bool = False
    remote: bool = False
    """It was raised on the far side of a call."""
    object_id: "ObjectId | None" = None
    """The object that it is about, where that is known."""
    what: str
    where: str
    why: str
    next_step: str

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.code = code_of(cls.__name__)

    def __init__(self, *, what: str, where: str = "", why: str = "", next_step: str = "") -> None:
        self.what = what
        self.where = where
        self.why = why
        self.next_step = next_step
        super().__init__(str(self))

    def __str__(self) -> str:
        # First in every class's order of bases, or a KeyError would show the text as a repr and an OSError its errno.
        text = f"{self.what} ({self.where})" if self.where else self.what
        if self.why:
            text = f"{text}: {self.why}"
        return f"{text}; {self.next_step}" if self.next_step else text

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        # The inherited way calls the class with `args`, which keyword-only constructors cannot take.
        return rebuilt, (type(self), self.args, dict(self.__dict__))


def rebuilt(cls: type[BaseException], args: tuple[Any, ...], attributes: dict[str, Any]) -> BaseException:
    """An exception of `cls` with these `args` and `__dict__`, made without running its `__init__`."""
    error = cls.__new__(cls)
    error.args = args
    error.__dict__.update(attributes)
    return error


class WrongType(PerdureError, TypeError):
    """An argument is of a type that the function does not take. Change the call; the message shows the right one."""


class WrongValue(PerdureError, ValueError):
    """An argument has the right type but a value that is not allowed. Change the call; the message says what is."""
