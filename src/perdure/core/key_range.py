"""A range of keys, as `list` understands its options: ordered by UTF-8 bytes, `start` inclusive, `end` exclusive.

Python compares strings by code point, SQLite compares UTF-8 bytes, and the two orders are the same as long as no key holds a
lone surrogate, which storage refuses. So a bound is a `str` everywhere. See tests/core/test_key_range.py.
"""

from collections.abc import Iterable
from dataclasses import dataclass

_LAST_CODE_POINT = 0x10FFFF
_BEFORE_SURROGATES, _AFTER_SURROGATES = 0xD7FF, 0xE000


def after_prefix(prefix: str) -> str | None:
    """The smallest string above every string that begins with `prefix`; None if there is none."""
    while prefix:
        last = ord(prefix[-1])
        if last < _LAST_CODE_POINT:
            successor = _AFTER_SURROGATES if last == _BEFORE_SURROGATES else last + 1
            return prefix[:-1] + chr(successor)
        prefix = prefix[:-1]
    return None


@dataclass(frozen=True, slots=True)
class KeyRange:
    """Keys k with lower <= k < upper (no upper: no bound), in order or reversed, at most `limit` of them."""

    lower: str = ""
    upper: str | None = None
    reverse: bool = False
    limit: int | None = None

    @property
    def empty(self) -> bool:
        return self.upper is not None and self.upper <= self.lower

    def __contains__(self, key: str) -> bool:
        return key >= self.lower and (self.upper is None or key < self.upper)

    def select(self, keys: Iterable[str]) -> list[str]:
        """Those of `keys` that this range lists, in its order: what `list` means, said plainly."""
        chosen = sorted((key for key in keys if key in self), reverse=self.reverse)
        return chosen if self.limit is None else chosen[: self.limit]

    @staticmethod
    def of(
        *,
        start: str | None = None,
        start_after: str | None = None,
        end: str | None = None,
        prefix: str | None = None,
        reverse: bool = False,
        limit: int | None = None,
    ) -> "KeyRange":
        """The range that these options of `list` describe; the caller has refused contradictory ones."""
        lower = start if start is not None else (start_after + "\0" if start_after is not None else "")
        upper = end
        if prefix:
            lower = max(lower, prefix)
            beyond = after_prefix(prefix)
            if beyond is not None:
                upper = beyond if upper is None else min(upper, beyond)
        return KeyRange(lower, upper, reverse, limit)
