"""A database by itself: its pages lie in a dict, as sealed entries would have made them."""

from typing import Any

from perdure.core.page_change import changed_page
from perdure.objects.sql.connection import Result
from perdure.objects.sql.database import Database
from perdure.objects.sql.pool import SqlPool


class Shelf:
    """One object's database, its sealed pages, and what a test does to them."""

    def __init__(self, pool: SqlPool | None = None, *, kind: type[Database] = Database) -> None:
        self.pool = pool or SqlPool(now_ms=lambda: 0)
        self.kind = kind
        self.pages: dict[int, bytes] = {}
        self.on_read = lambda number: None
        """Called with the number of each page that is read."""
        self.database = kind("Room/x", self.stored, self.pool)

    def stored(self, number: int) -> bytes | None:
        self.on_read(number)
        return self.pages.get(number)

    def exec(self, text: str, *bindings: Any, depth: int = 0, seconds_max: float = 60.0) -> Result:
        return self.database.exec(text, bindings, depth=depth, seconds_max=seconds_max)

    def rows(self, text: str, *bindings: Any) -> list[tuple[Any, ...]]:
        return self.exec(text, *bindings).rows

    def seal(self) -> dict[int, bytes]:
        """Ends the step; gives what its entry would hold."""
        changes = self.database.take_changes() or {}
        for number, change in changes.items():
            page = changed_page(self.pages.get(number), [change])
            assert page is not None
            self.pages[number] = page
        return changes

    def reset(self) -> None:
        """What a reset does: the instance's database ends, and the next instance has another."""
        self.database.close()
        self.database = self.kind("Room/x", self.stored, self.pool)
