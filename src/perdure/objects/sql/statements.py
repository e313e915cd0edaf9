"""A text of SQL as its statements, and what kind of statement one is: enough to run them one after the other.

SQLite parses; here it is only seen where a statement ends and whether it may write. See tests/objects/sql/test_statements.py.
"""

import re
from functools import lru_cache
from typing import Final

import apsw

_NOTHING: Final = re.compile(r"(?s)(?:[\s\ufeff]|;|--[^\n]*(?:\n|\Z)|/\*.*?(?:\*/|\Z))*\Z")
_QUOTED_OR_SEMICOLON: Final = re.compile(r"""(?s)'[^']*'|"[^"]*"|`[^`]*`|\[[^\]]*\]|--[^\n]*|/\*.*?(?:\*/|\Z)|;""")
"""SQLite is asked only about semicolons that are no part of a text: of a long one with many it would take seconds."""
_READING: Final = ("select", "values", "explain")
_ALONE: Final = ("pragma", "vacuum")
_TEXTS_REMEMBERED: Final = 128
"""Of what was found out about them: code runs few texts often."""


def statements_of(text: str) -> list[str]:
    """The statements, each with its semicolon. Where the last one is missing there is an empty one: a comment is none."""
    if ";" not in text.rstrip("; \t\r\n"):
        return [text]
    statements: list[str] = []
    start = 0
    for found in _QUOTED_OR_SEMICOLON.finditer(text):
        at = found.end()
        if found[0] == ";" and apsw.complete(text[start:at]):
            if not is_nothing(text[start:at]):
                statements.append(text[start:at])
            start = at
    rest = text[start:]
    if rest.strip():
        statements.append(rest)
    return statements


def is_nothing(statement: str) -> bool:
    """White space, comments and semicolons."""
    return _NOTHING.match(statement) is not None


@lru_cache(_TEXTS_REMEMBERED)
def only_reads(statement: str) -> bool:
    """Whether it surely writes nothing. False for some that only read, WITH among them, and for PRAGMA."""
    return statement[:16].lstrip()[:7].lower().startswith(_READING)


@lru_cache(_TEXTS_REMEMBERED)
def may_be_in_transaction(statement: str) -> bool:
    """Settings have no effect in a transaction, and VACUUM, which is refused, would be told to be refused for that.

    Only that of deferred foreign keys is for one: outside, the next statement that reads would end it.
    """
    return not statement.lstrip()[:6].lower().startswith(_ALONE) or "defer_foreign_keys" in statement.lower()
