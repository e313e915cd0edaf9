"""The command line: help with examples, the version, and exit codes that scripts can rely on."""

import json
import socket
import subprocess
import sys
from importlib.metadata import version

import pytest
from typer.testing import CliRunner

from perdure.cli.app import COMMANDS, app
from perdure.cli.exit_code import ExitCode
from tests.host.projects import write_project


@pytest.fixture
def perdure(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "200")
    return lambda *arguments: CliRunner().invoke(app, list(arguments))


def test_the_version_is_the_packages(perdure):
    result = perdure("--version")

    assert (result.exit_code, result.output) == (0, f"perdure {version('perdure')}\n")


def test_help_names_the_commands(perdure):
    result = perdure("--help")

    assert result.exit_code == 0
    assert "dev" in result.output


def test_help_of_dev_shows_examples_and_every_option(perdure):
    result = perdure("dev", "--help")

    assert result.exit_code == 0
    assert "perdure dev -c shop/wrangler.toml" in result.output
    for option in ("--config", "-c", "--port", "--ip", "--persist-to", "--cert", "--key"):
        assert option in result.output


@pytest.mark.parametrize(
    "arguments",
    [["dev", "--port", "many"], ["dev", "--port", "65536"], ["dev", "--unknown"], ["dev", "--cert", "c.pem"], ["sell"]],
)
def test_what_cannot_be_understood_exits_2(perdure, arguments):
    assert perdure(*arguments).exit_code == ExitCode.USAGE


def test_no_project_here_exits_3(perdure):
    result = perdure("dev", "--no-reload")

    assert result.exit_code == ExitCode.CONFIG
    assert "wrangler.toml" in result.output


def test_a_configuration_that_does_not_exist_exits_3(perdure):
    result = perdure("dev", "--no-reload", "-c", "nowhere.toml")

    assert result.exit_code == ExitCode.CONFIG
    assert "nowhere.toml" in result.output


def test_all_problems_of_a_configuration_are_shown_and_it_exits_3(perdure, tmp_path):
    (tmp_path / "wrangler.toml").write_text(
        'name = 7\nmain = "main.py"\ndurable_objects.bindings = [{ name = "A" }, { class_name = "B" }]\n'
    )

    result = perdure("dev", "--no-reload")

    assert result.exit_code == ExitCode.CONFIG
    assert sum(line.startswith("  - ") for line in result.output.splitlines()) >= 3
    assert "Traceback" not in result.output


def test_code_that_cannot_be_loaded_exits_1(perdure, tmp_path):
    write_project(tmp_path, "raise ValueError('not yet')", classes=())

    result = perdure("dev", "--no-reload", "--port", "0")

    assert result.exit_code == ExitCode.ERROR
    assert "ValueError: not yet" in result.output


def test_a_port_that_is_taken_exits_1_and_says_by_whom_and_what_to_do(perdure, tmp_path):
    write_project(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        result = perdure("dev", "--no-reload", "--port", str(port))

    assert result.exit_code == ExitCode.ERROR
    assert f"port {port} of 127.0.0.1 is taken" in result.output
    assert "listens there" in result.output
    assert "next: " in result.output


def test_a_certificate_that_cannot_be_read_exits_3(perdure, tmp_path):
    write_project(tmp_path)

    result = perdure("dev", "--no-reload", "--port", "0", "--cert", "none.pem", "--key", "none.pem")

    assert result.exit_code == ExitCode.CONFIG
    assert "--cert" in result.output


def test_the_version_as_json_says_what_a_report_of_a_fault_should_say(perdure):
    result = perdure("--version", "--json")

    assert result.exit_code == 0
    assert json.loads(result.output)["perdure"] == version("perdure")
    assert set(json.loads(result.output)) == {"perdure", "python", "platform"}


def test_a_command_that_does_not_exist_is_answered_with_the_nearest_one(perdure):
    result = perdure("devv")

    assert result.exit_code == ExitCode.USAGE
    assert "did you mean dev?" in result.output


def test_json_before_the_command_is_told_where_it_belongs(perdure):
    result = perdure("--json", "dev")

    assert result.exit_code == ExitCode.USAGE
    assert "after the command" in result.output


def test_no_command_imports_what_only_another_one_needs():
    program = "import sys, perdure.cli.app as m; m.app.registered_commands; print(*sys.modules)"

    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()

    assert "perdure.cli.app" in loaded
    assert not {"asyncio", "apsw", "rich", *(f"perdure.cli.{name}" for name in COMMANDS)} & set(loaded)
