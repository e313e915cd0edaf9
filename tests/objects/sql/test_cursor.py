"""The rows of a statement: gone through once, held as they were, and locking nothing."""

import pytest

from perdure.model.errors import NotOneRow
from tests.objects.sql.conftest import Inside


@pytest.fixture
def query(inside: Inside):
    """`query(look, text)` gives what `look` makes of the cursor of `text`, over a table of three rows."""

    def query(look, text="SELECT n, word FROM t ORDER BY n"):
        def step(storage):
            storage.sql.exec("DROP TABLE IF EXISTS t; CREATE TABLE t (n, word)")
            storage.sql.exec("INSERT INTO t VALUES (1, 'one'), (2, 'two'), (3, 'three')")
            return look(storage.sql.exec(text))

        return inside(step)

    return query


def test_rows_are_dicts_by_column_names(query):
    rows = query(list)

    assert rows[0] == {"n": 1, "word": "one"}
    assert (rows[1]["word"], rows[1].word, rows[1].n) == ("two", "two", 2)
    assert isinstance(rows[0], dict)


def test_a_column_that_there_is_not_is_told_with_those_there_are(query):
    row = query(next)

    with pytest.raises(AttributeError, match="no column 'words'; it has n, word"):
        _ = row.words
    with pytest.raises(KeyError):
        _ = row["words"]


def test_of_equal_names_the_last_one_wins_and_raw_keeps_both(query):
    twice = "SELECT 1 AS a, 2 AS a"

    assert query(next, twice) == {"a": 2}
    assert query(lambda cursor: next(cursor.raw()), twice) == (1, 2)
    assert query(lambda cursor: cursor.column_names, twice) == ("a", "a")


def test_it_is_gone_through_once(query):
    assert query(lambda cursor: (len(list(cursor)), list(cursor), next(cursor, "end"))) == (3, [], "end")


def test_to_list_gives_what_is_left(query):
    assert query(lambda cursor: (next(cursor).n, [row.n for row in cursor.to_list()], cursor.to_list())) == (
        1,
        [2, 3],
        [],
    )


def test_raw_shares_the_place(query):
    def look(cursor):
        raw = cursor.raw()
        return next(raw), next(cursor).n, raw.to_list(), cursor.to_list()

    assert query(look) == ((1, "one"), 2, [(3, "three")], [])


def test_one_is_the_only_row_left(query):
    def look(cursor):
        next(cursor), next(cursor)
        return cursor.one().n, cursor.to_list()

    assert query(look) == (3, [])


@pytest.mark.parametrize(
    ("where", "told"), [("n > 5", "one() found no row"), ("n > 1", "one() found 2 rows"), ("1", "one() found 3 rows")]
)
def test_one_of_none_or_several_is_an_error_that_names_the_other_ways(query, where, told):
    with pytest.raises(NotOneRow) as raised:
        query(lambda cursor: cursor.one(), f"SELECT n FROM t WHERE {where}")

    assert str(raised.value).startswith(told)
    assert "first()" in str(raised.value)


def test_first_is_the_next_row_or_none_and_ends_the_cursor(query):
    assert query(lambda cursor: (cursor.first().n, cursor.first(), cursor.to_list())) == (1, None, [])
    assert query(lambda cursor: cursor.first(), "SELECT n FROM t WHERE n = 9") is None


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("SELECT n, word, n + 1 FROM t", ("n", "word", "n + 1")),
        ("SELECT n AS x, word FROM t WHERE n = 99", ("x", "word")),
        ("INSERT INTO t VALUES (4, 'four')", ()),
        ("UPDATE t SET n = 5 WHERE n = 99 RETURNING n, word AS w", ("n", "w")),
        ("DELETE FROM t RETURNING n", ("n",)),
        ("CREATE TABLE u (a)", ()),
        ("PRAGMA foreign_key_check", ("table", "rowid", "parent", "fkid")),
        ("WITH c AS (SELECT 1 AS a) SELECT * FROM c WHERE a > 1", ("a",)),
        ("INSERT INTO t VALUES (7, 'seven'); SELECT n FROM t WHERE n = 99", ("n",)),
    ],
)
def test_the_columns_are_named_whether_there_are_rows_or_not(query, text, names):
    def look(cursor):
        before = cursor.column_names
        list(cursor)
        return before, cursor.column_names, cursor.raw().columnNames

    assert query(look, text) == (names, names, names)


def test_rows_read_and_written_are_told(query):
    def look(cursor):
        return cursor.rows_read, cursor.rows_written, cursor.rowsRead, cursor.rowsWritten

    assert query(look) == (3, 0, 3, 0)
    assert query(look, "UPDATE t SET n = n + 1 WHERE n > 1") == (0, 2, 0, 2)
    assert query(look, "DELETE FROM t RETURNING n") == (3, 3, 3, 3)


def test_next_and_to_array_are_as_javascripts(query):
    def look(cursor):
        step = cursor.next()
        rest = cursor.toArray()
        end = cursor.next()
        return (step.done, step.value.n), len(rest), (end.done, end.value), cursor.next().done

    assert query(look) == ((False, 1), 2, (True, None), True)


def test_it_holds_the_rows_as_they_were_whatever_is_written_later(inside: Inside):
    def step(storage):
        storage.sql.exec("CREATE TABLE t (n); INSERT INTO t VALUES (1), (2)")
        cursor = storage.sql.exec("SELECT n FROM t")
        first = next(cursor)
        storage.sql.exec("UPDATE t SET n = 9")
        storage.sql.exec("DROP TABLE t")
        return first.n, next(cursor).n, cursor.column_names

    assert inside(step) == (1, 2, ("n",))


def test_it_outlives_its_step_and_the_data(inside: Inside):
    kept = []

    def open_it(storage):
        storage.sql.exec("CREATE TABLE t (n); INSERT INTO t VALUES (1)")
        kept.append(storage.sql.exec("SELECT n FROM t"))
        kept.append(storage.sql.exec("SELECT n FROM t WHERE n = 99"))

    def drop_all(storage):
        storage.delete_all()

    inside(open_it, drop_all)

    assert kept[0].to_list() == [{"n": 1}]
    assert kept[1].column_names == ("n",)


def test_two_cursors_of_one_text_do_not_disturb_each_other(inside: Inside):
    def step(storage):
        storage.sql.exec("CREATE TABLE t (n); INSERT INTO t VALUES (1), (2)")
        one, other = storage.sql.exec("SELECT n FROM t"), storage.sql.exec("SELECT n FROM t")
        return [(a.n, b.n) for a, b in zip(one, other, strict=True)]

    assert inside(step) == [(1, 1), (2, 2)]


def test_it_shows_how_far_it_is(query):
    def look(cursor):
        next(cursor)
        return repr(cursor)

    assert query(look) == "<Cursor of 3 rows, 2 left>"
