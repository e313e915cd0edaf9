"""`perdure check`: what a project is, what is wrong with it, and exit codes that scripts can rely on."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from perdure.cli import check_program
from perdure.cli.app import app
from perdure.cli.check_program import start_program
from perdure.cli.exit_code import ExitCode
from perdure.config import load_project
from tests.host.projects import write_project

ROOT = Path(__file__).parents[2]
MISTAKEN = """
import time
from perdure import DurableObject, Request, Response


class Keeper(DurableObject):
    def size(self) -> int:
        return 1

    async def fetch(self, request: Request) -> Response:
        time.sleep(0)
        return Response("kept")


class Forgotten(DurableObject):
    pass


async def fetch(request: Request, env) -> Response:
    env.KEEPER["a"].size()
    return Response("hello")
"""


@pytest.fixture
def check(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    return lambda *options: CliRunner().invoke(app, ["check", *options])


def test_a_project_in_order_is_described_and_ends_with_0(check, tmp_path):
    write_project(tmp_path, more='vars = { GREETING = "hello" }')

    result = check()

    assert result.exit_code == ExitCode.OK, result.output
    assert "handler   fetch of main" in result.output
    assert "Keeper: fetch  (env.KEEPER)" in result.output
    assert "env.GREETING" in result.output
    assert result.output.endswith("no errors, no warnings\n")


def test_mistakes_that_run_are_warnings_with_file_and_line_and_end_with_0_unless_strict(check, tmp_path):
    write_project(tmp_path, MISTAKEN)

    result = check("--json")

    assert result.exit_code == ExitCode.OK
    findings = json.loads(result.output)["findings"]
    assert [(each["rule"], each["severity"], each["file"], each["line"]) for each in findings] == [
        ("plain-method", "warning", "main.py", 7),
        ("blocking-call", "warning", "main.py", 11),
        ("unbound-class", "warning", "main.py", 15),
        ("dropped-call", "warning", "main.py", 20),
    ]
    assert check("--strict").exit_code == ExitCode.ERROR


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("raise ValueError('not yet')", "ValueError: not yet"),
        ("def broken(:\n    pass", "SyntaxError"),
        ("import sys\nsys.exit(3)", "remove the exit"),
        ("import os\nprint('noise')\nos._exit(7)", "its process ended with 7"),
        ("from perdure import DurableObject\nclass Keper(DurableObject): ...", "did you mean 'Keper'?"),
    ],
)
def test_code_that_cannot_be_a_worker_ends_with_1_and_says_why(check, tmp_path, code, said):
    write_project(tmp_path, code)

    result = check("--json")

    assert result.exit_code == ExitCode.ERROR
    (finding,) = [each for each in json.loads(result.output)["findings"] if each["severity"] == "error"]
    assert finding["rule"] == "load"
    assert said in finding["what"] + finding["fix"]


def test_a_handler_imported_from_perdure_is_explained(check, tmp_path):
    write_project(tmp_path, "from perdure import fetch", classes=())

    result = check()

    assert result.exit_code == ExitCode.ERROR
    assert "main.py:1: `fetch` of the main module is the Worker's handler" in result.output


def test_an_env_class_that_the_configuration_does_not_satisfy_is_an_error(check, tmp_path):
    write_project(
        tmp_path,
        """
        from perdure import Env, Request, Response

        class TheEnv(Env):
            GREETING: str

        async def fetch(request: Request, env: TheEnv) -> Response:
            return Response(env.GREETING)
        """,
        classes=(),
    )

    result = check("--json")

    assert result.exit_code == ExitCode.ERROR
    (finding,) = json.loads(result.output)["findings"]
    assert finding["rule"] == "env"
    assert "env.GREETING" in finding["what"]


def test_a_configuration_that_cannot_be_used_ends_with_3_also_as_json(check, tmp_path):
    (tmp_path / "wrangler.toml").write_text("name = 7\n")

    shown, told = check(), check("--json")

    assert (shown.exit_code, told.exit_code) == (ExitCode.CONFIG, ExitCode.CONFIG)
    assert "wrangler.toml:1" in shown.output
    error = json.loads(told.output)["error"]
    assert error["code"] == "PERDURE_CONFIG_ERROR"
    assert len(error["problems"]) >= 2


def test_an_unknown_key_is_a_warning_and_ends_with_3_where_the_configuration_is_taken_strictly(check, tmp_path):
    write_project(tmp_path, more="compatability_date = '2026-01-01'")

    assert check().exit_code == ExitCode.OK
    assert check("--strict").exit_code == ExitCode.ERROR
    assert check("--strict-config").exit_code == ExitCode.CONFIG


def test_what_the_code_prints_does_not_spoil_the_json_and_no_data_is_made(check, tmp_path):
    write_project(tmp_path, "import os\nprint('noise')\nos.write(1, b'more')\ndef fetch(request): ...", classes=())

    result = check("--json")

    assert result.exit_code == ExitCode.OK
    assert json.loads(result.output)["handlers"] == ["fetch of main"]
    assert not (tmp_path / ".perdure").exists()


def test_code_that_never_ends_its_import_is_ended_and_the_line_is_named(tmp_path):
    write_project(tmp_path, "import threading\n\nthreading.Event().wait()", classes=())

    started = start_program(load_project(tmp_path), seconds=0.5)

    assert started.error is not None
    assert "was not imported within 0.5 s" in started.error["what"]
    assert started.error["where"].endswith("main.py:3")


def test_code_that_holds_the_whole_interpreter_is_ended_too(tmp_path, monkeypatch):
    monkeypatch.setattr(check_program, "SILENCE_S", 0.5)
    write_project(tmp_path, "import ctypes\n\nctypes.PyDLL(None).sleep(60)", classes=())

    started = start_program(load_project(tmp_path), seconds=1)

    assert started.error is not None
    assert "gave no sign" in started.error["why"]


@pytest.mark.parametrize("example", sorted(path.parent.name for path in ROOT.glob("examples/*/wrangler.toml")))
def test_the_examples_give_no_false_alarm(check, example):
    result = check("--strict", "-c", str(ROOT / "examples" / example))

    assert result.exit_code == ExitCode.OK, result.output


def test_ctrl_c_ends_it_with_130_and_no_process_is_left(tmp_path):
    os.mkfifo(tmp_path / "told")
    code = "import os, threading\nopen('told', 'w').write(str(os.getpid()))\nthreading.Event().wait()"
    write_project(tmp_path, code, classes=())
    program = "import sys; sys.argv[0] = 'perdure'; from perdure.cli.main import main; main()"
    with subprocess.Popen([sys.executable, "-c", program, "check"], cwd=tmp_path) as checking:
        child = int((tmp_path / "told").read_text())  # once the project's code runs

        checking.send_signal(signal.SIGINT)

        assert checking.wait() == ExitCode.INTERRUPTED
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)
