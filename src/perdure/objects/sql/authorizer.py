"""What SQL an object's code may run: SQLite asks when it prepares a statement, so a refused one has done nothing.

Transactions are the runtime's, for they decide what is stored; other databases, extensions and settings would lead out of
the object. Everything named here is Cloudflare's list. See tests/objects/sql/test_refusals.py.
"""

import re
from typing import Final

import apsw

RESERVED_PREFIXES: Final = ("_cf_", "_perdure_")
"""Names of tables that are the runtime's own; in any case of letters."""

_FUNCTION_NAMES: Final = (
    # Core
    "abs changes char coalesce concat concat_ws format glob hex ifnull if iif instr last_insert_rowid length like likelihood"
    " likely lower ltrim nullif octet_length printf quote random randomblob replace round rtrim sign soundex substr"
    " substring total_changes trim typeof unhex unicode unistr unlikely upper zeroblob min max"
    # Dates and times
    " date time datetime julianday unixepoch strftime timediff current_date current_time current_timestamp"
    # Aggregates and windows
    " avg count group_concat max min string_agg sum total median percentile percentile_cont percentile_disc"
    " row_number rank dense_rank percent_rank cume_dist ntile lag lead first_value last_value nth_value"
    # Mathematics
    " acos acosh asin asinh atan atan2 atanh ceil ceiling cos cosh degrees exp floor ln log log10 log2 mod pi pow power"
    " radians sin sinh sqrt tan tanh trunc"
    # JSON
    " json jsonb json_array jsonb_array json_array_length json_extract jsonb_extract -> ->> json_insert jsonb_insert"
    " json_object jsonb_object json_patch jsonb_patch json_remove jsonb_remove json_replace jsonb_replace json_set jsonb_set"
    " json_type json_valid json_quote json_group_array jsonb_group_array json_group_object jsonb_group_object json_each"
    " json_tree jsonb_each jsonb_tree json_pretty json_error_position json_array_insert jsonb_array_insert"
    # Full-text search and R-trees
    " match highlight bm25 snippet fts5_get_locale fts5_insttoken rtreecheck rtreenode rtreedepth"
    # SQLite's own, behind ALTER TABLE and the like
    " sqlite_rename_column sqlite_rename_table sqlite_rename_test sqlite_rename_quotefix sqlite_drop_column"
    " sqlite_fail sqlite_add_constraint sqlite_drop_constraint sqlite_find_constraint"
)
_FUNCTIONS: Final = frozenset(_FUNCTION_NAMES.split())

_VIRTUAL_TABLES: Final = frozenset({"fts5", "fts5vocab", "rtree", "rtree_i32"})

_TABLES_WITHOUT_CREATE: Final = frozenset({
    "carray", "dbstat", "fts3tokenize", "sqlite_dbpage", "sqlite_stmt",
})  # fmt: skip
"""Virtual tables that are there by themselves, and show more than an object's data."""

_PRAGMAS_WITHOUT: Final = frozenset({"data_version", "page_size", "page_count", "freelist_count", "table_list"})
_PRAGMAS_SWITCHED: Final = frozenset({
    "case_sensitive_like", "foreign_keys", "defer_foreign_keys", "ignore_check_constraints", "legacy_alter_table",
    "recursive_triggers", "reverse_unordered_selects",
})  # fmt: skip
_PRAGMAS_OF_NAMES: Final = frozenset({
    "table_list", "table_info", "table_xinfo", "foreign_key_check", "foreign_key_list", "index_info", "index_list",
    "index_xinfo", "quick_check",
})  # fmt: skip
_PRAGMAS_KEPT: Final = _PRAGMAS_SWITCHED - {"defer_foreign_keys"}
"""Those that hold longer than a unit."""
_SWITCH: Final = re.compile(r"(?i)['\"]?(true|false|yes|no|on|off|0|1)['\"]?")

_GAP: Final = r"(?:[\s\ufeff]|--[^\n]*\n|/\*.*?\*/)"
_RENAMED_TO_RESERVED: Final = re.compile(
    rf"(?is)\brename{_GAP}+to{_GAP}*[\"'`\[]?((?:{'|'.join(RESERVED_PREFIXES)})\w*)"
)

_TRANSACTIONS: Final = "BEGIN, COMMIT, ROLLBACK and SAVEPOINT are the runtime's: what a step writes is one unit"
_TRANSACTIONS_NEXT: Final = "use `with storage.transaction_sync():`, or `async with storage.transaction():`"

_TEMPORARY: Final = frozenset({
    apsw.SQLITE_CREATE_TEMP_INDEX, apsw.SQLITE_CREATE_TEMP_TABLE, apsw.SQLITE_CREATE_TEMP_TRIGGER,
    apsw.SQLITE_CREATE_TEMP_VIEW, apsw.SQLITE_DROP_TEMP_INDEX, apsw.SQLITE_DROP_TEMP_TABLE,
    apsw.SQLITE_DROP_TEMP_TRIGGER, apsw.SQLITE_DROP_TEMP_VIEW,
})  # fmt: skip
_NAMED_FIRST: Final = frozenset({
    apsw.SQLITE_CREATE_TABLE, apsw.SQLITE_CREATE_VIEW, apsw.SQLITE_DROP_TABLE, apsw.SQLITE_DROP_VIEW,
    apsw.SQLITE_INSERT, apsw.SQLITE_UPDATE, apsw.SQLITE_DELETE, apsw.SQLITE_READ,
})  # fmt: skip
_NAMED_BOTH: Final = frozenset({
    apsw.SQLITE_CREATE_INDEX, apsw.SQLITE_CREATE_TRIGGER, apsw.SQLITE_DROP_INDEX, apsw.SQLITE_DROP_TRIGGER,
    apsw.SQLITE_ALTER_TABLE, apsw.SQLITE_CREATE_VTABLE, apsw.SQLITE_DROP_VTABLE,
})  # fmt: skip
_ALWAYS: Final = frozenset({apsw.SQLITE_SELECT, apsw.SQLITE_RECURSIVE, apsw.SQLITE_REINDEX, apsw.SQLITE_ANALYZE})


class Authorizer:
    """SQLite's question and our answer, for one connection."""

    __slots__ = ("asked", "next_step", "off", "switched", "text", "why")

    def __init__(self) -> None:
        self.off = False
        """While the runtime prepares statements of its own."""
        self.asked = False
        """Set whenever SQLite prepares a statement."""
        self.why = ""
        """Of the last refusal."""
        self.next_step = ""
        self.text = ""
        """Of the statement that is being prepared: SQLite does not say what a table is renamed to."""
        self.switched: dict[str, str] = {}
        """Settings that code has made, which are the connection's; for the next connection."""

    def __call__(
        self, action: int, first: str | None, second: str | None, database: str | None, trigger: str | None
    ) -> int:
        self.asked = True
        if self.off or action in _ALWAYS:
            return apsw.SQLITE_OK
        refusal = self._refusal(action, first or "", second or "", database)
        if refusal is None:
            return apsw.SQLITE_OK
        self.why, self.next_step = refusal
        return apsw.SQLITE_DENY

    def _refusal(self, action: int, first: str, second: str, database: str | None) -> tuple[str, str] | None:
        # To alter a table SQLite looks at what is temporary, and would change it, too.
        if action in _TEMPORARY or (database == "temp" and action not in (apsw.SQLITE_READ, apsw.SQLITE_UPDATE)):
            return "an object has no temporary tables, views, triggers or indexes", "make an ordinary one and drop it"
        if action == apsw.SQLITE_ALTER_TABLE and (renamed := _RENAMED_TO_RESERVED.search(self.text)):
            return _reserved(renamed[1])
        if action in _NAMED_FIRST or action in _NAMED_BOTH:
            return _of_name(first, second if action in _NAMED_BOTH else "", action)
        if action == apsw.SQLITE_FUNCTION:
            allowed = second.lower() in _FUNCTIONS
            return None if allowed else (f"the function {second}() is not allowed", "compute it in Python")
        if action == apsw.SQLITE_PRAGMA:
            allowed = _pragma_allowed(first.lower(), second)
            if allowed and second and first.lower() in _PRAGMAS_KEPT:
                self.switched[first.lower()] = second
            return None if allowed else (f"PRAGMA {first} is not allowed here", "leave it out: the runtime sets it")
        if action in (apsw.SQLITE_TRANSACTION, apsw.SQLITE_SAVEPOINT):
            return _TRANSACTIONS, _TRANSACTIONS_NEXT
        if action in (apsw.SQLITE_ATTACH, apsw.SQLITE_DETACH):
            return "an object has one database; VACUUM would attach another", "leave it out: freed pages are used again"
        return "it is not among what an object's SQL may do", "see the guide to storage for what is"


def _of_name(first: str, second: str, action: int) -> tuple[str, str] | None:
    for name in (first, second):
        if name.lower().startswith(RESERVED_PREFIXES):
            return _reserved(name)
    if action == apsw.SQLITE_READ and first.lower() in _TABLES_WITHOUT_CREATE:
        return f"the virtual table {first} is not allowed", "leave it out"
    if action == apsw.SQLITE_CREATE_VTABLE and second.lower() not in _VIRTUAL_TABLES:
        return f"the virtual table module {second} is not allowed", "there are fts5, fts5vocab, rtree and rtree_i32"
    return None


def _reserved(name: str) -> tuple[str, str]:
    return f"names that begin with {name[: name.index('_', 1) + 1]} are the runtime's own", "choose another name"


def _pragma_allowed(name: str, argument: str) -> bool:
    if not argument:
        return (
            name in _PRAGMAS_WITHOUT
            or name in _PRAGMAS_SWITCHED
            or name in ("foreign_key_check", "quick_check", "optimize")
        )
    if name in _PRAGMAS_SWITCHED:
        return _SWITCH.fullmatch(argument) is not None
    if name == "optimize":
        return argument.lstrip("-").removeprefix("0x").isalnum()
    return name in _PRAGMAS_OF_NAMES and not argument.lower().startswith(RESERVED_PREFIXES)
