"""`perdure backup`, `perdure doctor` and the two commands of `perdure objects` that write and read files, as run."""

import json

import pytest
import typer
from typer.testing import CliRunner

from perdure.cli.app import app
from perdure.cli.command_group import command_group
from perdure.cli.export import add_to
from perdure.host.stored_object import stored_class
from tests.host.stored import dump, work
from tests.store.test_damage import flip_bit_at


@pytest.fixture
def data(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    work(tmp_path / "data", ("one", "kv.put('k', 'to be found in here' * 50); sql.exec('CREATE TABLE t(x)')"))
    return tmp_path / "data"


def run(*arguments: str, program: typer.Typer = app):
    return CliRunner().invoke(program, [str(argument) for argument in arguments])


def objects_program() -> typer.Typer:
    group = command_group("objects", "Objects.", "")
    add_to(group)
    return group


def test_a_folder_is_backed_up_verified_and_restored(data):
    made = json.loads(run("backup", "create", "all.perdure", "--data", data, "--json").output)
    verified = json.loads(run("backup", "verify", "all.perdure", "--json").output)
    restored = run("backup", "restore", "all.perdure", "again")

    assert made == verified
    assert made["stores"] == 2
    assert "Restored: again (2 stores, " in restored.output
    assert restored.exit_code == 0
    assert json.loads(run("doctor", "--data", "again", "--json").output)["findings"] == []


def test_what_cannot_be_done_is_said_and_ends_with_1(data):
    run("backup", "create", "all.perdure", "--data", data)

    again = run("backup", "create", "all.perdure", "--data", data, "--json")
    assert again.exit_code == 1
    assert "--force" in json.loads(again.output)["error"]["next_step"]
    assert run("backup", "restore", "all.perdure", data).exit_code == 1
    assert run("backup", "verify", "nowhere.perdure").exit_code == 1
    assert run("doctor", "--data", "nowhere").exit_code == 1


def test_without_a_folder_and_a_project_it_ends_with_3(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    assert run("doctor").exit_code == 3
    assert run("backup", "create", "all.perdure").exit_code == 3


def test_the_doctor_says_what_is_damaged_and_ends_with_1(data):
    whole = run("doctor", "--data", data)
    assert (whole.exit_code, whole.output.splitlines()[-1]) == (0, "1 object, no damage")
    flip_bit_at(stored_class(data, "Box").database, "kv", b"to be found in here")

    damaged = run("doctor", "--data", data, "--json")

    assert damaged.exit_code == 1
    [found] = json.loads(damaged.output)["findings"]
    assert found["name"] == "one"
    assert found["next_step"]
    assert "error: " in run("doctor", "--data", data).output


def test_an_object_is_exported_and_imported(data):
    objects = objects_program()

    made = run("export", "Box", "one", "one.db", "--data", data, "--json", program=objects)
    assert json.loads(made.output)["class"] == "Box"
    refused = run("export", "Box", "one", "one.db", "--data", data, program=objects)
    assert refused.exit_code == 1
    assert run("import", "Box", "two", "one.db", "--data", data, program=objects).exit_code == 0
    assert run("import", "Box", "two", "one.db", "--data", data, program=objects).exit_code == 1
    assert run("import", "Box", "two", "one.db", "--replace", "--data", data, program=objects).exit_code == 0

    assert run("export", "Box", "two", "two.db", "--data", data, program=objects).exit_code == 0
    assert dump(data.parent / "one.db") == dump(data.parent / "two.db")
