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


def command_of(words: list[str]):
    """The innermost command that the words name."""
    command = typer.main.get_command(app)
    for word in words:
        if word not in getattr(command, "commands", {}):
            break
        command = command.commands[word]
    return command


def inner_commands() -> list[str]:
    """Those that a command has of its own: `objects list`."""
    return [f"{name} {inner}" for name in COMMANDS for inner in getattr(command_of([name]), "commands", ())]


def examples_of(name: str) -> list[list[str]]:
    epilog = command_of(name.split()).epilog
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
        assert shlex.join(example) in result.output or " ".join(example) in result.output


@pytest.mark.parametrize("name", inner_commands())
def test_the_help_of_a_command_of_a_command_has_an_example(perdure, name):
    result = perdure(*name.split(), "--help")

    assert result.exit_code == 0
    (example,) = examples_of(name)
    assert " ".join(example[:3]) == f"perdure {name}"
    assert f"perdure {name}" in result.output.partition("Example:")[2]


@pytest.mark.parametrize("name", ["", *COMMANDS, *inner_commands()])
def test_every_example_uses_commands_and_options_that_there_are(name):
    for program, *words in examples_of(name):
        assert program == "perdure"
        command = command_of(words)
        known = {"-h", *(spelling for parameter in command.params for spelling in parameter.opts)}
        assert {word for word in words[1:] if word.startswith("-") and word != "-"} <= known


@pytest.mark.parametrize("arguments", [["--help"], ["check", "--help"], ["nothing"], ["check", "-c", "nowhere.toml"]])
def test_without_a_terminal_or_with_no_color_there_are_no_escape_sequences(arguments, tmp_path):
    environment = {**os.environ, "NO_COLOR": "1", "TERM": "xterm-256color"}

    done = subprocess.run([sys.executable, "-c", RUN, *arguments], capture_output=True, cwd=tmp_path, env=environment)

    assert b"\x1b" not in done.stdout + done.stderr
