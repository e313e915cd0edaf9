"""The part of a URL after `?`, decoded as forms are: `+` is a space, escapes are UTF-8, order and repeats are kept.

The same decoding serves urlencoded bodies. See tests/web/test_query.py.
"""

from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import parse_qsl, urlencode

from typing_extensions import override

URLENCODED = "application/x-www-form-urlencoded;charset=UTF-8"


def decoded_pairs(text: str) -> list[tuple[str, str]]:
    """Names and values of urlencoded text, in order."""
    return parse_qsl(text, keep_blank_values=True, errors="replace")


def encoded_pairs(pairs: Iterable[tuple[str, str]]) -> str:
    """Names and values as urlencoded text, in order."""
    return urlencode(list(pairs))


class Query(Mapping[str, str]):
    """Decoded; item access gives the first value."""

    __slots__ = ("_items", "_values")

    def __init__(self, text: str) -> None:
        self._items = decoded_pairs(text) if text else []
        self._values: dict[str, list[str]] = {}
        for name, value in self._items:
            self._values.setdefault(name, []).append(value)

    @override
    def __getitem__(self, name: str) -> str:
        return self._values[name][0]

    @override
    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    @override
    def __len__(self) -> int:
        return len(self._values)

    @override
    def __repr__(self) -> str:
        return f"Query({self._items!r})"

    def get_all(self, name: str) -> list[str]:
        """Every value of the name, in order; [] if there is none."""
        return list(self._values.get(name, ()))

    def multi_items(self) -> list[tuple[str, str]]:
        """Every name and value, in the order of the URL."""
        return list(self._items)

    getAll = get_all
