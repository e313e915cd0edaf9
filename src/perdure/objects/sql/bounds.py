"""How much one statement and one object's database may take, and why that much.

See tests/objects/sql/test_errors.py and test_pool.py.
"""

import apsw

PAGE_CACHE_KIB = 256
"""SQLite's cache of one database: 64 pages."""

DATABASE_PAGES_MAX = 10_000_000_000 // 4096
"""10 GB, Cloudflare's own bound."""

STATEMENTS_CACHED = 32

BOUND_BYTES_KEPT = 4096
"""Of values: a statement that is kept keeps those of its last run, too, 128 KiB an open database."""

VALUES_AT_ONCE = 31
"""Values that are fetched before their size is looked at: of 2 MiB each, they stay below 64 MiB."""

VALUES_AT_ONCE_BYTES = 64 * 1024 * 1024

PROGRESS_STEPS = 20_000
"""How often a running statement looks at the time, in steps of SQLite's machine: about every millisecond."""

LIKE_PATTERN_BYTES_MAX = 500
"""A LIKE is not interrupted within one text. One of 2 MiB takes 0.9 s with a pattern of 500 bytes, and 90 s with 50,000."""

LIMITS = {
    apsw.SQLITE_LIMIT_LENGTH: 2 * 1024 * 1024,
    apsw.SQLITE_LIMIT_SQL_LENGTH: 100_000,
    apsw.SQLITE_LIMIT_COLUMN: 100,
    apsw.SQLITE_LIMIT_EXPR_DEPTH: 100,
    apsw.SQLITE_LIMIT_COMPOUND_SELECT: 500,
    apsw.SQLITE_LIMIT_VDBE_OP: 25_000,
    apsw.SQLITE_LIMIT_FUNCTION_ARG: 32,
    apsw.SQLITE_LIMIT_ATTACHED: 0,
    apsw.SQLITE_LIMIT_LIKE_PATTERN_LENGTH: LIKE_PATTERN_BYTES_MAX,
    apsw.SQLITE_LIMIT_VARIABLE_NUMBER: 32_766,
    apsw.SQLITE_LIMIT_TRIGGER_DEPTH: 10,
    apsw.SQLITE_LIMIT_WORKER_THREADS: 0,
}
"""Cloudflare's documented limits, but for compound SELECTs, patterns and parameters, of which it allows very few."""
