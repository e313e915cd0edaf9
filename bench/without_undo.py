"""`perdure` that notes nothing to undo: nobody can go back. What bench/undo_cost.py compares with."""

from collections.abc import Iterator, Sequence

from perdure.cli.main import main
from perdure.store import applying
from perdure.store.undo_writing import UndoWriting


class NoUndo(UndoWriting):
    def write_marks(self, position: int) -> Iterator[None]:
        return iter(())

    def write_rows(self, rows: object) -> None: ...

    def page_undo(self, page: object, id: object, before: object, changes: object, after: object) -> list:
        return []

    def write_pages(self, rows: Sequence[object]) -> None: ...


if __name__ == "__main__":
    applying.UndoWriting = NoUndo
    main()
