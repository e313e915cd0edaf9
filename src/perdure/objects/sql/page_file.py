"""One object's SQL database as its connection sees it: pages in the store, under those that the unit has written.

Must stay true: what SQLite writes is private to the unit until `take_changes`, which a sealed entry carries; a unit that is
dropped is dropped with its connection, whose cache holds pages that never were. No file, no lock, no sync: one connection
has the database, and durability is the store's. See tests/objects/sql/test_page_file.py.
"""

from collections.abc import Callable
from contextlib import suppress

import apsw

from perdure.core.page_change import PAGE_BYTES, database_bytes, page_change
from perdure.model.errors import StorageBroken

KEPT_PAGES_MAX = 32
"""Pages that were written and are kept to tell what the next unit changes in them: 128 KiB an open database."""

StoredPage = Callable[[int], bytes | None]


class PageFile:
    """The pages of one database, by their numbers from 0 on."""

    __slots__ = ("_end", "_kept", "_kept_back", "_unit", "bytes_max", "full", "size_bytes", "stored", "written")

    def __init__(self, stored: StoredPage, *, bytes_max: int) -> None:
        """stored: the newest page that a sealed entry made. bytes_max: of the pages that one unit writes."""
        self.bytes_max = bytes_max
        self.size_bytes = 0
        """Of the pages that the unit has written so far."""
        self.written = False
        """There is something to make an entry of."""
        self.full = False
        """The unit was refused a page: it is too large."""
        self.stored = stored
        self._unit: dict[int, bytes] = {}
        self._kept: dict[int, bytes] = {}
        self._kept_back: dict[int, bytes] | None = None
        self._end = 0
        """In pages, where the database ended when a unit last changed that; 0 if it was not looked at."""

    def page(self, number: int) -> bytes | None:
        page = self._unit.get(number)
        if page is None:
            page = self._kept.get(number)
            if page is None:
                page = self.stored(number)
        return page

    def write(self, number: int, page: bytes) -> None:
        """Raises apsw.FullError over `bytes_max`, upon which SQLite rolls back."""
        if number not in self._unit:
            if self.size_bytes + PAGE_BYTES > self.bytes_max:
                self.full = True
                raise apsw.FullError("the unit is too large")
            self.size_bytes += PAGE_BYTES
        self._unit[number] = page
        self.written = True

    def keep_back(self) -> None:
        """What was written so far makes no entry by itself: it waits for the next change."""
        self._kept_back, self.written = dict(self._unit), False

    def drop(self) -> None:
        """Forgets what the unit wrote, and all that its connection might remember."""
        self._unit, self._kept, self._kept_back, self._end = {}, {}, None, 0
        self.size_bytes, self.full, self.written = 0, False, False

    def truncate(self, pages: int) -> None:
        """Drops what the unit wrote beyond; what is stored there is not looked at, as the header says where the end is."""
        beyond = [number for number in self._unit if number >= pages]
        for number in beyond:
            del self._unit[number]
        self.size_bytes -= PAGE_BYTES * len(beyond)

    @property
    def database_bytes(self) -> int:
        return database_bytes(self.page(0))

    def take_changes(self, *, exists: bool = True) -> dict[int, bytes] | None:
        """What the unit changed, for its entry; from now on the next unit writes.

        exists: an entry is made in any case, or there is something that these pages belong to: what was kept back goes too.
        """
        unit = self._unit
        if unit and (0 in unit or max(unit) >= self._end):
            self._end = self.database_bytes // PAGE_BYTES
            self.truncate(self._end)  # SQLite leaves what it wrote early and rolled back
        self._unit, self.size_bytes, self.written = {}, 0, False
        if not exists and self._kept_back is not None and _is_same(self._kept_back, unit):
            self._unit, self.size_bytes = self._kept_back, PAGE_BYTES * len(unit)
            return None
        self._kept_back = None
        changes = {}
        for number, page in unit.items():
            change = page_change(self._before(number), page)
            if change is not None:
                changes[number] = change
        if 0 in changes and len(changes) == 1 and _without_counts(self._before(0)) == _without_counts(unit[0]):
            return None  # rolled back: SQLite has only counted
        self._keep(unit)
        return changes or None

    def _before(self, number: int) -> bytes | None:
        """The page as the last entry made it; None if there is none, or the store cannot say: then all of it is said."""
        page = self._kept.get(number)
        if page is None:
            with suppress(StorageBroken):
                return self.stored(number)
        return page

    def _keep(self, unit: dict[int, bytes]) -> None:
        kept = self._kept
        for number, page in unit.items():
            kept.pop(number, None)
            kept[number] = page
        while len(kept) > KEPT_PAGES_MAX:
            del kept[next(iter(kept))]


def _is_same(before: dict[int, bytes], after: dict[int, bytes]) -> bool:
    """Whether the pages are the same but for the numbers in the header that count the commits."""
    return before.keys() == after.keys() and all(
        before[number] == page if number else _without_counts(before[0]) == _without_counts(page)
        for number, page in after.items()
    )


def _without_counts(first_page: bytes | None) -> bytes | None:
    """Page 0 without its change counter, and the copy of it that says when the size was right."""
    return first_page and first_page[:24] + first_page[28:92] + first_page[96:]
