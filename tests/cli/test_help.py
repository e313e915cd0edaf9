"""Help: every command with examples that are commands, and no colours where nobody asked for them."""

import os
import re
import shlex
import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner

from perdure.cli.app import COMMANDS, app

RUN = "import sys; sys.argv[0] = 'perdure'; from perdure.cli.main import main; main()"


@pytest.fixture
def perdure(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.setenv("NO_COLOR", "1")
    return lambda *arguments: CliRunner().invoke(app, list(arguments))


def examples_of(name: str) -> list[list[str]]:
    command = typer.main.get_command(app)
    epilog = (command.commands[name] if name else command).epilog
    return [shlex.split(line.strip().partition("   ")[0]) for line in epilog.splitlines() if "perdure " in line]


def test_the_help_names_every_command_with_what_it_does(perdure):
    result = perdure("--help")

    assert result.exit_code == 0
    for name in COMMANDS:
        assert re.search(rf"^│ {name} +\w+", result.output, re.MULTILINE)


@pytest.mark.parametrize("option", ["-h", "--help"])
@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_a_command_has_examples(perdure, name, option):
    result = perdure(name, option)

    assert result.exit_code == 0
    assert len(examples_of(name)) >= 3
    for example in examples_of(name):
        assert " ".join(example) in result.output


@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_every_example_uses_commands_and_options_that_there_are(name):
    group = typer.main.get_command(app)

    for program, *words in examples_of(name):
        assert program == "perdure"
        command = group.commands[words[0]]
        known = {"-h", *(spelling for parameter in command.params for spelling in parameter.opts)}
        assert {word for word in words[1:] if word.startswith("-") and word != "-"} <= known


@pytest.mark.parametrize("arguments", [["--help"], ["check", "--help"], ["nothing"], ["check", "-c", "nowhere.toml"]])
def test_without_a_terminal_or_with_no_color_there_are_no_escape_sequences(arguments, tmp_path):
    environment = {**os.environ, "NO_COLOR": "1", "TERM": "xterm-256color"}

    done = subprocess.run([sys.executable, "-c", RUN, *arguments], capture_output=True, cwd=tmp_path, env=environment)

    assert b"\x1b" not in done.stdout + done.stderr
