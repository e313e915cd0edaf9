"""Pages between SQLite and the store: what a unit wrote is its own until it is taken, and a change says only what differs."""

from datetime import UTC, datetime

import apsw
import pytest

from perdure.core.page_change import PAGE_BYTES, changed_page
from perdure.model.errors import StorageBroken
from perdure.objects.sql.page_file import KEPT_PAGES_MAX, PageFile
from perdure.objects.sql.page_vfs import OpenPageFile, PageVfs
from perdure.objects.sql.pool import SqlPool
from tests.objects.sql.shelf import Shelf

FULL_OF_A, FULL_OF_B = b"a" * PAGE_BYTES, b"b" * PAGE_BYTES
NO_BOUND = 1 << 40


def with_byte(page: bytes, at: int, byte: bytes) -> bytes:
    return page[:at] + byte + page[at + 1 :]


def test_a_page_that_the_unit_wrote_hides_the_stored_one_and_the_store_does_not_know_of_it():
    stored = {3: FULL_OF_A}
    file = PageFile(stored.get, bytes_max=NO_BOUND)

    file.write(3, FULL_OF_B)

    assert file.page(3) == FULL_OF_B
    assert stored == {3: FULL_OF_A}
    assert file.page(4) is None


def test_what_is_taken_are_the_blocks_that_differ_from_what_was_stored():
    stored = {0: FULL_OF_A, 3: FULL_OF_A}
    file = PageFile(stored.get, bytes_max=NO_BOUND)
    after = with_byte(FULL_OF_A, 1000, b"!")
    file.write(3, after)

    changes = file.take_changes()

    assert changes is not None
    assert len(changes[3]) < 300
    assert changed_page(FULL_OF_A, [changes[3]]) == after


def test_the_next_units_changes_are_told_against_what_the_last_one_took_though_it_is_not_stored_yet():
    file = PageFile({}.get, bytes_max=NO_BOUND)
    file.write(0, FULL_OF_A)
    first = file.take_changes()
    file.write(0, with_byte(FULL_OF_A, 5, b"!"))

    second = file.take_changes()

    assert first == {0: FULL_OF_A}
    assert second is not None
    assert changed_page(FULL_OF_A, [second[0]]) == with_byte(FULL_OF_A, 5, b"!")
    assert len(second[0]) < 300


def test_a_page_written_as_it_was_is_no_change():
    file = PageFile({0: FULL_OF_A}.get, bytes_max=NO_BOUND)
    file.write(0, FULL_OF_A)

    assert file.take_changes() is None
    assert file.take_changes() is None


def test_a_unit_that_is_dropped_leaves_what_is_stored():
    file = PageFile({0: FULL_OF_A}.get, bytes_max=NO_BOUND)
    file.write(0, FULL_OF_B)

    file.drop()

    assert file.page(0) == FULL_OF_A
    assert file.size_bytes == 0
    assert file.take_changes() is None


def test_a_unit_may_write_so_many_bytes_and_a_page_counts_once_however_often_it_is_written():
    file = PageFile({}.get, bytes_max=2 * PAGE_BYTES)
    for content in (FULL_OF_A, FULL_OF_B, FULL_OF_A):
        file.write(0, content)
    file.write(1, FULL_OF_A)

    with pytest.raises(apsw.FullError):
        file.write(2, FULL_OF_A)

    assert file.full
    assert file.size_bytes == 2 * PAGE_BYTES


def test_what_a_truncation_cuts_off_counts_no_longer():
    file = PageFile({}.get, bytes_max=NO_BOUND)
    for number in range(5):
        file.write(number, FULL_OF_A)

    file.truncate(2)

    assert file.size_bytes == 2 * PAGE_BYTES
    assert set(file.take_changes() or {}) == {0, 1}


def test_few_pages_are_kept_to_compare_with_and_the_others_are_read_again():
    reads: list[int] = []
    stored: dict[int, bytes] = {}

    def read(number: int) -> bytes | None:
        reads.append(number)
        return stored.get(number)

    file = PageFile(read, bytes_max=NO_BOUND)
    for number in range(KEPT_PAGES_MAX + 5):
        file.write(number, FULL_OF_A)
    stored.update(file.take_changes() or {})
    reads.clear()

    for number in range(KEPT_PAGES_MAX + 5):
        file.write(number, FULL_OF_B)
    file.take_changes()

    assert reads == [0, 1, 2, 3, 4]


def test_sqlite_opens_one_file_and_no_other(shelf: Shelf):
    vfs = PageVfs(lambda: 0)

    with pytest.raises(apsw.CantOpenError):
        apsw.Connection("object", vfs=vfs.name)


def test_sqlite_reads_the_clock_of_the_runtime():
    moment = datetime(2031, 2, 3, 4, 5, 6, 789_000, UTC)
    shelf = Shelf(SqlPool(now_ms=lambda: round(moment.timestamp() * 1000)))

    assert shelf.rows("SELECT strftime('%Y-%m-%d %H:%M:%f'), CURRENT_TIMESTAMP, unixepoch()") == [
        ("2031-02-03 04:05:06.789", "2031-02-03 04:05:06", int(moment.timestamp()))
    ]


def test_an_empty_database_has_no_pages_and_one_with_a_table_says_how_large_it_is(shelf: Shelf):
    assert shelf.database.size_bytes == 0
    assert shelf.seal() == {}

    shelf.exec("CREATE TABLE t (a)")

    assert shelf.database.size_bytes == 2 * PAGE_BYTES
    assert len(shelf.seal()) == 2


def test_the_size_of_a_database_leaves_its_free_pages_out(shelf: Shelf):
    shelf.exec("CREATE TABLE t (a); INSERT INTO t VALUES (zeroblob(1000000))")
    shelf.seal()
    large = shelf.database.size_bytes

    shelf.exec("DELETE FROM t")

    assert large > 1_000_000
    assert shelf.database.size_bytes == 2 * PAGE_BYTES


def test_a_small_update_changes_a_few_blocks_of_its_pages(shelf: Shelf):
    shelf.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER, pad TEXT)")
    for n in range(1_000):
        shelf.exec("INSERT INTO t VALUES (?, 0, ?)", n, "x" * 100)
    shelf.seal()

    shelf.exec("UPDATE t SET n = n + 1 WHERE id = 500")

    assert sum(map(len, shelf.seal().values())) < 1_000


def test_a_damaged_page_is_told_as_the_store_tells_it(shelf: Shelf):
    class Damaged(Exception):
        pass

    def fail(number: int) -> None:
        raise Damaged(number)

    shelf.exec("CREATE TABLE t (a)")
    shelf.seal()
    shelf.reset()
    shelf.on_read = fail

    with pytest.raises(Damaged):
        shelf.exec("SELECT * FROM t")


def test_while_a_database_is_closed_nothing_enters_it(shelf: Shelf, monkeypatch: pytest.MonkeyPatch):
    """Closing runs Python, and so may run a finaliser: what it wrote into a new connection would be thrown away."""
    from_inside: list[BaseException] = []

    def finaliser(_file: object) -> None:
        try:
            shelf.exec("INSERT INTO t VALUES (2)")
        except BaseException as error:
            from_inside.append(error)

    shelf.exec("CREATE TABLE t (a)")
    shelf.seal()
    monkeypatch.setattr(OpenPageFile, "xClose", finaliser)
    shelf.database.rest()
    monkeypatch.undo()

    assert "while a statement of the same object runs" in str(from_inside[0])
    assert shelf.rows("SELECT count(*) FROM t") == [(0,)]


def test_a_database_that_is_opened_amid_the_opening_of_another_gets_its_own_file(monkeypatch: pytest.MonkeyPatch):
    """As a finaliser does that uses the SQL of its object, when the collector runs just then."""
    outer = Shelf()
    inner = Shelf(outer.pool)
    for n, shelf in enumerate((outer, inner)):
        shelf.exec("CREATE TABLE t (n); INSERT INTO t VALUES (?)", n)
        shelf.seal()
        shelf.reset()
    full_path = PageVfs.xFullPathname
    read: list[list[tuple[object, ...]]] = []

    def finaliser(self: PageVfs, name: str) -> str:
        if not read:
            read.append([])
            read[0] = inner.rows("SELECT n FROM t")
        return full_path(self, name)

    monkeypatch.setattr(PageVfs, "xFullPathname", finaliser)

    assert outer.rows("SELECT n FROM t") == [(0,)]
    assert read == [[(1,)]]


def test_of_a_page_that_the_store_cannot_say_now_the_change_is_all_of_it():
    def stored(_number: int) -> bytes | None:
        raise StorageBroken(what="the store is being opened anew")

    file = PageFile(stored, bytes_max=NO_BOUND)
    first = bytes(28) + (4).to_bytes(4, "big") + bytes(PAGE_BYTES - 32)  # four pages, as SQLite's header says it
    file.write(0, first)
    file.write(3, FULL_OF_B)

    assert file.take_changes() == {0: first, 3: FULL_OF_B}
