"""The options of `perdure dev`: what cannot be meant is refused before anything starts, and the rest reaches the project."""

import json

import pytest
from typer.testing import CliRunner

from perdure.cli.app import app
from tests.host.dev_process import DevProcess
from tests.host.projects import write_project

SAYS_ENV = """
from perdure import Response

async def fetch(request, env):
    return Response.from_json({"greeting": env.GREETING, "key": str(env.KEY)})
"""


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--port", "99999"], "65535"),
        (["--cert", "a.pem"], "--key"),
        (["--var", "GREETING"], "KEY:VALUE"),
        (["--var", "not a name:x"], "KEY:VALUE"),
        (["--log-level", "loud"], "none of debug"),
        (["--log-format", "xml"], "none of text, json"),
        (["--nothing"], "--nothing"),
    ],
)
def test_options_that_cannot_be_meant_end_it_with_2_and_why(options, reason, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")

    outcome = CliRunner().invoke(app, ["dev", *options])

    assert outcome.exit_code == 2
    assert reason in outcome.output


@pytest.mark.parametrize("reload", [False, True], ids=["one process", "parent and child"])
def test_variables_secrets_and_the_name_of_the_command_line_reach_the_code_and_secrets_are_not_shown(tmp_path, reload):
    write_project(tmp_path, SAYS_ENV, classes=(), more='vars = { GREETING = "hello" }')
    (tmp_path / "mine.env").write_text("KEY=a secret to keep\n")
    options = ("--var", "GREETING:a:b", "--env-file", "mine.env", "--name", "renamed")

    with DevProcess(tmp_path, *options, reload=reload) as dev:
        dev.wait_ready()
        answer = dev.get("/").json()
        dev.terminate()
        code = dev.wait_end()

    assert answer == {"greeting": "a:b", "key": "a secret to keep"}
    assert dev.lines[0].endswith(": renamed")
    assert "a secret to keep" not in dev.said
    assert code == 0


def test_json_lines_are_json_whichever_process_says_them(tmp_path):
    write_project(tmp_path)

    with DevProcess(tmp_path, "--log-format", "json", reload=True) as dev:
        url = json.loads(dev.wait_line('"ready"').string)["url"]
        dev.url = url.replace("//localhost:", "//127.0.0.1:")
        dev.get("/a")
        dev.wait_line('"request"')
        dev.interrupt()
        dev.wait_end()

    assert {json.loads(line)["event"] for line in dev.lines} >= {"ready", "request", "message"}


def test_a_name_that_no_worker_can_have_is_refused_with_one_that_it_can(tmp_path):
    write_project(tmp_path)

    with DevProcess(tmp_path, "--name", "My Shop", reload=True) as dev:
        code = dev.wait_end()

    assert code == 1
    assert "--name my-shop" in dev.said


def test_a_key_that_means_nothing_is_an_error_if_that_is_wanted(tmp_path):
    write_project(tmp_path, more="naem = 1")

    with DevProcess(tmp_path, "--strict-config", reload=True) as dev:
        code = dev.wait_end()

    assert code == 3
    assert "naem" in dev.said
