"""`perdure init`: a project that runs at once, from the package alone, and nothing that was there is touched."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from perdure.cli import init_project
from perdure.cli.app import app
from perdure.cli.exit_code import ExitCode
from perdure.cli.init_project import Template, template_files, write_project
from perdure.config import load_project
from perdure.model.errors import WrongValue
from tests.checkers import MYPY_CACHE
from tests.host.dev_process import DevProcess


@pytest.fixture
def perdure(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    return lambda *arguments: CliRunner().invoke(app, list(arguments))


def files_in(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("template", list(Template))
def test_a_new_project_has_configuration_code_test_readme_and_a_gitignore(perdure, tmp_path, template):
    result = perdure("init", "hits", "--template", template.value)

    assert result.exit_code == ExitCode.OK, result.output
    made = files_in(tmp_path / "hits")
    assert {"wrangler.toml", "src/main.py", "README.md", ".gitignore"} < made
    assert any(path.startswith("tests/test_") for path in made)
    assert {".perdure/", ".dev.vars*", ".env*"} <= set((tmp_path / "hits" / ".gitignore").read_text().splitlines())
    assert not [path for path in made if "@NAME@" in (tmp_path / "hits" / path).read_text()]
    project = load_project(tmp_path / "hits")
    assert (project.name, project.warnings) == ("hits", ())
    assert "cd hits" in result.output


@pytest.mark.parametrize("template", list(Template))
def test_a_new_project_passes_check_types_and_its_own_test(perdure, tmp_path, template):
    perdure("init", "hits", "--template", template.value)
    folder = tmp_path / "hits"

    checked = perdure("check", "--strict", "-c", "hits")
    tested = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error"],
        cwd=folder,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
    )

    assert checked.exit_code == ExitCode.OK, checked.output
    assert tested.returncode == 0, tested.stdout
    if template is Template.TYPED:
        assert perdure("types", "--check", "-c", "hits").exit_code == ExitCode.OK


@pytest.mark.parametrize(
    ("template", "path", "answers"),
    [
        (Template.BASIC, "/notes", ["nothing stored here\n"]),
        (Template.TYPED, "/hits/increment", ["1\n", "2\n", "3\n"]),
        (Template.PACKAGES, "/wedding", ["[]"]),
    ],
)
def test_a_new_project_is_served_as_it_is(perdure, tmp_path, template, path, answers):
    perdure("init", "hits", "--template", template.value)

    with DevProcess(tmp_path / "hits") as dev:
        dev.wait_ready()

        assert [dev.get(path).text for _ in answers] == answers
        assert not dev.problems


def test_new_projects_pass_mypy_in_strict_mode(perdure, tmp_path):
    pytest.importorskip("mypy", reason="one interpreter that has the type checkers is enough")
    said = {}
    for template in Template:  # one by one: their modules have the same names
        perdure("init", template.value, "--template", template.value)
        command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", MYPY_CACHE, "src", "tests"]
        environment = {**os.environ, "MYPYPATH": str(tmp_path / template / "src")}
        said[template.value] = subprocess.run(
            command, cwd=tmp_path / template, capture_output=True, text=True, env=environment
        )

    assert not {name: done.stdout for name, done in said.items() if done.returncode}


def test_new_projects_pass_pyright_in_strict_mode(perdure, tmp_path):
    pytest.importorskip("pyright", reason="one interpreter that has the type checkers is enough")
    for template in Template:
        perdure("init", template.value, "--template", template.value)
    folders = [{"root": template.value, "extraPaths": [f"{template.value}/src"]} for template in Template]
    settings = {"typeCheckingMode": "strict", "executionEnvironments": folders}
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(settings))

    said = subprocess.run(
        [sys.executable, "-m", "pyright", "--pythonpath", sys.executable], cwd=tmp_path, capture_output=True, text=True
    )

    assert said.returncode == 0, said.stdout


def test_the_same_again_is_refused_and_changes_nothing(perdure, tmp_path):
    perdure("init", "hits")
    main = tmp_path / "hits" / "src" / "main.py"
    main.write_text("# mine")

    again, forced = perdure("init", "hits"), perdure("init", "hits", "--force")

    assert (again.exit_code, forced.exit_code) == (ExitCode.ERROR, ExitCode.ERROR)
    assert "src/main.py" in again.output
    assert "next: " in again.output
    assert main.read_text() == "# mine"


def test_a_folder_with_other_files_needs_force_and_keeps_them(perdure, tmp_path):
    (tmp_path / "hits" / ".git").mkdir(parents=True)
    (tmp_path / "hits" / "notes.txt").write_text("mine")

    refused = perdure("init", "hits")
    made = perdure("init", "hits", "--force")

    assert (refused.exit_code, made.exit_code) == (ExitCode.ERROR, ExitCode.OK)
    assert "notes.txt" in refused.output and "--force" in refused.output
    assert (tmp_path / "hits" / "notes.txt").read_text() == "mine"


def test_a_folder_with_nothing_but_its_history_is_empty_enough(perdure, tmp_path, monkeypatch):
    (tmp_path / "hits" / ".git").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "hits")

    result = perdure("init", ".")

    assert result.exit_code == ExitCode.OK, result.output
    assert load_project(tmp_path / "hits").name == "hits"
    assert "cd " not in result.output


@pytest.mark.parametrize(
    ("name", "instead"),
    [("Hits", "hits"), ("my project", "my-project"), ("-x", "x"), ("hits.dev", "hits-dev"), ("é", "my-worker")],
)
def test_a_name_that_no_worker_can_have_is_refused_with_one_that_it_can(perdure, tmp_path, name, instead):
    result = perdure("init", "--", name)

    assert result.exit_code == ExitCode.ERROR
    assert f"next: take {instead}" in result.output
    assert not list(tmp_path.iterdir())


def test_a_path_says_the_folder_and_its_last_part_the_name(perdure, tmp_path):
    result = perdure("init", "apps/hits/", "--json")

    told = json.loads(result.output)
    assert (told["name"], told["template"]) == ("hits", "basic")
    assert {str(tmp_path / path) for path in told["files"]} == {
        str(path) for path in (tmp_path / "apps" / "hits").rglob("*") if path.is_file()
    }


def test_a_refusal_as_json_says_what_why_and_the_next_step(perdure, tmp_path):
    (tmp_path / "hits").write_text("a file")

    result = perdure("init", "hits", "--json")

    assert result.exit_code == ExitCode.ERROR
    assert json.loads(result.output)["error"]["what"] == "hits is a file"


def test_an_unknown_template_is_a_matter_of_usage_and_the_known_ones_are_named(perdure):
    result = perdure("init", "hits", "--template", "rust")

    assert result.exit_code == ExitCode.USAGE
    assert "packages" in result.output


def test_where_the_disk_refuses_a_file_none_is_left(tmp_path):
    files = template_files(Template.BASIC, "hits") | {Path("x" * 300): "a name too long for any file system"}

    with pytest.raises(WrongValue, match="cannot be written"):
        write_project(tmp_path / "hits", files)

    assert list(tmp_path.iterdir()) == []


def test_every_template_is_in_the_package_with_its_files():
    folders = {path.name for path in (Path(init_project.__file__).parent / "templates").iterdir()}

    assert folders == {template.value for template in Template}
