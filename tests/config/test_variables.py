"""Variables: what could stand in JSON, and nothing else."""

import pytest

from tests.config.conftest import FINE


def test_variables_keep_the_type_that_they_are_written_with(folder):
    project = folder.load(FINE + '[vars]\nA = "1"\nB = 1\nC = 1.5\nD = true\nE = ["x", 2]\nF = { g = "h" }')

    assert project.vars == {"A": "1", "B": 1, "C": 1.5, "D": True, "E": ["x", 2], "F": {"g": "h"}}
    assert type(project.vars["D"]) is bool


@pytest.mark.parametrize("value", ["2026-11-24", "07:32:00", "2026-11-24T07:32:00", "2026-11-24T07:32:00+00:00"])
def test_a_date_is_refused_and_shown_as_text(folder, value):
    assert folder.problem(FINE + f"[vars]\nDAY = {value}") == (
        f"wrangler.toml:4: `vars.DAY` is {value}, which is a date or time, and a variable cannot be one; "
        f'write it as text:\n      DAY = "{value}"'
    )


def test_a_date_is_found_however_deep_it_is(folder):
    problem = folder.problem(FINE + "[vars.A]\nb = [\n  1,\n  2026-11-24,\n]")

    assert problem.startswith("wrangler.toml:6: `vars.A.b[1]` is 2026-11-24, which is a date or time")
    assert problem.endswith('\n      "2026-11-24"')


@pytest.mark.parametrize("value", ["inf", "nan"])
def test_a_number_that_json_does_not_have_is_refused(folder, value):
    problem = folder.problem(FINE + f"[vars]\nA = {value}")

    assert problem.startswith(f"wrangler.toml:4: `vars.A` is {value}, which is no number in JSON; write it as text:")


def test_variables_that_are_no_table_are_refused(folder):
    assert folder.problem(FINE + 'vars = ["A"]') == (
        'wrangler.toml:3: `vars` is ["A"], which is a list, but has to be a table; write:\n'
        '      [vars]\n      GREETING = "hello"'
    )


@pytest.mark.parametrize(
    ("name", "better"), [("my-var", "MY_VAR"), ("1st", "VAR_1ST"), ("class", "VAR_CLASS"), ("__x", "X")]
)
def test_a_name_that_cannot_be_written_after_a_dot_is_a_warning(folder, name, better):
    project = folder.load(FINE + f'[vars]\n{name} = "x"')

    assert project.vars == {name: "x"}
    assert project.warnings == (
        f'wrangler.toml:4: `vars.{name}` is "{name}", which cannot be written after `env.`; '
        f'the code has to say env["{name}"]; a name like {better} reads better',
    )
