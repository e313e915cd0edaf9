"""Pages of objects' databases for a thread that runs a long statement, beside the loop that serves on.

Must stay true: a page is the newest one although the layers are applied and let go meanwhile, for the layers are asked first
and the tables after them; see `Layers.page_changes`. Nobody writes these pages: the gate of their object is held. See
tests/store/test_pages.py.
"""

import apsw

from perdure.core.layers import Layers
from perdure.core.page_change import changed_page, is_whole
from perdure.store.files import Place, open_background
from perdure.store.reader import Reader
from perdure.store.trouble import failed_read


class PagesElsewhere:
    """Opened at the first page that is not in the layers, on the thread that asks; closed there too."""

    def __init__(self, layers: Layers, place: Place) -> None:
        self._layers = layers
        self._place = place
        self._tables: Reader | None = None

    def page(self, generation: int, number: int) -> bytes | None:
        changes = self._layers.page_changes(generation, number)
        if changes and is_whole(changes[0]):
            return changed_page(None, changes)
        try:
            if self._tables is None:
                self._tables = open_background(self._place)
            return changed_page(self._tables.page(generation, number), changes)
        except apsw.Error as error:
            raise failed_read(error, f"page {number} of the SQL database", str(self._place.folder)) from error

    def close(self) -> None:
        if self._tables is not None:
            self._tables.close()
