"""Header fields: names are case-insensitive tokens, values never hold CR, LF or NUL, and what was received cannot be
changed.

Whoever writes a message to a connection relies on the first two: no field can end a line or start another. Gates and
caches rely on the third. See tests/web/test_headers.py.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from typing import TypeAlias, cast

from typing_extensions import override

from perdure.model.errors import WrongType

HeadersInit: TypeAlias = Mapping[str, str] | Iterable[tuple[str, str]]

SET_COOKIE = "set-cookie"
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
# What a field value may hold, by the Fetch standard: bytes, so nothing above U+00FF, and nothing that ends a line.
_VALUE = re.compile(r"[^\x00\r\n\u0100-\U0010ffff]*")
_BLANKS = " \t\r\n"


class Headers(MutableMapping[str, str]):
    """Case-insensitive; repeats are joined with ", "; iteration is sorted by lower-cased name.

    A wrong name or value is WrongType; so is any change to headers that were received: copy them first,
    `Headers(request.headers)`. Source: runtime 10.3.
    """

    __slots__ = ("_frozen", "_values")

    def __init__(self, init: HeadersInit = ()) -> None:
        self._frozen = False
        self._values: dict[str, list[str]] = {}
        if isinstance(init, Headers):
            self._values = {name: values.copy() for name, values in init._values.items()}
            return
        if isinstance(init, str | bytes):
            raise WrongType(
                what=f"headers cannot be made of {type(init).__name__}",
                why="each has a name and a value",
                next_step='write {"content-type": "text/html"}',
            )
        pairs = cast("Mapping[str, str]", init).items() if isinstance(init, Mapping) else init
        for name, value in pairs:
            self.append(name, value)

    @staticmethod
    def received(fields: Iterable[tuple[bytes, bytes]]) -> "Headers":
        """Immutable headers of a message whose parser has checked names (lower-case) and values already."""
        headers = Headers.__new__(Headers)
        headers._frozen = True
        values: dict[str, list[str]] = {}
        for raw_name, raw_value in fields:
            name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1").strip(_BLANKS)
            if name in values:
                values[name].append(value)
            else:
                values[name] = [value]
        headers._values = values
        return headers

    @property
    def immutable(self) -> bool:
        return self._frozen

    def frozen(self) -> "Headers":
        """These headers as the receiver of the message sees them: equal, and immutable."""
        if self._frozen:
            return self
        copy = Headers(self)
        copy._frozen = True
        return copy

    def fields(self) -> list[tuple[str, str]]:
        """Every field as it is to be sent, one entry per appended value, in order of first appearance."""
        return [(name, value) for name, values in self._values.items() for value in values]

    @override
    def __getitem__(self, name: str) -> str:
        return ", ".join(self._values[_lower(name)])

    @override
    def __setitem__(self, name: str, value: str) -> None:
        self._refuse_if_frozen()
        self._values[_checked_name(name)] = [_checked_value(name, value)]

    @override
    def __delitem__(self, name: str) -> None:
        self._refuse_if_frozen()
        del self._values[_lower(name)]

    @override
    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._values))

    @override
    def __len__(self) -> int:
        return len(self._values)

    @override
    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._values

    @override
    def __repr__(self) -> str:
        return f"Headers({self.multi_items()!r})"

    def append(self, name: str, value: str) -> None:
        """Add a value beside those that the name has."""
        self._refuse_if_frozen()
        self._values.setdefault(_checked_name(name), []).append(_checked_value(name, value))

    def get_all(self, name: str) -> list[str]:
        """Every value of the name, as it was appended; [] if there is none."""
        return list(self._values.get(_lower(name), ()))

    def multi_items(self) -> list[tuple[str, str]]:
        """One entry per name, sorted, repeats joined; only `set-cookie` has one per value, as it cannot be joined."""
        items: list[tuple[str, str]] = []
        for name in sorted(self._values):
            values = self._values[name]
            items.extend((name, value) for value in (values if name == SET_COOKIE else [", ".join(values)]))
        return items

    def getSetCookie(self) -> list[str]:
        """Every `set-cookie` value."""
        return self.get_all(SET_COOKIE)

    getAll = get_all

    def _refuse_if_frozen(self) -> None:
        if self._frozen:
            raise WrongType(
                what="these headers cannot be changed",
                why="they were received, or are those of a redirect",
                next_step="copy them first: Headers(request.headers)",
            )


def _lower(name: str) -> str:
    if not isinstance(name, str):
        raise WrongType(
            what=f"a header's name is a str, not {type(name).__name__}",
            why="headers are found by their names",
            next_step='write headers["content-type"]',
        )
    return name.lower()


def _checked_name(name: str) -> str:
    if not isinstance(name, str) or _TOKEN.fullmatch(name) is None:
        raise WrongType(what=f"{name!r} cannot name a header", next_step="use letters, digits and - only")
    return name.lower()


def _checked_value(name: str, value: str) -> str:
    if not isinstance(value, str):
        raise WrongType(
            what=f"the header {name!r} cannot be {type(value).__name__}",
            why="a header's value is text",
            next_step=f"write str({value!r}) if that is meant",
        )
    value = value.strip(_BLANKS)
    if _VALUE.fullmatch(value) is None:
        raise WrongType(
            what=f"the header {name!r} cannot be {value!r}",
            why="a value has no line ends, no NUL and no character above U+00FF",
            next_step="percent-encode it",
        )
    return value
