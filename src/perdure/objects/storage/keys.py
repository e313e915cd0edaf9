"""What a key is: text of at most 2,048 bytes in UTF-8, the empty one included (API-29).

All keys of a call are checked before any is written. See tests/objects/test_storage.py.
"""

from collections.abc import Set as AbstractSet
from typing import Any, TypeAlias, TypeGuard

from perdure.model.errors import TooLarge, WrongType
from perdure.model.limits import KEY_BYTES_MAX, KEY_VALUE_BYTES_MAX

Keys: TypeAlias = list[str] | tuple[str, ...] | AbstractSet[str]

# A code point takes at most four bytes, so a shorter key needs no encoding to be known to fit.
_SURELY_FITS = KEY_BYTES_MAX // 4


def check_key(key: Any, where: str) -> None:
    if type(key) is str and len(key) <= _SURELY_FITS and key.isascii():
        return
    if not isinstance(key, str):
        raise WrongType(
            what=f"a key must be a str, not {type(key).__name__}",
            where=where,
            why="keys are ordered as text",
            next_step=f"use str({key!r:.40})" if isinstance(key, int | float) else "use text as the key",
        )
    try:
        size = len(key.encode())
    except UnicodeEncodeError as error:
        raise WrongType(
            what=f"a key may not hold a lone surrogate (at {error.start} of {key!r:.60})",
            where=where,
            why="such text has no UTF-8 form",
            next_step="decode with errors='replace', or store bytes as hex",
        ) from None
    if size > KEY_BYTES_MAX:
        raise TooLarge(
            what=f"the key {key[:40]!r}… has {size:,} bytes",
            where=where,
            why=f"a key is at most {KEY_BYTES_MAX:,} bytes in UTF-8",
            next_step="use a digest of it as key, and keep the long text in the value",
            size=size,
            limit=KEY_BYTES_MAX,
        )


def too_large(key: str, value: bytes, where: str) -> TooLarge:
    """What a row of more than KEY_VALUE_BYTES_MAX is refused with."""
    size = len(key) + len(value)
    return TooLarge(
        what=f"key and value of {key[:40]!r} have {size:,} bytes",
        where=where,
        why=f"together they are at most {KEY_VALUE_BYTES_MAX:,} bytes (2 MiB)",
        next_step="split the value over several keys",
        size=size,
        limit=KEY_VALUE_BYTES_MAX,
    )


def is_many(key: Any) -> TypeGuard[Keys]:
    return isinstance(key, list | tuple | AbstractSet)
