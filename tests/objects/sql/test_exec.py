"""What `ctx.storage.sql.exec` and `exec_many` run: several statements, values by place and by name, all of SQLite's SQL."""

import enum

import pytest

from perdure.model.errors import ConstraintFailed, IntOutOfRange, SqlError, WrongType, WrongValue
from perdure.objects.sql.statements import statements_of
from tests.objects.sql.conftest import Inside


def values(sql, query, /, *bindings, **named):
    return sql.exec(query, *bindings, **named).raw().to_list()


def test_of_several_statements_the_last_one_takes_the_values_and_gives_the_rows(inside: Inside):
    def step(storage):
        return values(
            storage.sql,
            """CREATE TABLE t (a, b);
            INSERT INTO t VALUES (1, ';'), (2, 'two'); -- a comment; with a semicolon
            SELECT 'rows of another';
            SELECT a FROM t WHERE b = ?;  """,
            "two",
        )

    assert inside(step) == [(2,)]


def test_a_trigger_is_one_statement_with_its_semicolons(inside: Inside):
    def step(storage):
        storage.sql.exec("""
            CREATE TABLE t (a); CREATE TABLE log (a);
            CREATE TRIGGER noted AFTER INSERT ON t BEGIN
                INSERT INTO log VALUES (CASE WHEN new.a > 1 THEN 'many' ELSE 'one' END);
                INSERT INTO log VALUES ('; END;');
            END;
            INSERT INTO t VALUES (?)""", 5)  # fmt: skip
        return values(storage.sql, "SELECT a FROM log")

    assert inside(step) == [("many",), ("; END;",)]


@pytest.mark.parametrize(
    ("text", "statements"),
    [
        ("SELECT 1", ["SELECT 1"]),
        ("SELECT 1; ", ["SELECT 1; "]),
        ("SELECT 1; SELECT 2", ["SELECT 1;", " SELECT 2"]),
        ("SELECT ';'; SELECT \";\"; SELECT [;], `;`", ["SELECT ';';", ' SELECT ";";', " SELECT [;], `;`"]),
        ("SELECT 1 /* ; */; SELECT 2 -- ;\n;", ["SELECT 1 /* ; */;", " SELECT 2 -- ;\n;"]),
        (";; SELECT 1;; ;SELECT 2", [" SELECT 1;", "SELECT 2"]),
        ("SELECT 1; -- end", ["SELECT 1;", " -- end"]),
        ("SELECT 1; /* open ; SELECT 2", ["SELECT 1;", " /* open ; SELECT 2"]),
    ],
)
def test_where_a_statement_ends(text, statements):
    assert statements_of(text) == statements


@pytest.mark.parametrize(
    "text", ["", ";", " ; ;", "-- nothing", "/* nothing */", "SELECT 1; -- the end", "SELECT 1; /* the end"]
)
def test_a_text_that_ends_without_a_statement_is_refused(inside: Inside, text):
    with pytest.raises(SqlError, match="no statement found"):
        inside(lambda storage: storage.sql.exec(text))


def test_white_space_and_semicolons_may_follow(inside: Inside):
    assert inside(lambda storage: values(storage.sql, "SELECT 1;;  \n ; ")) == [(1,)]


def test_what_ran_before_a_statement_that_fails_stays(inside: Inside):
    def step(storage):
        with pytest.raises(SqlError, match="syntax error"):
            storage.sql.exec("CREATE TABLE t (a); INSERT INTO t VALUES (1); SELEC 2; INSERT INTO t VALUES (3)")
        return values(storage.sql, "SELECT a FROM t")

    assert inside(step) == [(1,)]


def test_a_parameter_in_an_earlier_statement_is_refused(inside: Inside):
    with pytest.raises(WrongValue, match="has 1 parameters and 0 values were given"):
        inside(lambda storage: storage.sql.exec("SELECT ?; SELECT 2", 1))


@pytest.mark.parametrize("number", [0, -1, 2**53 + 1, 2**63 - 1, -(2**63)])
def test_an_int_of_64_bits_comes_back_exactly(inside: Inside, number):
    assert inside(lambda storage: values(storage.sql, "SELECT ?, typeof(?)", number, number)) == [(number, "integer")]


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1])
def test_a_larger_int_is_refused_at_the_call(inside: Inside, number):
    with pytest.raises(IntOutOfRange, match="64"):
        inside(lambda storage: storage.sql.exec("SELECT ?", number))


class Colour(enum.IntEnum):
    RED = 3


class Name(str):
    pass


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (None, (None, "null")),
        (True, (1, "integer")),
        (5, (5, "integer")),
        (Colour.RED, (3, "integer")),
        (0.5, (0.5, "real")),
        (float("inf"), (float("inf"), "real")),
        (float("nan"), (None, "null")),
        ("é😀\0x", ("é😀\0x", "text")),
        (Name("n"), ("n", "text")),
        (b"\0\xff", (b"\0\xff", "blob")),
        (bytearray(b"ab"), (b"ab", "blob")),
        (memoryview(b"ab"), (b"ab", "blob")),
        (b"", (b"", "blob")),
    ],
)
def test_each_kind_of_value_is_sqlites_kind(inside: Inside, value, read):
    assert inside(lambda storage: values(storage.sql, "SELECT ?1, typeof(?1)", value)) == [read]


def test_ints_divide_as_ints(inside: Inside):
    assert inside(lambda storage: values(storage.sql, "SELECT ? / 2, ? / 2", 5, 5.0)) == [(2, 2.5)]


def test_values_by_name_are_keywords_of_any_name(inside: Inside):
    def step(storage):
        return values(storage.sql, "SELECT :a, @self, $query, :a", a=1, self=2, query=3)

    assert inside(step) == [(1, 2, 3, 1)]


def test_values_by_name_may_be_for_a_table_that_the_same_text_makes(inside: Inside):
    def step(storage):
        storage.sql.exec("CREATE TABLE t (a); INSERT INTO t VALUES (:a)", a=1)
        return values(storage.sql, "SELECT a FROM t")

    assert inside(step) == [(1,)]


def test_an_error_in_a_statement_with_names_is_told_and_not_that_it_has_no_such_name(inside: Inside):
    with pytest.raises(SqlError, match="no such table: missing"):
        inside(lambda storage: storage.sql.exec("SELECT * FROM missing WHERE a = :a", a=1))


def test_a_name_that_the_statement_does_not_have_and_one_that_is_not_given_are_refused(inside: Inside):
    with pytest.raises(WrongValue, match="no parameter :b") as unknown:
        inside(lambda storage: storage.sql.exec("SELECT :a", a=1, b=2))
    with pytest.raises(WrongValue, match="a parameter :b and no such value"):
        inside(lambda storage: storage.sql.exec("SELECT :a, :b", a=1))

    assert "its parameters are a" in str(unknown.value)


def test_names_are_looked_at_each_time_that_a_statement_runs(inside: Inside):
    def step(storage):
        asked = "SELECT :a"
        assert values(storage.sql, asked, a=1) == [(1,)]
        assert values(storage.sql, asked, a=2) == [(2,)]
        storage.sql.exec(asked, a=3, b=4)

    with pytest.raises(WrongValue, match="no parameter :b"):
        inside(step)


def test_values_by_place_and_by_name_together_are_refused(inside: Inside):
    with pytest.raises(WrongType, match="in order and by name"):
        inside(lambda storage: storage.sql.exec("SELECT ?, :a", 1, a=2))


@pytest.mark.parametrize(("query", "given"), [("SELECT ?", ()), ("SELECT ?", (1, 2)), ("SELECT 1", (1,))])
def test_another_number_of_values_is_refused(inside: Inside, query, given):
    with pytest.raises(WrongValue, match="parameters and"):
        inside(lambda storage: storage.sql.exec(query, *given))


@pytest.mark.parametrize("query", [None, 5, b"SELECT 1", ["SELECT 1"]])
def test_a_statement_is_text(inside: Inside, query):
    with pytest.raises(WrongType, match="must be a str"):
        inside(lambda storage: storage.sql.exec(query))
    with pytest.raises(WrongType, match="must be a str"):
        inside(lambda storage: storage.sql.exec(query, a=1))
    with pytest.raises(WrongType, match="must be a str"):
        inside(lambda storage: storage.sql.exec_many(query, [(1,)]))


def test_a_write_is_complete_when_exec_returns(inside: Inside):
    def step(storage):
        storage.sql.exec("CREATE TABLE t (a)")
        storage.sql.exec("INSERT INTO t VALUES (1), (2) RETURNING a")
        return values(storage.sql, "SELECT a FROM t")

    assert inside(step) == [(1,), (2,)]


def test_a_statement_that_is_kept_follows_changes_of_the_tables(inside: Inside):
    def step(storage):
        storage.sql.exec("CREATE TABLE t (a); INSERT INTO t VALUES (1)")
        before = storage.sql.exec("SELECT * FROM t").one()
        storage.sql.exec("ALTER TABLE t ADD COLUMN b DEFAULT 'new'")
        after = storage.sql.exec("SELECT * FROM t").one()
        storage.sql.exec("ALTER TABLE t RENAME a TO c; DELETE FROM t")
        return before, after, storage.sql.exec("SELECT * FROM t").column_names

    assert inside(step) == ({"a": 1}, {"a": 1, "b": "new"}, ("c", "b"))


# What SQLite can


def test_returning_gives_rows_of_what_was_written(inside: Inside):
    def step(storage):
        storage.sql.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER NOT NULL)")
        cursor = storage.sql.exec("INSERT INTO t (n) VALUES (7), (8) RETURNING id, n * 2 AS twice")
        return cursor.rows_written, cursor.raw().to_list()

    assert inside(step) == (2, [(1, 14), (2, 16)])


def test_full_text_search_ranks_and_shows(inside: Inside):
    def make(storage):
        storage.sql.exec("CREATE VIRTUAL TABLE notes USING fts5(body, tokenize = 'porter')")
        storage.sql.exec_many(
            "INSERT INTO notes VALUES (?)", [("the quick fox",), ("lazy dogs",), ("foxes and foxes",)]
        )

    def search(storage):
        found = "SELECT highlight(notes, 0, '<', '>') FROM notes WHERE notes MATCH ? ORDER BY bm25(notes)"
        return values(storage.sql, found, "fox")

    assert inside(make, search) == [("<foxes> and <foxes>",), ("the quick <fox>",)]


def test_an_r_tree_finds_boxes(inside: Inside):
    def make(storage):
        storage.sql.exec("CREATE VIRTUAL TABLE places USING RTree(id, x0, x1, y0, y1)")
        storage.sql.exec("INSERT INTO places VALUES (1, 0, 1, 0, 1), (2, 5, 6, 5, 6)")

    def find(storage):
        return values(storage.sql, "SELECT id FROM places WHERE x0 >= 4 AND y1 <= 7")

    assert inside(make, find) == [(2,)]


def test_json_is_taken_apart_and_put_together(inside: Inside):
    def step(storage):
        document = '{"a": [1, 2, {"b": null}], "c": "x"}'
        return (
            values(storage.sql, "SELECT ?1 -> '$.a[2]', ?1 ->> 'c', json_valid(?1)", document),
            values(storage.sql, "SELECT value FROM json_each(?, '$.a') LIMIT 2", document),
            values(storage.sql, "SELECT json_group_array(value) FROM json_each(jsonb_array(3, 'y'))"),
        )

    assert inside(step) == ([('{"b":null}', "x", 1)], [(1,), (2,)], [('[3,"y"]',)])


def test_strict_tables_generated_columns_upserts_and_windows(inside: Inside):
    def step(storage):
        sql = storage.sql
        sql.exec(
            "CREATE TABLE t (k TEXT PRIMARY KEY, n INTEGER, twice INTEGER AS (n * 2) STORED) STRICT, WITHOUT ROWID"
        )
        with pytest.raises(ConstraintFailed, match="cannot store TEXT value in INTEGER column"):
            sql.exec("INSERT INTO t (k, n) VALUES ('a', 'text')")
        for _ in range(3):
            sql.exec("INSERT INTO t (k, n) VALUES ('a', 1) ON CONFLICT (k) DO UPDATE SET n = n + 10")
        sql.exec("INSERT INTO t (k, n) VALUES ('b', 5)")
        return values(sql, "SELECT k, twice, sum(n) OVER (ORDER BY k) FROM t")

    assert inside(step) == [("a", 42, 21), ("b", 10, 26)]


def test_a_recursive_query_counts(inside: Inside):
    query = "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 1000) SELECT sum(i) FROM c"

    assert inside(lambda storage: values(storage.sql, query)) == [(500_500,)]


def test_foreign_keys_are_kept(inside: Inside):
    def step(storage):
        storage.sql.exec("CREATE TABLE a (id INTEGER PRIMARY KEY); CREATE TABLE b (a REFERENCES a ON DELETE CASCADE)")
        with pytest.raises(ConstraintFailed, match="FOREIGN KEY"):
            storage.sql.exec("INSERT INTO b VALUES (1)")
        storage.sql.exec("INSERT INTO a VALUES (1); INSERT INTO b VALUES (1); DELETE FROM a")
        return values(storage.sql, "SELECT count(*) FROM b")

    assert inside(step) == [(0,)]


def test_deferred_foreign_keys_are_looked_at_when_the_step_ends_whatever_is_read_before(inside: Inside):
    def make(storage):
        storage.sql.exec("CREATE TABLE a (id INTEGER PRIMARY KEY); CREATE TABLE b (a REFERENCES a)")

    def step(storage):
        storage.sql.exec("PRAGMA defer_foreign_keys = on")
        assert values(storage.sql, "SELECT count(*) FROM a") == [(0,)]
        storage.sql.exec("INSERT INTO b VALUES (1)")
        storage.sql.exec("INSERT INTO a VALUES (1)")

    def next_step(storage):
        with pytest.raises(ConstraintFailed, match="FOREIGN KEY"):
            storage.sql.exec("INSERT INTO b VALUES (2)")
        return values(storage.sql, "SELECT a FROM b")

    assert inside(make, step, next_step) == [(1,)]


# Many rows


def test_exec_many_runs_a_statement_for_each_row(inside: Inside):
    def step(storage):
        sql = storage.sql
        sql.exec("CREATE TABLE t (a, b)")
        written = [
            sql.exec_many("INSERT INTO t VALUES (?, ?)", ([n, str(n)] for n in range(3))),
            sql.exec_many("INSERT INTO t VALUES (:a, :b);", [{"a": 3, "b": "3"}]),
            sql.exec_many("INSERT INTO t VALUES (?, ?)", []),
        ]
        return written, values(sql, "SELECT a, b FROM t ORDER BY a")

    assert inside(step) == ([3, 1, 0], [(n, str(n)) for n in range(4)])


@pytest.mark.parametrize("bad", [(1,), (None,), (), (1, 2), (object(),), (2**64,)])
def test_exec_many_writes_all_rows_or_none(inside: Inside, bad):
    def step(storage):
        sql = storage.sql
        sql.exec("CREATE TABLE t (a PRIMARY KEY NOT NULL); INSERT INTO t VALUES (0)")
        with pytest.raises((ConstraintFailed, WrongValue, WrongType, IntOutOfRange)):
            sql.exec_many("INSERT INTO t VALUES (?)", [(1,), (2,), bad, (3,)])
        sql.exec("INSERT INTO t VALUES (9)")
        return values(sql, "SELECT a FROM t")

    assert inside(step) == [(0,), (9,)]


@pytest.mark.parametrize("text", ["", "DELETE FROM t; DELETE FROM t", "-- nothing"])
def test_exec_many_runs_one_statement(inside: Inside, text):
    def step(storage):
        storage.sql.exec("CREATE TABLE t (a)")
        storage.sql.exec_many(text, [()])

    with pytest.raises(SqlError, match="one statement"):
        inside(step)


def test_the_rows_for_exec_many_may_come_from_the_database_itself(inside: Inside):
    def step(storage):
        sql = storage.sql
        sql.exec("CREATE TABLE t (a); CREATE TABLE u (a); INSERT INTO t VALUES (1), (2)")
        lazily = ((a, ) for (n,) in [(0,)] for (a,) in sql.exec("SELECT a + ? FROM t", n).raw())  # fmt: skip
        return sql.exec_many("INSERT INTO u VALUES (?)", lazily), values(sql, "SELECT a FROM u")

    assert inside(step) == (2, [(1,), (2,)])


# The object


def test_the_size_of_a_database_is_told(inside: Inside):
    def step(storage):
        empty = storage.sql.database_size
        storage.sql.exec("CREATE TABLE t (a)")
        return empty, storage.sql.database_size, storage.sql.databaseSize

    assert inside(step) == (0, 8192, 8192)


def test_switches_that_code_has_set_hold_as_long_as_the_instance_though_its_connection_is_closed(shelf):
    shelf.exec("CREATE TABLE a (id INTEGER PRIMARY KEY); CREATE TABLE b (a REFERENCES a)")
    shelf.seal()
    shelf.exec("PRAGMA foreign_keys = off")
    shelf.exec("PRAGMA case_sensitive_like = 'ON'")

    shelf.database.rest()

    shelf.exec("INSERT INTO b VALUES (1)")
    assert shelf.rows("SELECT 'A' LIKE 'a', (SELECT count(*) FROM b)") == [(0, 1)]
    shelf.seal()
    shelf.reset()
    assert shelf.rows("PRAGMA foreign_keys") == [(1,)]


def test_a_switch_of_foreign_keys_amid_a_step_does_nothing_and_is_not_done_later(shelf):
    shelf.exec("CREATE TABLE a (id INTEGER PRIMARY KEY)")
    shelf.exec("PRAGMA foreign_keys = off")
    shelf.seal()

    shelf.database.rest()

    assert shelf.rows("PRAGMA foreign_keys") == [(1,)]


@pytest.mark.xfail(strict=True, reason="SQLite as apsw's wheels build it has neither; Cloudflare's has")
@pytest.mark.parametrize(
    "text", ["DELETE FROM t ORDER BY a LIMIT 1", "UPDATE t SET a = 2 LIMIT 1", "SELECT soundex('a')"]
)
def test_what_this_sqlite_was_built_without(shelf, text):
    shelf.exec("CREATE TABLE t (a)")
    shelf.exec(text)
