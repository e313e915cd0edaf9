"""Where a statement of a text ends: as SQLite says, of which little is asked."""

import apsw
import hypothesis.strategies as st
import pytest
from hypothesis import given

from perdure.objects.sql.statements import is_nothing, statements_of

PIECES = [
    ";", "'", '"', "`", "[", "]", "--", "\n", "/*", "*/", " ", "a", "''", "';'", "SELECT 1", "SELECT 2;", "END", "EXPLAIN",
    "CREATE TRIGGER x AFTER INSERT ON t BEGIN", "CREATE TEMP TRIGGER", "\ufeff",
]  # fmt: skip


def asked_at_every_semicolon(text: str) -> list[str]:
    statements, start, at = [], 0, 0
    while (at := text.find(";", at)) >= 0:
        at += 1
        if apsw.complete(text[start:at]):
            if not is_nothing(text[start:at]):
                statements.append(text[start:at])
            start = at
    return [*statements, text[start:]] if text[start:].strip() else statements


@given(st.lists(st.sampled_from(PIECES), max_size=14))
def test_a_text_is_split_where_sqlite_says_that_a_statement_is_complete(pieces):
    text = "".join(pieces)

    if ";" in text.rstrip("; \t\r\n"):
        assert statements_of(text) == asked_at_every_semicolon(text)


@pytest.mark.parametrize("quoted", ["'{}'", '"{}"', "`{}`", "[{}]", "/*{}*/", "--{}\n"])
def test_of_semicolons_inside_a_text_sqlite_is_not_asked(monkeypatch: pytest.MonkeyPatch, quoted):
    """Each question takes as long as the statement so far: a page of HTML with its `&nbsp;` took seconds."""
    asked = []
    complete = apsw.complete
    monkeypatch.setattr(apsw, "complete", lambda text: asked.append(len(text)) or complete(text))
    text = f"SELECT {quoted.format('&nbsp;' * 10_000)} 1; SELECT 2"

    assert len(statements_of(text)) == 2
    assert len(asked) == 1
