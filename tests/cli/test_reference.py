"""The page about the command line is what the commands say of themselves."""

from pathlib import Path

import typer

from perdure.cli.app import COMMANDS, app
from perdure.cli.exit_code import ExitCode
from perdure.cli.reference import page

PAGE = Path(__file__).parents[2] / "docs" / "command-line.md"


def test_the_page_is_current():
    assert PAGE.read_text() == page(), "run: python -m perdure.cli.reference docs/command-line.md"


def test_it_has_every_command_with_examples_and_every_exit_code():
    text = page()

    for name in COMMANDS:
        section = text.split(f"\n## `perdure {name}`\n")[1].split("\n## ")[0]
        assert f"```sh\nperdure {name}" in section
        inner = getattr(typer.main.get_command(app).commands[name], "commands", {})
        assert section.count("```sh") == 2 * (1 + len(inner)), name
        assert [each for each in inner if f"### `perdure {name} {each}`\n" not in section] == []
    for code in ExitCode:
        assert f"| {code.value} | " in text
