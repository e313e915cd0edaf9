"""Where a page of an object's SQL database stands in the table `page`: its generation and its number in one integer.

One integer is the row's own number in SQLite, so that a page is found in three steps of its tree; as a key of two columns
it would stand in the tree's inner nodes as well, eight to a node. See tests/store/test_pages.py.
"""

from typing import Final

NUMBER_BITS: Final = 24
"""A database has at most 16,777,216 pages of 4 KiB, six times the largest that is allowed."""


def page_id(generation: int, number: int) -> int:
    """number: from 0 on."""
    return generation << NUMBER_BITS | number


def page_ids(generation: int) -> tuple[int, int]:
    """The smallest and the greatest of a generation."""
    return page_id(generation, 0), page_id(generation + 1, 0) - 1


def place_of(id: int) -> tuple[int, int]:
    """The generation and the number."""
    return id >> NUMBER_BITS, id & (1 << NUMBER_BITS) - 1
