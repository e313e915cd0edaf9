"""A command line that cannot be understood is answered with the word that is wrong and what was meant, and ends with 2."""

import json

import pytest
from typer.testing import CliRunner

from perdure.cli.app import app
from perdure.cli.exit_code import ExitCode

MISTAKES = {
    "an option misspelt": ("dev --prot 3", ["perdure dev has no option --prot", "did you mean --port?"]),
    "an option of no command": ("--versoin", ["perdure has no option --versoin", "did you mean --version?"]),
    "an option that is like no other": ("types --zzz", ["perdure types has no option --zzz", "perdure types -h"]),
    "a command misspelt": ("chekc", ["perdure has no command chekc", "did you mean check?", "init, dev, check, types"]),
    "an option without its value": ("dev --port", ["--port", "perdure dev -h"]),
    "a missing argument": ("init", ["NAME", "perdure init"]),
    "an argument too many": ("dev main.py", ["main.py", "perdure dev -h"]),
    "a choice that there is not": ("init x --template bsic", ["'bsic' is not one of 'basic', 'typed', 'packages'"]),
}


@pytest.mark.parametrize("made", MISTAKES)
def test_a_mistake_is_named_with_the_next_step_in_plain_lines(made):
    line, parts = MISTAKES[made]

    result = CliRunner().invoke(app, line.split())

    assert result.exit_code == ExitCode.USAGE
    assert result.stdout == ""
    assert result.stderr.startswith("error: ")
    assert "\n  next: " in result.stderr
    for part in parts:
        assert part in result.stderr


@pytest.mark.parametrize("line", ["check --json --jsn", "sell --json", "init --json", "--json dev"])
def test_with_json_it_is_one_object_on_stdout(line):
    result = CliRunner().invoke(app, line.split())

    assert result.exit_code == ExitCode.USAGE
    assert json.loads(result.stdout)["error"]["code"] == "PERDURE_WRONG_VALUE"
    assert result.stderr == ""


def test_no_command_at_all_shows_the_help_and_ends_with_2():
    result = CliRunner().invoke(app, [])

    assert result.exit_code == ExitCode.USAGE
    assert "perdure dev" in result.stdout
