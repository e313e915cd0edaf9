"""`perdure types`: the type of `env` from the configuration, as mypy and pyright understand it."""

import json
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from perdure.cli.app import app
from perdure.cli.exit_code import ExitCode
from perdure.cli.types_module import env_module
from perdure.config import load_project
from tests.checkers import MYPY_CACHE
from tests.host.projects import write_project

EVERYTHING = """
vars.GREETING = "hello"
vars.LIMIT = 3
vars.RATIO = 0.5
vars.OPEN = true
vars.NAMES = ["a", "b"]
vars.MIXED = ["a", 1]
vars.NOTHING = []
vars.SMTP = { host = "localhost", port = 25, auth = { user = "u" } }
vars.ODD = { "a-b" = 1 }
vars.with-dash = "x"
"""
USE = """
from worker_env import Env

def use(env: Env) -> str:
    host: str = env.SMTP["host"]
    port: int = env.SMTP["port"]
    names: list[str] = env.NAMES
    limit: int = env.LIMIT
    opened: bool = env.OPEN
    ratio: float = env.RATIO
    user: str = env.SMTP["auth"]["user"]
    return f"{host}{port}{names}{limit}{opened}{ratio}{user}{env.GREETING}"

async def call(env: Env) -> int:
    return await env.COUNTER["a"].add(1)
"""
COUNTER = """
from perdure import DurableObject
from worker_env import Env

class Counter(DurableObject[Env]):
    async def add(self, by: int) -> int:
        return by + self.env.LIMIT

async def fetch(request: object, env: Env) -> dict[str, int]:
    return {"value": await env.COUNTER["a"].add(1)}
"""


@pytest.fixture
def types(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    return lambda *options: CliRunner().invoke(app, ["types", *options])


def test_every_kind_of_binding_has_its_type_and_both_type_checkers_agree(types, tmp_path):
    pytest.importorskip("mypy", reason="one interpreter that has the type checkers is enough")
    write_project(tmp_path, COUNTER, classes=["Counter"], more=EVERYTHING)
    (tmp_path / "use.py").write_text(USE)

    assert types().exit_code == ExitCode.OK
    mypy = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", MYPY_CACHE]
    pyright = [sys.executable, "-m", "pyright", "--pythonpath", sys.executable]
    (tmp_path / "pyrightconfig.json").write_text('{"typeCheckingMode": "strict"}')
    said = {tool[2]: subprocess.run([*tool, "."], capture_output=True, text=True) for tool in (mypy, pyright)}

    assert not {name: done.stdout for name, done in said.items() if done.returncode}
    text = (tmp_path / "worker_env.py").read_text()
    for line in (
        "NAMES: list[str]",
        "MIXED: list[str | int]",
        "NOTHING: list[Any]",
        "SMTP: Smtp",
        "ODD: dict[str, Any]",
    ):
        assert f"    {line}\n" in text
    assert "# env['with-dash'] is str" in text


def test_secrets_are_typed_as_such_whether_their_values_are_here_or_only_declared(types, tmp_path):
    write_project(tmp_path, more='vars.TOKEN = "for tests"')
    (tmp_path / ".dev.vars").write_text("TOKEN=abc\n")

    found = types("-o", "-").output
    write_project(tmp_path, more='secrets.required = ["TOKEN", "KEY"]')
    (tmp_path / ".dev.vars").unlink()
    declared = types("-o", "-").output

    assert "    TOKEN: perdure.Secret\n" in found
    assert "    TOKEN: perdure.Secret\n    KEY: perdure.Secret\n" in declared
    assert "abc" not in found


def test_a_project_whose_env_module_was_written_runs(types, tmp_path):
    write_project(tmp_path, COUNTER, classes=["Counter"], more=EVERYTHING)
    types()

    checked = CliRunner().invoke(app, ["check"])

    assert checked.exit_code == ExitCode.OK, checked.output


def test_check_says_whether_the_file_is_there_and_current_and_writes_nothing(types, tmp_path):
    write_project(tmp_path)
    file = tmp_path / "worker_env.py"

    missing, exists = types("--check"), file.exists()
    types()
    current = types("--check", "--json")
    write_project(tmp_path, more="vars.NEW = 1")
    stale = types("--check")

    assert (missing.exit_code, exists) == (ExitCode.ERROR, False)
    assert (current.exit_code, json.loads(current.output)["current"]) == (ExitCode.OK, True)
    assert stale.exit_code == ExitCode.ERROR
    assert "NEW" not in file.read_text()


def test_written_again_it_is_the_same_file(types, tmp_path):
    write_project(tmp_path)

    first, second = types("--json"), types("--json")

    assert json.loads(first.output)["written"] is True
    assert json.loads(second.output) == {"file": str(tmp_path / "worker_env.py"), "current": True, "written": False}


def test_it_can_be_shown_instead(types, tmp_path):
    write_project(tmp_path)

    result = types("-o", "-")

    assert 'KEEPER: perdure.Namespace["Keeper"]' in result.output
    assert not (tmp_path / "worker_env.py").exists()
    assert types("-o", "-", "--check").exit_code == ExitCode.USAGE


def test_a_file_of_somebody_else_is_not_written_over(types, tmp_path):
    write_project(tmp_path)
    (tmp_path / "worker_env.py").write_text("mine = 1\n")

    result = types()

    assert result.exit_code == ExitCode.ERROR
    assert "was not made by this command" in result.output
    assert (tmp_path / "worker_env.py").read_text() == "mine = 1\n"


def test_a_place_that_cannot_be_written_is_said(types, tmp_path):
    write_project(tmp_path)

    result = types("-o", "nowhere/env.py")

    assert result.exit_code == ExitCode.ERROR
    assert "cannot be written" in result.output


def test_a_configuration_that_cannot_be_used_ends_with_3(types, tmp_path):
    (tmp_path / "wrangler.toml").write_text("name = 7\n")

    assert types().exit_code == ExitCode.CONFIG


@pytest.mark.parametrize(
    ("imported", "line"),
    [
        ("from rooms import Keeper", "from rooms import Keeper"),
        ("from parts.rooms import Room as Keeper", "from parts.rooms import Room as Keeper"),
        ("class Keeper: ...", "from main import Keeper"),
        ("def broken(:", "from main import Keeper"),
    ],
)
def test_a_class_is_imported_from_the_module_that_defines_it(tmp_path, imported, line):
    write_project(tmp_path, imported)

    assert f"    {line}\n" in env_module(load_project(tmp_path))


def test_a_class_of_a_package_is_imported_through_it(tmp_path):
    write_project(tmp_path / "app", "from .rooms import Keeper")
    (tmp_path / "app" / "__init__.py").touch()
    (tmp_path / "app" / "wrangler.toml").rename(tmp_path / "wrangler.toml")
    (tmp_path / "wrangler.toml").write_text((tmp_path / "wrangler.toml").read_text().replace("main.py", "app/main.py"))

    assert "    from app.rooms import Keeper\n" in env_module(load_project(tmp_path))


def test_a_binding_with_the_name_of_its_class_does_not_hide_it(tmp_path):
    write_project(tmp_path)
    config = tmp_path / "wrangler.toml"
    config.write_text(config.read_text().replace('"KEEPER"', '"Keeper"'))

    text = env_module(load_project(tmp_path))

    assert "import Keeper as Keeper_" in text
    assert 'Keeper: perdure.Namespace["Keeper_"]' in text
