"""Form data: names with values that are text or files, in the order in which they were added.

As a body it is multipart if it holds a file, else urlencoded, and what is decoded equals what was encoded.
See tests/web/test_form.py.
"""

from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from typing import TypeAlias, cast

from typing_extensions import override

from perdure.model.errors import WrongType

OCTETS = "application/octet-stream"


class File:
    """A file in a form: its bytes, its name and its type. Two files are equal if these are."""

    __slots__ = ("_content", "_content_type", "_name")

    def __init__(self, content: bytes, name: str, *, content_type: str = OCTETS) -> None:
        if not isinstance(content, bytes | bytearray | memoryview):
            raise WrongType(what=f"a file's content is bytes, not {type(content).__name__}", next_step="encode it")
        if not isinstance(name, str):
            raise WrongType(what=f"a file's name is a str, not {type(name).__name__}")
        # Else a type from user input could add part headers of its own.
        if not isinstance(content_type, str) or not content_type.isprintable() or not content_type.isascii():
            raise WrongType(what=f"{content_type!r} is not a content type", next_step="write image/png, for example")
        self._content = bytes(content)
        self._name = name
        self._content_type = content_type

    @property
    def name(self) -> str:
        return self._name

    @property
    def content_type(self) -> str:
        return self._content_type

    @property
    def size(self) -> int:
        """In bytes."""
        return len(self._content)

    @property
    def content(self) -> bytes:
        return self._content

    @override
    def __eq__(self, other: object) -> bool:
        if not isinstance(other, File):
            return NotImplemented
        return (self._name, self._content_type, self._content) == (other._name, other._content_type, other._content)

    @override
    def __hash__(self) -> int:
        return hash((self._name, self._content_type, self._content))

    @override
    def __repr__(self) -> str:
        return f"File({self._name!r}, {self._content_type!r}, {self.size} bytes)"


FormValue: TypeAlias = str | File


class FormData(MutableMapping[str, str | File]):
    """Item access gives the first value. As a body: multipart if it holds a file, else urlencoded."""

    __slots__ = ("_items",)

    def __init__(self, init: Mapping[str, FormValue] | Iterable[tuple[str, FormValue]] = ()) -> None:
        self._items: list[tuple[str, FormValue]] = []
        if isinstance(init, FormData):
            self._items = init._items.copy()
            return
        pairs = cast("Mapping[str, FormValue]", init).items() if isinstance(init, Mapping) else init
        for name, value in pairs:
            self.append(name, value)

    @override
    def __getitem__(self, name: str) -> FormValue:
        for known, value in self._items:
            if known == name:
                return value
        raise KeyError(name)

    @override
    def __setitem__(self, name: str, value: FormValue) -> None:
        """Replace every value of the name, at the place of its first."""
        pair = _checked(name, value)
        at = next((index for index, item in enumerate(self._items) if item[0] == name), len(self._items))
        self._items = [item for index, item in enumerate(self._items) if item[0] != name or index == at]
        self._items[at : at + 1] = [pair]

    @override
    def __delitem__(self, name: str) -> None:
        remaining = [item for item in self._items if item[0] != name]
        if len(remaining) == len(self._items):
            raise KeyError(name)
        self._items = remaining

    @override
    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(name for name, _ in self._items))

    @override
    def __len__(self) -> int:
        return len({name for name, _ in self._items})

    @override
    def __repr__(self) -> str:
        return f"FormData({self._items!r})"

    def append(self, name: str, value: FormValue) -> None:
        """Add a value beside those that the name has."""
        self._items.append(_checked(name, value))

    def get_all(self, name: str) -> list[FormValue]:
        """Every value of the name, in order; [] if there is none."""
        return [value for known, value in self._items if known == name]

    def multi_items(self) -> list[tuple[str, FormValue]]:
        """Every name and value, in order."""
        return list(self._items)

    getAll = get_all


def _checked(name: str, value: FormValue) -> tuple[str, FormValue]:
    if not isinstance(name, str):
        raise WrongType(what=f"a form field's name is a str, not {type(name).__name__}")
    if not isinstance(value, str | File):
        raise WrongType(
            what=f"the form field {name!r} cannot be {type(value).__name__}",
            next_step="use a str, or File(content, name)",
        )
    return name, value
