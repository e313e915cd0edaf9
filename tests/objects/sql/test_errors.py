"""What goes wrong in a statement, as the object's code is told: SQLite's words and code, where in the text, and what to do."""

import datetime
import decimal
import uuid
from collections.abc import Iterator

import pytest

from perdure.model.errors import (
    ConstraintFailed,
    ResultTooLarge,
    SqlError,
    SqlInterrupted,
    StorageFull,
    UnitTooLarge,
    WrongType,
    WrongValue,
)
from perdure.model.limits import Limits
from perdure.objects.sql import pool as sql_pool
from perdure.objects.sql.pool import SqlPool
from tests.objects.sql.conftest import Inside
from tests.objects.sql.shelf import Shelf

COUNTING = "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < {}) "


def failed(shelf: Shelf, text: str, *bindings: object) -> SqlError:
    with pytest.raises(SqlError) as raised:
        shelf.exec(text, *bindings)
    return raised.value


def test_an_error_says_what_where_why_and_what_to_do(shelf: Shelf):
    error = failed(shelf, "SELECT a,\n  b FROM missing")

    assert str(error) == (
        "no such table: missing: SQLITE_ERROR (Room/x): SQLITE_ERROR in `SELECT a, b FROM missing`; only this statement was"
        " undone; what the step wrote before it stays"
    )
    assert (error.sqlite_code, error.offset, error.statement) == ("SQLITE_ERROR", None, "SELECT a,\n  b FROM missing")
    assert not error.retryable


@pytest.mark.parametrize(
    ("text", "offset"),
    [
        ("SELEC 1", 0),
        ("SELECT 1 +", None),
        ("SELECT 'é', nosuch", 13),
        ("SELECT 1, (2))", 13),
        ("SELECT 1; SELECT x", 8),
    ],
)
def test_the_offset_is_in_bytes_of_the_statement(shelf: Shelf, text, offset):
    error = failed(shelf, text)

    assert error.offset == offset
    assert ("at offset" in str(error)) == (offset is not None)
    if offset is not None:
        assert error.statement.encode()[offset:] in text.encode()


def test_a_long_statement_is_shown_by_its_beginning_and_known_in_full(shelf: Shelf):
    text = "SELECT nosuch, '" + "x" * 5_000 + "'"

    error = failed(shelf, text)

    assert len(str(error)) < 600
    assert error.statement == text


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("INSERT INTO t VALUES (1, 1, 1)", "SQLITE_CONSTRAINT_PRIMARYKEY"),
        ("INSERT INTO t VALUES (2, 1, 1)", "SQLITE_CONSTRAINT_UNIQUE"),
        ("INSERT INTO t VALUES (2, 2, NULL)", "SQLITE_CONSTRAINT_NOTNULL"),
        ("INSERT INTO t VALUES (2, -2, 2)", "SQLITE_CONSTRAINT_CHECK"),
        ("INSERT INTO child VALUES (77)", "SQLITE_CONSTRAINT_FOREIGNKEY"),
        ("INSERT INTO raises VALUES (1)", "SQLITE_CONSTRAINT_TRIGGER"),
    ],
)
def test_a_broken_constraint_undoes_its_statement_alone(shelf: Shelf, text, code):
    shelf.exec("""
        CREATE TABLE t (id INTEGER PRIMARY KEY, u UNIQUE CHECK (u > 0), n NOT NULL);
        CREATE TABLE child (t REFERENCES t); CREATE TABLE raises (a);
        CREATE TRIGGER no BEFORE INSERT ON raises BEGIN SELECT RAISE(ABORT, 'told by a trigger'); END;
        INSERT INTO t VALUES (1, 1, 1);""")  # fmt: skip

    error = failed(shelf, text)

    assert isinstance(error, ConstraintFailed)
    assert error.sqlite_code == code
    assert not error.object_reset
    shelf.seal()
    assert shelf.rows("SELECT * FROM t") == [(1, 1, 1)]


def test_a_statement_over_many_rows_is_undone_whole(shelf: Shelf):
    shelf.exec("CREATE TABLE t (a UNIQUE); INSERT INTO t VALUES (5)")

    with pytest.raises(ConstraintFailed):
        shelf.exec(COUNTING.format(10) + "INSERT INTO t SELECT i FROM c")

    assert shelf.rows("SELECT a FROM t") == [(5,)]


@pytest.mark.parametrize(
    "text",
    [
        "INSERT OR ROLLBACK INTO t VALUES (1)",
        "INSERT INTO u VALUES (1)",
        "INSERT INTO v VALUES (1)",
    ],
)
def test_what_rolls_back_all_that_the_step_wrote_resets_the_object(shelf: Shelf, text):
    shelf.exec("""
        CREATE TABLE t (a UNIQUE); CREATE TABLE u (a UNIQUE ON CONFLICT ROLLBACK); CREATE TABLE v (a);
        CREATE TRIGGER g AFTER INSERT ON v BEGIN SELECT RAISE(ROLLBACK, 'all of it'); END;
        INSERT INTO t VALUES (1); INSERT INTO u VALUES (1)""")  # fmt: skip
    shelf.seal()
    shelf.exec("INSERT INTO t VALUES (2)")

    error = failed(shelf, text)

    assert error.object_reset
    assert "rolled back all that the step wrote" in str(error)
    assert "what the step wrote before it stays" not in str(error)


def test_a_deferred_constraint_that_is_still_broken_when_the_step_ends_says_so(shelf: Shelf):
    shelf.exec("CREATE TABLE a (id INTEGER PRIMARY KEY)")
    shelf.exec("CREATE TABLE b (a REFERENCES a DEFERRABLE INITIALLY DEFERRED); INSERT INTO b VALUES (5)")

    with pytest.raises(ConstraintFailed) as raised:
        shelf.seal()

    assert raised.value.object_reset
    assert str(raised.value) == (
        "FOREIGN KEY constraint failed: SQLITE_CONSTRAINT_FOREIGNKEY (Room/x): what the step wrote could not be committed"
        " when it ended: all of it was dropped, and the object was reset; let the step end with whole data: `PRAGMA"
        " foreign_key_check` shows the rows that are not"
    )


def test_many_rows_that_take_too_long_reset_the_object(shelf: Shelf):
    shelf.exec("CREATE TABLE t (a)")
    slow = COUNTING.format(10**9) + "INSERT INTO t SELECT i + ? FROM c"

    with pytest.raises(SqlInterrupted) as raised:
        shelf.database.exec_many(slow, [(1,), (2,)], seconds_max=0.02)

    assert raised.value.object_reset


def test_a_read_that_takes_too_long_is_interrupted_and_undoes_nothing(shelf: Shelf):
    shelf.exec("CREATE TABLE t (a); INSERT INTO t VALUES (1)")

    with pytest.raises(SqlInterrupted) as raised:
        shelf.exec(COUNTING.format(10**9) + "SELECT count(*) FROM c", seconds_max=0.02)

    assert isinstance(raised.value, TimeoutError)
    assert "EXPLAIN QUERY PLAN" in str(raised.value)
    assert not raised.value.object_reset
    assert shelf.rows("SELECT a FROM t") == [(1,)]


def test_a_write_that_takes_too_long_is_interrupted_and_resets_the_object(shelf: Shelf):
    shelf.exec("CREATE TABLE t (a); INSERT INTO t VALUES (1)")

    with pytest.raises(SqlInterrupted) as raised:
        shelf.exec(COUNTING.format(10**9) + "INSERT INTO t SELECT i FROM c", seconds_max=0.02)

    assert raised.value.object_reset


def test_the_limit_of_time_is_the_classs(inside: Inside):
    with pytest.raises(SqlInterrupted):
        inside(
            lambda storage: storage.sql.exec(COUNTING.format(10**9) + "SELECT count(*) FROM c"),
            limits=Limits(sql=datetime.timedelta(milliseconds=20)),
        )


# Limits of size

LIMITED = [
    ("SELECT zeroblob(2097153)", "SQLITE_TOOBIG"),
    ("SELECT '" + "x" * 100_000 + "'", "SQLITE_TOOBIG"),
    (f"CREATE TABLE u ({', '.join(f'c{n}' for n in range(101))})", "SQLITE_ERROR"),
    (f"SELECT {', '.join(['1'] * 101)}", "SQLITE_ERROR"),
    ("SELECT " + "1 + (" * 100 + "1" + ")" * 100, "SQLITE_ERROR"),
    (" UNION ALL ".join(["SELECT a FROM t"] * 501), "SQLITE_ERROR"),
    (f"SELECT max({', '.join(['1'] * 33)})", "SQLITE_ERROR"),
    ("SELECT ?32767", "SQLITE_ERROR"),
]


@pytest.mark.parametrize(("text", "code"), LIMITED, ids=[text[:30] for text, _ in LIMITED])
def test_over_a_limit_of_sqlites_the_statement_is_refused(shelf: Shelf, text, code):
    shelf.exec("CREATE TABLE t (a)")

    error = failed(shelf, text)

    assert error.sqlite_code == code
    assert not error.object_reset


@pytest.mark.parametrize(
    "text",
    [
        "SELECT length(zeroblob(2097152))",
        "SELECT '" + "x" * 99_980 + "'",
        f"CREATE TABLE u ({', '.join(f'c{n}' for n in range(100))})",
        f"SELECT {', '.join(['1'] * 100)}",
        " UNION ALL ".join(["SELECT a FROM t"] * 500),
        f"SELECT max({', '.join(['1'] * 32)})",
    ],
    ids=lambda text: text[:30],
)
def test_at_a_limit_of_sqlites_it_runs(shelf: Shelf, text):
    shelf.exec("CREATE TABLE t (a)")

    shelf.exec(text)


def test_a_pattern_of_50_000_bytes_matches_and_a_longer_one_is_refused(shelf: Shelf):
    assert shelf.rows("SELECT ? LIKE ?", "x" * 499, "x" * 499 + "%") == [(1,)]
    assert "LIKE or GLOB pattern too complex" in str(failed(shelf, "SELECT 'x' LIKE ?", "x" * 501))


def test_32_766_values_are_bound(shelf: Shelf):
    text = f"SELECT count(*) FROM (VALUES {', '.join(['(?)'] * 3_000)})"

    assert shelf.rows(text, *range(3_000)) == [(3_000,)]


@pytest.mark.parametrize(
    ("query", "bytes_max"),
    [
        ("SELECT ?", 900),
        (COUNTING.format(20) + "SELECT ? FROM c", 10_000),
        (COUNTING.format(1000) + "SELECT i, ? FROM c", 500_000),
    ],
)
def test_rows_over_the_classs_limit_are_refused_however_many_they_are(inside: Inside, query, bytes_max):
    with pytest.raises(ResultTooLarge, match="LIMIT") as raised:
        inside(lambda storage: storage.sql.exec(query, "x" * 1_000), limits=Limits(result_bytes=bytes_max))

    assert raised.value.size > raised.value.limit == bytes_max


def test_rows_within_the_limit_are_given(inside: Inside):
    def step(storage):
        return len(storage.sql.exec(COUNTING.format(100) + "SELECT ? FROM c", "x" * 1_000).to_list())

    assert inside(step, limits=Limits(result_bytes=120_000)) == 100


def test_one_row_of_many_large_values_is_counted_too(shelf: Shelf):
    columns = ", ".join(["zeroblob(2000000)"] * 40)

    with pytest.raises(ResultTooLarge):
        shelf.database.exec(f"SELECT {columns}", (), bytes_max=64 * 1024 * 1024)


def test_a_result_that_was_too_large_locks_nothing_while_its_error_is_handled(shelf: Shelf):
    shelf.exec("CREATE TABLE t (a)")
    shelf.exec(COUNTING.format(1000) + "INSERT INTO t SELECT i FROM c")
    try:
        shelf.database.exec("SELECT a FROM t", (), bytes_max=100)
    except ResultTooLarge:
        shelf.exec("DROP TABLE t")

    assert shelf.rows("SELECT count(*) FROM sqlite_schema") == [(0,)]


def test_a_unit_over_64_mib_resets_the_object(shelf: Shelf):
    shelf.exec("CREATE TABLE t (a)")
    shelf.seal()

    with pytest.raises(UnitTooLarge, match="sync") as raised:
        shelf.exec(COUNTING.format(40) + "INSERT INTO t SELECT zeroblob(2000000) FROM c")
        shelf.seal()

    assert raised.value.object_reset
    shelf.reset()
    assert shelf.rows("SELECT count(*) FROM t") == [(0,)]


def test_a_full_database_resets_the_object(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sql_pool, "_SETTINGS", sql_pool._SETTINGS.replace(str(sql_pool.DATABASE_PAGES_MAX), "10"))
    shelf = Shelf(SqlPool(now_ms=lambda: 0))
    shelf.exec("CREATE TABLE t (a)")
    shelf.seal()

    with pytest.raises(StorageFull, match="10 GB") as raised:
        shelf.exec("INSERT INTO t VALUES (zeroblob(100000))")

    assert raised.value.object_reset
    shelf.reset()
    assert shelf.rows("SELECT count(*) FROM t") == [(0,)]


# Values that do not fit


@pytest.mark.parametrize(
    ("value", "name", "shown"),
    [
        (datetime.datetime(2030, 1, 1), "datetime", "value.isoformat()"),
        (datetime.date(2030, 1, 1), "date", "value.isoformat()"),
        (datetime.timedelta(1), "timedelta", "value.total_seconds()"),
        (decimal.Decimal(1), "Decimal", "str(value)"),
        (uuid.UUID(int=1), "UUID", "str(value)"),
        ((1, 2), "tuple", "exec(query, *values)"),
        ([1, 2], "list", "exec(query, *values)"),
        ({"a": 1}, "dict", "exec(query, **values)"),
        (object(), "object", "json.dumps(value)"),
        (1 + 2j, "complex", "str(value)"),
    ],
)
def test_a_value_that_sqlite_does_not_have_is_shown_how_to_give(shelf: Shelf, value, name, shown):
    with pytest.raises(WrongType) as raised:
        shelf.exec("SELECT ?, ?", 1, value)

    assert str(raised.value).startswith(f"value 2 is of type {name}, which SQLite does not have")
    assert shown in str(raised.value)


def test_the_same_by_name(inside: Inside):
    with pytest.raises(WrongType, match=r"of type datetime.*isoformat"):
        inside(lambda storage: storage.sql.exec("SELECT :at", at=datetime.datetime(2030, 1, 1)))


def test_text_that_is_no_unicode_and_bytes_with_gaps_are_refused(shelf: Shelf):
    with pytest.raises(WrongValue, match="lone surrogate"):
        shelf.exec("SELECT ?", "\ud800")
    with pytest.raises(WrongValue, match="lone surrogate"):
        shelf.exec("SELECT '\ud800'")
    with pytest.raises(WrongValue, match="bytes"):
        shelf.exec("SELECT ?", memoryview(b"abcdef")[::2])


@pytest.mark.parametrize("text", ["SELECT 1\0", "SELECT 1; \0 SELECT 2", "\0"])
def test_a_statement_with_a_nul_is_refused(inside: Inside, text):
    with pytest.raises(WrongValue, match="NUL"):
        inside(lambda storage: storage.sql.exec(text))
    with pytest.raises(WrongValue, match="NUL"):
        inside(lambda storage: storage.sql.exec_many(text, []))


def test_text_in_the_database_that_is_no_unicode_is_told_with_the_way_to_read_it(shelf: Shelf):
    with pytest.raises(WrongValue, match="CAST"):
        shelf.exec("SELECT CAST(x'ff' AS TEXT)")

    assert shelf.rows("SELECT CAST(CAST(x'ff' AS TEXT) AS BLOB)") == [(b"\xff",)]


def test_after_an_error_the_next_statement_runs(shelf: Shelf):
    def errors() -> Iterator[tuple[str, tuple[object, ...]]]:
        yield "SELECT nosuch", ()
        yield "SELECT ?", (object(),)
        yield "SELECT ?", (2**70,)
        yield "SELECT abs(-9223372036854775808)", ()
        yield "SELECT sqlite_version()", ()

    for text, bindings in errors():
        with pytest.raises((SqlError, WrongType, OverflowError)):
            shelf.exec(text, *bindings)
        assert shelf.rows("SELECT 1") == [(1,)]
