"""What can be said of a key of the configuration: what it is for, what stands under it, what becomes of it.

Must stay true: everything that is told about keys is told from these: the warnings, the schema for editors, the reference
page. See tests/config/test_schema.py.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum


class Status(Enum):
    """What becomes of a key here."""

    HONOURED = "honoured"
    HARMLESS = "harmless"
    """Checked where it is wrong, without any effect where it is right."""
    NOT_YET = "not yet"
    """Understood, and without effect so far."""
    WITHOUT_MEANING = "without meaning"
    """For JavaScript, for one company's cloud, or for programs of years ago (CFG-14)."""


@dataclass(frozen=True, slots=True)
class Text:
    """A text that is not empty."""

    pattern: str = ""
    """A regular expression for the whole of it."""
    chars_max: int | None = None
    values: tuple[str, ...] = ()
    """If only these are possible."""


@dataclass(frozen=True, slots=True)
class Number:
    """A whole number of a range."""

    lowest: int
    highest: int


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list whose elements are all of this shape."""

    items: "Shape"


@dataclass(frozen=True, slots=True)
class Table:
    """A table with these keys."""

    keys: "Mapping[str, Key]"


@dataclass(frozen=True, slots=True)
class Values:
    """A table of names that its author chooses, with what JSON can say."""


@dataclass(frozen=True, slots=True)
class Anything:
    """Not looked at."""


ANYTHING = Anything()
Shape = Text | Number | ListOf | Table | Values | Anything


@dataclass(frozen=True, slots=True)
class Key:
    """One key."""

    about: str
    """One or two sentences for whoever writes a configuration."""
    shape: Shape = ANYTHING
    status: Status = Status.HONOURED
    is_required: bool = False
    default: str = ""
    """What holds if the key is not there, in words; empty: nothing does."""


def not_yet(about: str) -> Key:
    """A key that is understood and has no effect so far."""
    return Key(about, status=Status.NOT_YET)


def without_meaning(about: str) -> Key:
    """A key that has no meaning here."""
    return Key(about, status=Status.WITHOUT_MEANING)
