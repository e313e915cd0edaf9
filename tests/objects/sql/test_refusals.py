"""What SQL an object may not run, however it is written: asked before anything runs, so a refused statement did nothing."""

import pytest

from perdure.model.errors import PerdureError, SqlError
from tests.objects.sql.shelf import Shelf

MEMBERS = "CREATE TABLE t (a); CREATE TABLE u (b REFERENCES t); CREATE INDEX i ON t (a)"


@pytest.fixture
def shelf() -> Shelf:
    """Its database has tables of the code, and one of the runtime's with a row."""
    shelf = Shelf()
    shelf.exec(MEMBERS)
    shelf.database.own("CREATE TABLE _cf_KV (a)", depth=0)
    shelf.database.own("INSERT INTO _cf_KV VALUES ('secret')", depth=0)
    shelf.seal()
    return shelf


def refused(shelf: Shelf, text: str, *bindings: object) -> SqlError:
    with pytest.raises(SqlError) as told:
        shelf.exec(text, *bindings)
    assert not told.value.object_reset
    return told.value


def schema(shelf: Shelf) -> list[tuple[object, ...]]:
    return shelf.rows("SELECT type, name, sql FROM sqlite_schema ORDER BY name")


TRANSACTIONS = [
    "BEGIN",
    "begin immediate",
    "BeGiN /* really */ TRANSACTION",
    "COMMIT",
    "END",
    "end transaction",
    "ROLLBACK",
    "SAVEPOINT a",
    "RELEASE a",
    "ROLLBACK TO s0",
    "  -- first\n COMMIT",
    "/* first */ COMMIT;",
    "\ufeffCOMMIT",
    "SELECT 1; COMMIT",
    "EXPLAIN COMMIT",
    "EXPLAIN QUERY PLAN ROLLBACK",
]


@pytest.mark.parametrize("text", TRANSACTIONS)
@pytest.mark.parametrize("amid", ["a unit", "no unit"])
def test_transactions_are_the_runtimes(shelf: Shelf, text, amid):
    if amid == "a unit":
        shelf.exec("INSERT INTO t VALUES (1)")

    error = refused(shelf, text)

    assert error.sqlite_code == "SQLITE_AUTH"
    assert "the runtime's" in str(error)
    assert "storage.transaction_sync()" in str(error)


@pytest.mark.parametrize("text", TRANSACTIONS[:4])
def test_a_transaction_is_refused_though_the_runtime_has_just_run_the_same_text(shelf: Shelf, text):
    for _ in range(3):
        shelf.exec("INSERT INTO t VALUES (1)", depth=1)
        shelf.database.roll_back(0)
        shelf.seal()

    assert refused(shelf, text).sqlite_code == "SQLITE_AUTH"


@pytest.mark.parametrize("text", ["ATTACH ':memory:' AS x", "attach database '/etc/passwd' as x", "DETACH main"])
def test_there_is_one_database(shelf: Shelf, text):
    assert refused(shelf, text).sqlite_code == "SQLITE_AUTH"


@pytest.mark.parametrize("text", ["VACUUM", "vacuum main", "VACUUM INTO '/tmp/stolen'", "/**/ VACUUM", "-- x\nVACUUM"])
@pytest.mark.parametrize("amid", ["a unit", "no unit"])
def test_vacuum_is_refused_and_the_unit_goes_on(shelf: Shelf, text, amid):
    if amid == "a unit":
        shelf.exec("INSERT INTO t VALUES (1)")

    refused(shelf, text)

    shelf.exec("INSERT INTO t VALUES (2)")
    assert shelf.rows("SELECT max(a) FROM t") == [(2,)]


TEMPORARY = [
    "CREATE TEMP TABLE x (a)",
    "create temporary table x as select 1",
    "CREATE TABLE temp.x (a)",
    'CREATE TABLE "TEMP".x (a)',
    "CREATE TABLE temp.x AS SELECT * FROM t",
    "CREATE TEMP VIEW x AS SELECT 1",
    "CREATE VIEW temp.x AS SELECT 1",
    "CREATE TEMP TRIGGER x AFTER INSERT ON t BEGIN SELECT 1; END",
    "CREATE TRIGGER temp.x AFTER INSERT ON t BEGIN SELECT 1; END",
    "CREATE VIRTUAL TABLE temp.x USING fts5(a)",
    "CREATE INDEX temp.x ON t (a)",
    "DROP TABLE temp.t",
]


@pytest.mark.parametrize("text", TEMPORARY)
def test_there_is_nothing_temporary(shelf: Shelf, text):
    refused(shelf, text)

    assert shelf.rows("SELECT * FROM sqlite_temp_schema") == []


@pytest.mark.parametrize("prefix", ["_cf_", "_CF_", "_Cf_", "_perdure_", "_PERDURE_"])
@pytest.mark.parametrize(
    "text",
    [
        "CREATE TABLE {}x (a)",
        "CREATE TABLE IF NOT EXISTS {}x (a)",
        'CREATE TABLE "{}x" (a)',
        "CREATE TABLE [{}x] (a)",
        "CREATE TABLE `{}x` (a)",
        "CREATE TABLE '{}x' (a)",
        "CREATE TABLE main.{}x (a)",
        "CREATE TABLE /* x */ \ufeff{}x (a)",
        "CREATE TABLE {}x AS SELECT 1",
        "CREATE VIEW {}x AS SELECT 1",
        "CREATE INDEX {}x ON t (a)",
        "CREATE TRIGGER {}x AFTER INSERT ON t BEGIN SELECT 1; END",
        "CREATE VIRTUAL TABLE {}x USING fts5(a)",
        "ALTER TABLE t RENAME TO {}x",
        "alter table t rename to '{}x'",
        'ALTER TABLE t RENAME/**/TO/* rename to y */"{}x"',
        "ALTER TABLE t RENAME -- to y\n TO [{}x]",
        "ALTER TABLE t RENAME TO`{}x`",
        "ALTER TABLE t RENAME TO \ufeff{}x",
        "ALTER TABLE t RENAME\ufeffTO {}x",
    ],
)
def test_names_that_begin_as_the_runtimes_do_are_refused(shelf: Shelf, text, prefix):
    before = schema(shelf)

    refused(shelf, text.format(prefix))

    assert schema(shelf) == before


@pytest.mark.parametrize(
    "text",
    [
        "SELECT * FROM _cf_KV",
        'SELECT a FROM "_CF_kv"',
        "SELECT count(*) FROM _cf_KV",
        "SELECT 1 FROM t WHERE EXISTS (SELECT 1 FROM _cf_KV)",
        "WITH x AS (SELECT * FROM main.[_cf_KV]) SELECT * FROM x",
        "INSERT INTO _cf_KV VALUES (1)",
        "INSERT INTO t SELECT a FROM _cf_KV",
        "UPDATE _cf_KV SET a = 1",
        "UPDATE t SET a = x.a FROM _cf_KV AS x",
        "DELETE FROM _cf_KV",
        "REPLACE INTO _cf_KV VALUES (1)",
        "DROP TABLE _cf_KV",
        "ALTER TABLE _cf_KV RENAME TO mine",
        "ALTER TABLE _cf_KV ADD COLUMN b",
        "ALTER TABLE _cf_KV RENAME COLUMN a TO b",
        "ALTER TABLE _cf_KV DROP COLUMN a",
        "CREATE INDEX mine ON _cf_KV (a)",
        "CREATE TRIGGER mine AFTER INSERT ON _cf_KV BEGIN INSERT INTO t VALUES (new.a); END",
        "CREATE TABLE mine AS SELECT * FROM _cf_KV",
        "CREATE VIEW mine AS SELECT * FROM _cf_KV; SELECT * FROM mine",
        "CREATE TRIGGER mine AFTER INSERT ON t BEGIN INSERT INTO _cf_KV VALUES (2); END; INSERT INTO t VALUES (1)",
        "CREATE TRIGGER mine AFTER INSERT ON t BEGIN UPDATE t SET a = (SELECT a FROM _cf_KV); END; INSERT INTO t VALUES (1)",
        "CREATE VIRTUAL TABLE mine USING fts5(a, content = '_cf_KV'); INSERT INTO mine (mine) VALUES ('rebuild')",
        "PRAGMA table_info(_cf_KV)",
        "PRAGMA table_info = '_CF_KV'",
        "PRAGMA main.table_xinfo([_cf_KV])",
        "PRAGMA index_list(_cf_KV)",
        "PRAGMA foreign_key_list(_cf_KV)",
        "PRAGMA foreign_key_check(_cf_KV)",
        "PRAGMA quick_check(_cf_KV)",
        "PRAGMA table_list(_cf_KV)",
        "SELECT * FROM pragma_table_info('_cf_KV')",
        "SELECT * FROM pragma_table_info('_cf' || '_KV')",
        "SELECT p.* FROM sqlite_schema AS s, pragma_table_xinfo(s.name) AS p",
    ],
)  # fmt: skip
def test_the_runtimes_tables_are_neither_read_nor_written_nor_described(shelf: Shelf, text):
    refused(shelf, text)

    assert shelf.database.own("SELECT * FROM _cf_KV") == [("secret",)]


def test_a_table_function_is_refused_a_bound_name_of_the_runtimes_when_it_runs(shelf: Shelf):
    error = refused(shelf, "SELECT * FROM pragma_table_info(?)", "_cf_KV")

    assert "not allowed" in str(error)
    assert len(shelf.rows("SELECT * FROM pragma_table_info(?)", "t")) == 1


def test_names_that_only_hold_those_of_the_runtime_are_the_codes(shelf: Shelf):
    shelf.exec("CREATE TABLE my_cf_ (_cf_a); CREATE TABLE _cf (a); CREATE TABLE perdure_ (a)")
    shelf.exec("ALTER TABLE _cf RENAME TO my_perdure_")
    shelf.exec("INSERT INTO my_cf_ VALUES ('rename to _cf_x')")

    assert shelf.rows("SELECT _cf_a FROM my_cf_") == [("rename to _cf_x",)]


@pytest.mark.parametrize(
    "module", ["fts3", "fts4", "FTS4aux", "geopoly", "dbstat", "json_each", "csv", "series", "carray"]
)
def test_other_modules_of_virtual_tables_are_refused(shelf: Shelf, module):
    refused(shelf, f"CREATE VIRTUAL TABLE x USING {module}(a)")


@pytest.mark.parametrize("module", ["fts5", "FTS5", "rtree", "RTree", "rtree_i32"])
def test_virtual_tables_there_are(shelf: Shelf, module):
    shelf.exec(f"CREATE VIRTUAL TABLE x USING {module}(a, b, c)")
    shelf.seal()
    shelf.reset()

    assert shelf.rows("SELECT count(*) FROM x") == [(0,)]


def test_the_words_of_a_full_text_index_are_a_virtual_table(shelf: Shelf):
    shelf.exec("CREATE VIRTUAL TABLE x USING fts5(a); CREATE VIRTUAL TABLE words USING Fts5Vocab(x, row)")
    shelf.exec("INSERT INTO x VALUES ('one two one')")

    assert shelf.rows("SELECT term, cnt FROM words") == [("one", 2), ("two", 1)]


@pytest.mark.parametrize(
    "table",
    [
        "dbstat",
        "dbstat('main')",
        "sqlite_dbpage",
        "carray(1, 2)",
        "sqlite_stmt",
        "generate_series(1, 3)",
        "bytecode('SELECT 1')",
    ],
)
def test_table_functions_that_look_behind_the_tables_are_refused(shelf: Shelf, table):
    refused(shelf, f"SELECT * FROM {table}")


def test_the_tables_behind_a_full_text_index_are_written_by_it_alone(shelf: Shelf):
    shelf.exec("CREATE VIRTUAL TABLE x USING fts5(a)")

    assert "may not be modified" in str(refused(shelf, "DELETE FROM x_data"))


@pytest.mark.parametrize(
    "text",
    [
        "UPDATE sqlite_schema SET sql = 'x'",
        "DELETE FROM sqlite_master",
        "INSERT INTO sqlite_master VALUES ('table', 'x', 'x', 2, '')",
        "PRAGMA writable_schema = on",
    ],
)
def test_the_schema_is_read_and_not_written(shelf: Shelf, text):
    before = schema(shelf)

    refused(shelf, text)

    assert schema(shelf) == before


# PRAGMA

SWITCHES = [
    "case_sensitive_like",
    "foreign_keys",
    "defer_foreign_keys",
    "ignore_check_constraints",
    "legacy_alter_table",
    "recursive_triggers",
    "reverse_unordered_selects",
]


@pytest.mark.parametrize("name", SWITCHES)
@pytest.mark.parametrize("value", ["true", "FALSE", "yes", "No", "on", "OFF", "0", "1", "'on'", '"off"', "'TRUE'"])
def test_switches_take_truth_values_however_written(shelf: Shelf, name, value):
    shelf.exec(f"PRAGMA {name} = {value}")
    shelf.exec(f"PRAGMA main.{name.upper()}({value})")


@pytest.mark.parametrize("name", SWITCHES)
@pytest.mark.parametrize("value", ["2", "maybe", "-1", "'on off'", "10"])
def test_switches_take_nothing_else(shelf: Shelf, name, value):
    assert refused(shelf, f"PRAGMA {name} = {value}").sqlite_code == "SQLITE_AUTH"


def test_a_switch_tells_how_it_is(shelf: Shelf):
    assert shelf.rows("PRAGMA foreign_keys") == [(1,)]
    shelf.exec("PRAGMA foreign_keys = off")
    assert shelf.rows("PRAGMA foreign_keys") == [(0,)]
    assert shelf.rows("SELECT * FROM pragma_foreign_keys") == [(0,)]
    shelf.exec("PRAGMA recursive_triggers = on")
    assert shelf.rows("PRAGMA recursive_triggers") == [(1,)]


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("PRAGMA page_size", [(4096,)]),
        ("PRAGMA data_version", [(1,)]),
        ("PRAGMA freelist_count", [(0,)]),
        ("PRAGMA quick_check", [("ok",)]),
        ("PRAGMA quick_check(3)", [("ok",)]),
        ("PRAGMA quick_check(t)", [("ok",)]),
        ("PRAGMA table_info(t)", [(0, "a", "", 0, None, 0)]),
        ("PRAGMA table_info = 't'", [(0, "a", "", 0, None, 0)]),
        ("PRAGMA table_xinfo(t)", [(0, "a", "", 0, None, 0, 0)]),
        ("PRAGMA foreign_key_list(u)", [(0, 0, "t", "b", None, "NO ACTION", "NO ACTION", "NONE")]),
        ("PRAGMA index_list(t)", [(0, "i", 0, "c", 0)]),
        ("PRAGMA index_info(i)", [(0, 0, "a")]),
        ("SELECT name FROM pragma_index_xinfo('i')", [("a",), (None,)]),
        ("SELECT name FROM pragma_table_list WHERE schema = 'main' AND name LIKE 't'", [("t",)]),
        ("PRAGMA optimize", []),
        ("PRAGMA optimize(0x10002)", []),
        ("PRAGMA optimize = 2", []),
    ],
)
def test_pragmas_there_are(shelf: Shelf, text, rows):
    assert shelf.rows(text) == rows


def test_foreign_keys_can_be_looked_over(shelf: Shelf):
    shelf.exec("CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE c (p REFERENCES p)")
    shelf.seal()
    shelf.exec("PRAGMA foreign_keys = off")
    shelf.exec("INSERT INTO c VALUES (5)")

    assert shelf.rows("PRAGMA foreign_key_check(c)") == [("c", 1, "p", 0)]


@pytest.mark.parametrize(
    "pragma",
    [
        "user_version", "user_version = 1", "application_id = 1", "schema_version = 9", "journal_mode",
        "journal_mode = wal", "journal_mode(delete)", "synchronous", "synchronous = full", "locking_mode = normal",
        "max_page_count = 5", "page_size = 512", "cache_size = 100000", "cache_spill = off", "mmap_size = 1000000",
        "wal_checkpoint", "wal_checkpoint(truncate)", "integrity_check", "database_list", "function_list", "module_list",
        "pragma_list", "compile_options", "collation_list", "temp_store = file", "temp_store_directory = '/'",
        "data_store_directory = '/'", "secure_delete", "auto_vacuum = 1", "incremental_vacuum", "encoding = 'UTF-16'",
        "writable_schema", "trusted_schema = on", "cell_size_check = off", "hard_heap_limit = 1", "soft_heap_limit = 1",
        "threads = 8", "busy_timeout = 1000", "query_only = on", "read_uncommitted = on", "shrink_memory", "no_such_thing",
    ],
)  # fmt: skip
@pytest.mark.parametrize("form", ["PRAGMA {}", "pragma main . {}", "/* x */ PRAGMA {}", "EXPLAIN PRAGMA {}"])
def test_other_pragmas_are_the_runtimes(shelf: Shelf, pragma, form):
    error = refused(shelf, form.format(pragma))

    assert error.sqlite_code == "SQLITE_AUTH"
    assert "not allowed here" in str(error)


@pytest.mark.parametrize(
    "name", ["user_version", "journal_mode", "database_list", "function_list", "integrity_check", "compile_options"]
)
def test_table_functions_of_pragmas_follow_the_same_rules(shelf: Shelf, name):
    refused(shelf, f"SELECT * FROM pragma_{name}")


# Functions

FUNCTIONS = """
    abs(-1); char(65); coalesce(null, 1); concat('a', 1); concat_ws(',', 1, 2); format('%d', 1); glob('a*', 'ab')
    hex('a'); ifnull(null, 1); iif(1, 2, 3); instr('ab', 'b'); last_insert_rowid(); length('a'); like('a', 'A')
    likelihood(1, 0.5); likely(1); lower('A'); ltrim(' a'); nullif(1, 1); octet_length('é'); printf('%s', 'x'); quote('a')
    random(); randomblob(4); replace('a', 'a', 'b'); round(1.5); rtrim('a '); sign(-1); substr('ab', 1)
    substring('ab', 2); total_changes(); changes(); trim(' a '); typeof(1); unhex('41'); unicode('a'); unlikely(1)
    upper('a'); zeroblob(3); min(1, 2); max(1, 2); date('now'); time('now'); datetime('now'); julianday('now')
    unixepoch(); strftime('%Y', 'now'); timediff('now', 'now'); current_date; current_time; current_timestamp
    avg(1); count(*); group_concat(1); string_agg(1, ','); sum(1); total(1); row_number() OVER (); rank() OVER ()
    dense_rank() OVER (); percent_rank() OVER (); cume_dist() OVER (); ntile(2) OVER (); lag(1) OVER (); lead(1) OVER ()
    first_value(1) OVER (); last_value(1) OVER (); nth_value(1, 1) OVER (); acos(1); acosh(1); asin(1); asinh(1); atan(1)
    atan2(1, 1); atanh(0); ceil(1.5); cos(1); cosh(1); degrees(1); exp(1); floor(1.5); ln(1); log(1); log2(1); mod(3, 2)
    pi(); pow(2, 2); radians(1); sin(1); sinh(1); sqrt(4); tan(1); tanh(1); trunc(1.5); json('{}'); jsonb('{}')
    json_array(1); json_array_length('[1]'); json_extract('[1]', '$[0]'); '[1]' -> 0; '[1]' ->> 0; json_quote(1)
    json_insert('{}', '$.a', 1); json_object('a', 1); json_patch('{}', '{}'); json_remove('[1]', '$[0]'); json_valid('1')
    json_replace('[1]', '$[0]', 2); json_set('{}', '$.a', 1); json_type('1'); json_group_array(1); json_group_object('a', 1)
    jsonb_array(1); jsonb_extract('[1]', '$[0]'); jsonb_insert('{}', '$.a', 1); jsonb_object('a', 1); jsonb_patch('{}', '{}')
    jsonb_remove('[1]', '$[0]'); jsonb_replace('[1]', '$[0]', 2); jsonb_set('{}', '$.a', 1); jsonb_group_array(1)
    jsonb_group_object('a', 1); (SELECT count(*) FROM json_each('[1]')); (SELECT count(*) FROM json_tree('[1]'))
"""


@pytest.mark.parametrize("call", [call.strip() for line in FUNCTIONS.strip().splitlines() for call in line.split(";")])
def test_functions_there_are(shelf: Shelf, call):
    assert len(shelf.rows(f"SELECT {call}")) == 1


@pytest.mark.parametrize(
    "call",
    [
        "load_extension('x')", "LOAD_EXTENSION('x', 'y')", '"load_extension"(1)', "sqlite_version()", "sqlite_source_id()",
        "sqlite_compileoption_used('x')", "sqlite_compileoption_get(1)", "sqlite_offset(a)", "sqlite_log(1, 'x')",
        "fts3_tokenizer('x')", "readfile('/etc/passwd')", "writefile('x', 'y')", "edit('x')", "geopoly_area(1)", "nothing(1)",
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    "form", ["SELECT {} FROM t", "CREATE TABLE x (a DEFAULT ({}))", "CREATE INDEX x ON t ({})", "CREATE TABLE x (a, b AS ({}))",
             "INSERT INTO t SELECT {} FROM t RETURNING a"]
)  # fmt: skip
def test_other_functions_are_refused_wherever_they_stand(shelf: Shelf, call, form):
    before = schema(shelf)

    refused(shelf, form.format(call))

    assert schema(shelf) == before


def test_a_function_that_a_view_or_a_trigger_hides_is_refused_when_it_is_used(shelf: Shelf):
    shelf.exec("CREATE VIEW v AS SELECT sqlite_version() AS s")
    shelf.exec("CREATE TRIGGER r AFTER INSERT ON t BEGIN INSERT INTO u SELECT load_extension('x'); END")

    refused(shelf, "SELECT * FROM v")
    refused(shelf, "INSERT INTO t VALUES (1)")

    assert shelf.rows("SELECT count(*) FROM t") == [(0,)]


# What is allowed beside


@pytest.mark.parametrize(
    "text",
    [
        "ANALYZE",
        "ANALYZE t",
        "REINDEX",
        "REINDEX t",
        "EXPLAIN SELECT * FROM t",
        "EXPLAIN QUERY PLAN SELECT * FROM t WHERE a = 1",
        "DROP INDEX i",
        "DROP TABLE u",
        "ALTER TABLE t RENAME TO s",
        "ALTER TABLE t RENAME a TO z",
        "ALTER TABLE t ADD COLUMN c",
        "SELECT name FROM sqlite_master",
        "SELECT * FROM sqlite_temp_master",
    ],
)
def test_statements_there_are(shelf: Shelf, text):
    shelf.exec(text)
    shelf.seal()

    assert shelf.rows("PRAGMA quick_check") == [("ok",)]


def test_a_column_is_dropped_and_renamed_where_views_and_triggers_refer_to_the_table(shelf: Shelf):
    shelf.exec("CREATE TABLE w (a, b, c); CREATE VIEW v AS SELECT a FROM w")
    shelf.exec("CREATE TRIGGER r AFTER INSERT ON w BEGIN UPDATE w SET b = new.a; END")
    shelf.exec("ALTER TABLE w DROP COLUMN c; ALTER TABLE w RENAME COLUMN a TO z; ALTER TABLE w RENAME TO y")

    shelf.exec("INSERT INTO y VALUES (1, 2)")

    assert shelf.rows("SELECT z, b FROM y") == [(1, 1)]


def test_a_refused_statement_leaves_what_the_step_wrote_before_and_after(shelf: Shelf):
    shelf.exec("INSERT INTO t VALUES (1)")
    with pytest.raises(PerdureError):
        shelf.exec("INSERT INTO t VALUES (2); SELECT load_extension('x'); INSERT INTO t VALUES (3)")
    shelf.exec("INSERT INTO t VALUES (4)")
    shelf.seal()
    shelf.reset()

    assert shelf.rows("SELECT a FROM t") == [(1,), (2,), (4,)]
