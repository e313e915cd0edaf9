"""The configuration in the main module itself."""

import pytest

from perdure.config import load_project
from perdure.model.errors import ConfigError

PROGRAM = '''\
"""Named counters."""
# /// wrangler
# name = "counter"
#
# [[durable_objects.bindings]]
# name = "COUNTER"
# class_name = "Counter"
#
# [[migrations]]
# tag = "v1"
# new_sqlite_classes = ["Counter"]
# ///
from perdure import DurableObject
'''


@pytest.fixture
def load(folder):
    def load(text):
        folder.write("counter.py", text)
        return load_project(folder.path / "counter.py", start=folder.path)

    return load


@pytest.fixture
def problem(load):
    def problem(text):
        with pytest.raises(ConfigError) as caught:
            load(text)
        return caught.value.problems[0]

    return problem


def test_a_program_with_a_block_is_a_project_and_its_own_main_module(load, folder):
    project = load(PROGRAM)

    assert project.name == "counter"
    assert project.main == project.config_file == folder.path / "counter.py"
    assert [(binding.name, binding.class_name) for binding in project.objects] == [("COUNTER", "Counter")]
    assert list(project.classes) == ["Counter"]
    assert project.warnings == ()


def test_a_block_may_name_its_main_module(load, folder):
    main = folder.write("app.py", "")

    assert load(PROGRAM.replace("# name = ", '# main = "app.py"\n# name = ', 1)).main == main


def test_the_line_of_a_problem_is_that_of_the_program_and_what_to_paste_is_a_comment(problem):
    assert problem(PROGRAM.replace('class_name = "Counter"', 'class_name = ""')) == (
        'counter.py:7: `durable_objects.bindings[0].class_name` is empty; write:\n      # class_name = "Room"'
    )


def test_the_line_of_a_syntax_error_is_that_of_the_program(problem):
    said = problem(PROGRAM.replace('"v1"', "v1"))

    assert said.startswith("counter.py:10: this is not valid TOML")
    assert 'tag = "v1"' in said


def test_windows_line_ends_are_read(load):
    assert load(PROGRAM.replace("\n", "\r\n")).name == "counter"


def test_a_program_without_a_block_shows_how_to_begin_one(problem):
    assert problem("import perdure\n") == (
        "counter.py: there is no configuration in it; begin the file with, or name a wrangler.toml after -c:\n"
        '      # /// wrangler\n      # name = "counter"\n      # ///'
    )


def test_a_block_that_does_not_end_is_named_with_its_line(problem):
    assert problem('"""Doc."""\n# /// wrangler\n# name = "x"\nimport perdure\n') == (
        "counter.py:2: this `# /// wrangler` block does not end; "
        "begin each of its lines with `# ` and close it with:\n      # ///"
    )


def test_two_blocks_are_one_too_many(problem):
    assert problem(PROGRAM + PROGRAM) == (
        "counter.py:15: this is a second `# /// wrangler` block; join it to the one of line 2"
    )


def test_a_block_that_is_nested_without_end_is_refused(problem):
    assert "nested too deep" in problem(f"# /// wrangler\n# x = {'[' * 100_000}\n# ///\n")


def test_blocks_of_other_tools_are_left_alone(load):
    assert load('# /// script\n# dependencies = ["httpx"]\n# ///\n' + PROGRAM).name == "counter"
