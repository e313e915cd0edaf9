"""A configuration in pyproject.toml: keys and lines are those of the file."""

import pytest

from perdure.config import load_project
from perdure.model.errors import ConfigError

HEAD = '[project]\nname = "shop"\n\n[tool.perdure]\n'


def loaded(folder, text):
    folder.write("pyproject.toml", text)
    return load_project(start=folder.path)


def problems(folder, text):
    with pytest.raises(ConfigError) as caught:
        loaded(folder, text)
    return list(caught.value.problems)


def test_the_table_of_the_tool_is_a_configuration(folder):
    project = loaded(folder, HEAD + 'name = "w"\nmain = "main.py"\n[tool.perdure.vars]\nA = "1"\n')

    assert (project.name, dict(project.vars), project.warnings) == ("w", {"A": "1"}, ())


def test_a_problem_has_the_key_path_and_the_line_of_the_file(folder):
    (problem,) = problems(folder, HEAD + 'name = "w"\nmain = "main.py"\n[tool.perdure.dev]\nport = -1\n')

    assert problem.startswith("pyproject.toml:8: `tool.perdure.dev.port` is -1")


def test_what_is_missing_is_shown_for_the_table(folder):
    (problem,) = problems(folder, HEAD + 'name = "w"\n')

    assert problem == (
        'pyproject.toml:4: `main` is missing; write right below the line [tool.perdure]:\n      main = "main.py"'
    )


def test_sections_to_paste_have_the_whole_name(folder):
    text = HEAD + 'name = "w"\nmain = "main.py"\n[tool.perdure.durable_objects]\n'
    bindings = 'bindings = [{ name = "A", class_name = "Room" }]\n'

    (warning,) = loaded(folder, text + bindings).warnings

    assert warning.endswith('      [[tool.perdure.migrations]]\n      tag = "v1"\n      new_sqlite_classes = ["Room"]')


def test_a_key_that_fell_into_a_table_is_told_where_to_go(folder):
    (problem,) = problems(folder, HEAD + 'name = "w"\n[tool.perdure.vars]\nmain = "main.py"\n')

    assert problem == (
        "pyproject.toml:7: `tool.perdure.vars.main` belongs to the table [tool.perdure.vars], because it stands below "
        "that line, so the Worker has no `main`; move it to where it belongs, right below the line [tool.perdure]"
    )


@pytest.mark.parametrize("text", ["", "[tool.ruff]\nx = 'perdure'\n", "tool = 1 # perdure\n", "not toml", b"\xff\xfe"])
def test_a_file_without_the_table_is_passed_over(folder, text):
    folder.write("pyproject.toml", text)
    folder.write("wrangler.toml", 'name = "w"\nmain = "main.py"\n')

    assert load_project(start=folder.path).config_file.name == "wrangler.toml"


def test_a_file_with_the_table_that_cannot_be_read_is_a_problem_and_not_passed_over(folder):
    (problem,) = problems(folder, HEAD + "name = w\n")

    assert problem.startswith("pyproject.toml:5: this is not valid TOML")


def test_a_named_file_without_the_table_is_refused_with_what_to_add(folder):
    file = folder.write("pyproject.toml", "[project]\n")

    with pytest.raises(ConfigError) as caught:
        load_project(file, start=folder.path)

    assert caught.value.problems[0].startswith("pyproject.toml: there is no configuration in it; add, or name another")
    assert "[tool.perdure]" in caught.value.problems[0]


def test_a_table_that_is_none_is_refused(folder):
    (problem,) = problems(folder, "[tool]\nperdure = 1\n")

    assert problem.startswith("pyproject.toml:2: `tool.perdure` has to be a table; write:")


def test_a_file_with_the_table_that_is_no_text_is_a_problem_and_not_passed_over(folder):
    folder.write("pyproject.toml", HEAD.encode() + b'name = "w\xe9"\n')

    with pytest.raises(ConfigError) as caught:
        load_project(start=folder.path)

    assert caught.value.problems == ("pyproject.toml:5: this is not UTF-8; save it as UTF-8",)
