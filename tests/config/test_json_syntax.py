"""A file that is not JSON, even as people write it: the place, the line itself, and what to type for the usual slips."""

import pytest

from perdure.config import load_project
from perdure.model.errors import ConfigError

FINE = '{\n  "name": "w",\n  "main": "main.py",\n'


def problem(folder, text, name="wrangler.jsonc"):
    folder.write(name, text)
    with pytest.raises(ConfigError) as caught:
        load_project(start=folder.path)
    (only,) = caught.value.problems
    return only


@pytest.mark.parametrize("name", ["wrangler.json", "wrangler.jsonc"])
def test_comments_and_commas_at_the_end_are_read_whatever_the_file_is_called(folder, name):
    folder.write(name, "// mine\n" + FINE + '  "vars": {"A": ["x",], /* one */ },\n}\n')

    assert load_project(start=folder.path).vars == {"A": ["x"]}


def test_a_syntax_error_shows_file_line_column_and_the_text_with_a_mark(folder):
    assert problem(folder, FINE + '  "vars": main.py\n}') == (
        "wrangler.jsonc:4: this is not valid JSON: unexpected m at column 11\n"
        '        "vars": main.py\n'
        "                ^\n"
        "      text has to stand in quotes"
    )


@pytest.mark.parametrize(
    ("line", "number", "advice"),
    [
        ('"a": True', 4, ["JSON writes it in lower case:", '"a": true']),
        ('"a": "x"\n "b": 1', 5, ["a comma is missing before it"]),
        ('"a" = 1', 4, ["JSON writes `:` between a key and its value:", '"a" : 1']),
        ('# "a": 1', 4, ["a comment begins with //"]),
        ('"a": 1,, "b": 2', 4, ["there is a comma too many"]),
        ('"a": "x', 4, ["look for the missing quote"]),
        ('"a": [1, 2', 4, ["column"]),
        ('"a": 1, "a": 2', 4, ["`a` is there a second time (the first: line 4)", "keep the one that is right"]),
        ('"vars": {"A": "\\ud800"}', 4, ["there is half a character in this text"]),
        ('"vars": {"\\ud800": "A"}', 4, ["there is half a character in this text"]),
    ],
)
def test_usual_slips_get_what_to_type_instead(folder, line, number, advice):
    said = problem(folder, FINE + f"  {line}\n" + "}\n")

    assert [part for part in advice if part not in said] == []
    assert said.startswith(f"wrangler.jsonc:{number}: ") or "column" in advice


@pytest.mark.parametrize("text", [FINE, FINE + "/* ", FINE + '"a": [1,'])
def test_a_file_that_ends_too_early_says_what_to_look_for(folder, text):
    assert "the file ends too early: look for a missing quote, ], } or */" in problem(folder, text)


@pytest.mark.parametrize("text", ["", " \n", "// nothing"])
def test_an_empty_file_shows_how_to_begin(folder, text):
    assert "{" in problem(folder, text) or "ends too early" in problem(folder, text)


@pytest.mark.parametrize("text", ["[]", "1", '"x"', "null"])
def test_a_file_that_is_no_object_is_refused(folder, text):
    assert problem(folder, text).startswith(
        "wrangler.jsonc:1: a configuration is an object; begin and end the file with:"
    )


def test_a_text_that_is_nested_without_end_is_refused(folder):
    assert "nested too deep" in problem(folder, "[" * 100_000)


def test_a_character_written_as_two_halves_is_one(folder):
    folder.write("wrangler.json", FINE + '"vars": {"A": "\\ud83d\\ude00", "\\ud83d\\ude00": 1}}')

    assert load_project(start=folder.path).vars == {"A": "😀", "😀": 1}
