"""Rows for people and for programs."""

import json

from perdure.cli.table import SHOWN_CHARACTERS_MAX, csv_text, in_json, table


def test_columns_are_as_wide_as_their_widest_cell_and_lines_end_without_blanks():
    assert table(("a", "bcd"), [(1, None), ("long", b"\xff")]) == ["a     bcd", "1", "long  x'ff'"]


def test_a_cell_is_one_line_of_a_bounded_length_without_control_characters():
    _, shown = table(("a",), [("\n\x1b]0;owned\x07" + "x" * 1000,)])

    assert shown.startswith(r"\n\x1b]0;owned\x07")
    assert len(shown) == SHOWN_CHARACTERS_MAX


def test_csv_quotes_what_needs_it():
    assert csv_text(("a", "b"), [('say "x"', None), (b"\0", 1.5)]) == 'a,b\n"say ""x""",\nx\'00\',1.5'


def test_json_tells_bytes_from_text_and_stays_json():
    assert json.dumps([in_json(value) for value in (b"\0", "00", float("inf"), 1.5, None)], allow_nan=False) == (
        '[{"hex": "00"}, "00", "inf", 1.5, null]'
    )
