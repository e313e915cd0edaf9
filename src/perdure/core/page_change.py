"""What changed in a page: the whole page, or only those of its blocks that differ from what it was.

A small write to an object's SQL database touches some hundred bytes of a page of 4 KiB; its change is what the log holds. A
change says what its blocks are, not how they differ: making it a second time does nothing, and so does making an old
one again with all that followed it. Recovery and apply rest on that. See tests/core/test_page_change.py.
"""

from collections.abc import Iterable
from typing import Final

PAGE_BYTES: Final = 4096
"""Of a page of an object's SQL database."""

BLOCK_BYTES: Final = 128
"""A write to SQLite's b-tree changes a cell, its place in the page's directory, and the header: two or three blocks."""

_MAP_BYTES = PAGE_BYTES // BLOCK_BYTES // 8
_BLOCKS_MAX = PAGE_BYTES // BLOCK_BYTES - 2
_STRETCH_BYTES = 4 * BLOCK_BYTES
"""Most of a page is as it was: asked in long stretches, that takes half the time."""
_STRETCHES: Final = tuple(
    (
        slice(stretch, stretch + _STRETCH_BYTES),
        tuple(
            (1 << start // BLOCK_BYTES, slice(start, start + BLOCK_BYTES))
            for start in range(stretch, stretch + _STRETCH_BYTES, BLOCK_BYTES)
        ),
    )
    for stretch in range(0, PAGE_BYTES, _STRETCH_BYTES)
)
"""Where each is, with the bits and places of its blocks: made once, as every write to a database asks for all of them."""
_ZEROS = bytes(PAGE_BYTES)


def page_change(before: bytes | None, after: bytes) -> bytes | None:
    """What makes `after` of `before` (None: there was no page), for `changed_page`; None if they are equal.

    Both are PAGE_BYTES long.
    """
    if before is None:
        return after
    numbers = 0
    blocks: list[bytes] = []
    for stretch, places in _STRETCHES:
        if before[stretch] != after[stretch]:
            for bit, place in places:
                block = after[place]
                if before[place] != block:
                    numbers |= bit
                    blocks.append(block)
    if not blocks:
        return None
    if len(blocks) > _BLOCKS_MAX:
        return after
    return numbers.to_bytes(_MAP_BYTES, "big") + b"".join(blocks)


def is_whole(change: bytes) -> bool:
    """Whether the change says all of the page, so that what the page was doesn't matter."""
    return len(change) == PAGE_BYTES


def changed_page(before: bytes | None, changes: Iterable[bytes]) -> bytes | None:
    """The page after these changes, oldest first; a page that was not there is taken to have been zeros."""
    page = before
    edited: bytearray | None = None
    for change in changes:
        if len(change) == PAGE_BYTES:
            page, edited = change, None
            continue
        if edited is None:
            edited = bytearray(_ZEROS if page is None else page)
        numbers = int.from_bytes(change[:_MAP_BYTES], "big")
        at = _MAP_BYTES
        while numbers:
            lowest = numbers & -numbers
            start = (lowest.bit_length() - 1) * BLOCK_BYTES
            edited[start : start + BLOCK_BYTES] = change[at : at + BLOCK_BYTES]
            at += BLOCK_BYTES
            numbers ^= lowest
    return page if edited is None else bytes(edited)


def merged_change(changes: Iterable[bytes]) -> bytes:
    """One change that does what these do one after the other, of which there is at least one."""
    blocks: dict[int, bytes] = {}
    whole: bytes | None = None
    for change in changes:
        if len(change) == PAGE_BYTES:
            whole, blocks = change, {}
            continue
        numbers = int.from_bytes(change[:_MAP_BYTES], "big")
        at = _MAP_BYTES
        while numbers:
            lowest = numbers & -numbers
            blocks[lowest] = change[at : at + BLOCK_BYTES]
            at += BLOCK_BYTES
            numbers ^= lowest
    if whole is not None or len(blocks) == PAGE_BYTES // BLOCK_BYTES:
        page = changed_page(whole, [_change_of(blocks)]) if blocks else whole
        assert page is not None, "a page without bytes"
        return page
    return _change_of(blocks)


def _change_of(blocks: dict[int, bytes]) -> bytes:
    return sum(blocks).to_bytes(_MAP_BYTES, "big") + b"".join(blocks[number] for number in sorted(blocks))


def database_bytes(first_page: bytes | None) -> int:
    """How large an SQLite database with this page 0 is; its header says the number of pages."""
    return 0 if first_page is None else int.from_bytes(first_page[28:32], "big") * PAGE_BYTES
