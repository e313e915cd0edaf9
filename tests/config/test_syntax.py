"""A file that is not TOML: the place, the line itself, and what to type for the usual slips."""

import pytest

from perdure.config import load_project
from perdure.model.errors import ConfigError
from tests.config.conftest import FINE


def test_a_syntax_error_shows_file_line_column_and_the_text_with_a_mark(folder):
    problem = folder.problem('name = "w"\nmain = main.py\n')

    assert problem == (
        "wrangler.toml:2: this is not valid TOML: invalid value at column 8\n"
        "      main = main.py\n"
        "             ^\n"
        "      text has to stand in quotes:\n"
        '      main = "main.py"'
    )


def test_it_is_said_which_file_cannot_be_read(folder):
    (problem,) = folder.problems("name =\n")

    assert problem.startswith("wrangler.toml:1: this is not valid TOML")


@pytest.mark.parametrize(
    ("line", "advice"),
    [
        ("x = True", ["TOML writes it in lower case:", "x = true"]),
        ("x = C:/folder # where", ["text has to stand in quotes:", 'x = "C:/folder"']),
        ('x: "y"', ["TOML writes `=` between a key and its value:", 'x = "y"']),
        ('"x": 1,', ["TOML writes `=` between a key and its value:", "x = 1"]),
        ('x = "C:\\dir"', ["write / in paths", "'C:\\folder'"]),
        ('name = "again"', ["a key or [table] may be there once"]),
        ("[a]\n[a]", ["a key or [table] may be there once", "[[migrations]]"]),
        ('x = "open', ["a text has to end on its line: look for the missing quote"]),
        ('x = """open', ["look for a missing quote, ] or }"]),
        ("x = [1,", ["look for a missing quote, ] or }"]),
        ("x = 1 y = 2", ["column 7"]),
    ],
)
def test_usual_slips_get_what_to_type_instead(folder, line, advice):
    problem = folder.problem(FINE + line + "\n")

    assert problem.startswith("wrangler.toml:")
    assert [part for part in advice if part not in problem] == []


@pytest.mark.parametrize(
    "table", ['{ name = "A",\n    class_name = "B" }', '{\n    name = "A" }'], ids=["after a comma", "at once"]
)
def test_an_inline_table_on_two_lines_is_refused_with_the_way_to_write_it(folder, table):
    problem = folder.problem(FINE + f"[durable_objects]\nbindings = [\n  {table}\n]\n")

    assert problem.startswith("wrangler.toml:5: this is not valid TOML")
    assert "an inline table { ... } has to stand on one line; write it like this:" in problem
    assert '  { name = "ROOM", class_name = "Room" },' in problem


def test_the_array_around_inline_tables_may_span_lines(folder):
    text = '[durable_objects]\nbindings = [\n  { name = "A", class_name = "R" },\n\n  { name = "B", class_name = "R" },\n]\n'

    assert [binding.name for binding in folder.load(FINE + text).objects] == ["A", "B"]


@pytest.mark.parametrize(
    "text",
    ["x = " + "[" * 100_000, "x = " + "[" * 60 + "]" * 60, ".".join("a" * 2_000) + " = 1", f"[{'.'.join('a' * 60)}]"],
    ids=["open lists", "lists", "a key", "a header"],
)
def test_a_text_that_is_nested_without_end_is_refused(folder, text):
    assert "nested too deep" in folder.problem(text)


@pytest.mark.parametrize(("name", "text"), [("wrangler.toml", "x = {}\n"), ("wrangler.json", '{{\n"x": {}}}')])
def test_a_number_of_thousands_of_digits_is_refused(folder, name, text):
    folder.write(name, text.format("9" * 5_000))

    with pytest.raises(ConfigError) as caught:
        load_project(start=folder.path)

    assert caught.value.problems == (
        f"{name}: there is a number of more than 4300 digits in it; write it as text, in quotes",
    )
