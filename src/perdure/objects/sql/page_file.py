"""One object's SQL database as its connection sees it: pages in the store, under those that the unit has written.

Must stay true: what SQLite writes is private to the unit until `take_changes`, which a sealed entry carries; a unit that is
dropped is dropped with its connection, whose cache holds pages that never were. No file, no lock, no sync: one connection
has the database, and durability is the store's. See tests/objects/sql/test_page_file.py.
"""

from collections.abc import Callable

import apsw

from perdure.core.page_change import PAGE_BYTES, database_bytes, page_change

KEPT_PAGES_MAX = 32
"""Pages that were written and are kept to tell what the next unit changes in them: 128 KiB an open database."""

StoredPage = Callable[[int], bytes | None]


class PageFile:
    """The pages of one database, by their numbers from 0 on."""

    __slots__ = ("_kept", "_unit", "bytes_max", "full", "size_bytes", "stored")

    def __init__(self, stored: StoredPage, *, bytes_max: int) -> None:
        """stored: the newest page that a sealed entry made. bytes_max: of the pages that one unit writes."""
        self.bytes_max = bytes_max
        self.size_bytes = 0
        """Of the pages that the unit has written so far."""
        self.full = False
        """The unit was refused a page: it is too large."""
        self.stored = stored
        self._unit: dict[int, bytes] = {}
        self._kept: dict[int, bytes] = {}

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

    def drop(self) -> None:
        """Forgets what the unit wrote, and all that its connection might remember."""
        self._unit, self._kept, self.size_bytes, self.full = {}, {}, 0, False

    def truncate(self, pages: int) -> None:
        """Drops what the unit wrote beyond; what is stored there is not looked at, as the header says where the end is."""
        beyond = [number for number in self._unit if number >= pages]
        for number in beyond:
            del self._unit[number]
        self.size_bytes -= PAGE_BYTES * len(beyond)

    @property
    def database_bytes(self) -> int:
        return database_bytes(self.page(0))

    def take_changes(self) -> dict[int, bytes] | None:
        """What the unit changed, for its entry; from now on the next unit writes."""
        if not self._unit:
            return None
        unit, self._unit, self.size_bytes = self._unit, {}, 0
        kept = self._kept
        changes: dict[int, bytes] = {}
        for number, page in unit.items():
            before = kept.pop(number, None) or self.stored(number)
            change = page_change(before, page)
            if change is not None:
                changes[number] = change
            kept[number] = page
        while len(kept) > KEPT_PAGES_MAX:
            del kept[next(iter(kept))]
        return changes or None
